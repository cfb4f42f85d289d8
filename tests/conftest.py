"""Fixtures that every kind of test uses."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "keptn-lambda-executor",
    "POWERTOOLS_METRICS_NAMESPACE": "KeptnLambdaExecutor",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}
os.environ.update(ENVIRONMENT)  # before the handlers are imported, which read some of it

import boto3  # noqa: E402

from cli.template import read_template  # noqa: E402
from execution_plane.ledger.table import Ledger  # noqa: E402
from execution_plane.settings import Match  # noqa: E402
from execution_plane.telemetry import invocation  # noqa: E402
from local.aws import create_table  # noqa: E402
from tests.support.aws import answer_by_name, aws_in_memory, share_descriptions  # noqa: E402
from tests.support.sample import SLOW, Extent, summary  # noqa: E402
from tests.support.world import Plane, World  # noqa: E402

TEMPLATE = read_template()
share_descriptions()
answer_by_name()


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with patch.dict(os.environ, ENVIRONMENT), patch.object(invocation, "name", ""):
        yield


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS in memory, by moto."""
    with aws_in_memory():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return _client("dynamodb")


@cache
def _client(service: str) -> Any:
    """Made once: it outlives what is in its AWS."""
    return boto3.client(service)  # type: ignore[call-overload]


@pytest.fixture
def world() -> World:
    return World()


PlaneMaker = Callable[..., Plane]


@pytest.fixture
def new_plane(world: World, dynamodb: Any) -> PlaneMaker:
    """Make a plane for a location, with its own ledger: `new_plane("APAC")`."""

    def make(location: str = "APAC", **settings: Any) -> Plane:
        table = f"ledger-{location}"
        create_table(dynamodb, table, TEMPLATE)
        match = Match("$.data.sayhello.location", location)
        plane = Plane(
            world,
            Ledger(dynamodb, table, world.aws_clock),
            source=f"keptn-lambda-executor/1/{location}/x",
            match=match,
            **settings,
        )
        world.planes.append(plane)
        return plane

    return make


@pytest.fixture
def plane(new_plane: PlaneMaker) -> Plane:
    return new_plane()


@pytest.fixture
def extent(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Extent:
    """How much of what takes long is to be done."""
    return Extent(request.config.getoption("sample"), record_property)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sample", action="store_true", help="a sample of what takes long: tests/support/sample.py"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is slow, if a sample is wanted."""
    for item in items:
        if config.getoption("sample") and item.get_closest_marker(SLOW):
            item.add_marker(pytest.mark.skip(reason="it is slow: make test-all"))


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what lives as long as the tests: it is a sixth of their time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end how many faults were tried and survived, and what a sample leaves out."""
    stats = terminalreporter.stats.values()
    reports = [report for kind in stats for report in kind if isinstance(report, pytest.TestReport)]
    for line in summary(reports, is_sample=config.getoption("sample")):
        terminalreporter.write_line(line)
