"""Fixtures that every kind of test uses."""

import os
from collections.abc import Callable, Iterator
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

from execution_plane.ledger.table import Ledger  # noqa: E402
from execution_plane.settings import Match  # noqa: E402
from local.aws import create_table, read_template  # noqa: E402
from tests.support.aws import aws_in_memory  # noqa: E402
from tests.support.world import Plane, World  # noqa: E402

TEMPLATE = read_template()
FAULTS_COUNTED = ("faults tried", "faults survived")
"""What the tests of a fault matrix record."""


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    with patch.dict(os.environ, ENVIRONMENT):
        yield


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS in memory, by moto."""
    with aws_in_memory():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb")


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
            Ledger(dynamodb, table),
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end how many faults were tried and survived."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    noted = [dict(report.user_properties) for report in reports if report.when == "call"]
    tried, survived = (sum(each.get(name, 0) for each in noted) for name in FAULTS_COUNTED)
    if tried:
        terminalreporter.write_line(f"fault matrix: {tried} faults tried, {survived} survived")
