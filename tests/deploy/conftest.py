"""An AWS account on this machine, a Keptn beside it, and the application, built once by the SAM CLI."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.emulator import Emulator
from tests.deploy.planes import serving
from tests.deploy.sam_cli import SamCli
from tests.support.application import ROOT, copy_application, this_architecture

SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata:
  name: shipyard
spec:
  stages:
    - name: dev
      sequences:
        - name: sequence1
          tasks:
            - name: sayhello
        - name: holding
          tasks:
            - name: hold
"""
JOB_CONFIG = """\
apiVersion: v2
actions:
  - name: Say hello
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks: [{name: Say hello, function: say_hello}]
  - name: Hold
    events: [{name: sh.keptn.event.hold.triggered}]
    tasks: [{name: Hold, function: hold}]
"""
HOLD = '''\
"""A task that ends when it is let go: once there is a file of the name that its event has."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks import Progress, TaskOutcome


def hold(data: Mapping[str, Any], progress: Progress) -> TaskOutcome:
    while not Path(data["hold"]["until"]).exists():
        time.sleep(0.1)
    return TaskOutcome("pass", "let go")
'''


def pytest_configure() -> None:
    """Say at once what is missing: tests that were all skipped would look as if they had passed."""
    if reason := what_is_missing():
        raise pytest.UsageError(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give processes more time than functions have."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(300))


def what_is_missing() -> str | None:
    """Why nothing can be deployed on this machine, if so."""
    if not python().exists():
        return "there is no Python 3.13, on which the functions run: install it, and `make test-deploy`"
    if not (ROOT / ".venv-sam" / "bin" / "sam").exists():
        return "there is no .venv-sam: run `make test-deploy`"
    return None


def python() -> Path:
    """The Python that has MiniStack."""
    return ROOT / ".venv-ministack" / "bin" / "python"


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(python(), tmp_path_factory.mktemp("aws"), enforces_iam=True) as running:
        yield running


@pytest.fixture(scope="session")
def application(aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the built application."""
    directory = copy_application(tmp_path_factory.mktemp("application"), {"hold": HOLD})
    sam = SamCli(ROOT / ".venv-sam" / "bin" / "sam", directory, aws)
    sam("build", "--parameter-overrides", f"Architecture={this_architecture()}")
    return directory


@pytest.fixture(scope="session")
def sam(application: Path, aws: Emulator) -> SamCli:
    return SamCli(ROOT / ".venv-sam" / "bin" / "sam", application, aws)


@pytest.fixture(scope="module")
def keptn() -> Iterator[KeptnServer]:
    """A control plane with a project that says hello and holds."""
    with serving(SHIPYARD, JOB_CONFIG) as running:
        yield running


@pytest.fixture
def let_go(tmp_path: Path) -> Path:
    """The file for which a holding task waits."""
    return tmp_path / "let-go"
