"""The application as `sam build` makes it, once for all tests here, with one more task in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]

from local.stand_ins import StandIns
from tests.sam.cli import REGION, Sam, environment
from tests.support.application import copy_application, this_architecture

ROOT = Path(__file__).parents[2]
WAIT = '''\
"""A task that waits until it is stopped."""

import time
from collections.abc import Mapping
from typing import Any

from tasks import Progress, TaskOutcome


def wait(data: Mapping[str, Any], progress: Progress) -> TaskOutcome:
    progress.report("Waiting")
    time.sleep(3600)
    return TaskOutcome("pass", "nobody stopped it")
'''


@pytest.fixture(scope="session")
def command() -> str:
    """The SAM CLI: what SAM names, the one that `make` installs, or the one on the path."""
    installed = ROOT / ".venv-sam" / "bin" / "sam"
    found = os.environ.get("SAM") or (str(installed) if installed.exists() else shutil.which("sam"))
    if not found:
        pytest.skip("there is no SAM CLI: run `make test-sam`, install it, or name it in SAM")
    return found


@pytest.fixture(scope="session")
def architecture(command: str) -> str:
    """This machine's, since containers of another run slowly or not at all."""
    try:
        docker.from_env().ping()
    except DockerException as problem:
        pytest.skip(f"no Docker answers: {problem}")
    return this_architecture()


@pytest.fixture(scope="session")
def template(command: str, architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the application, with a task that takes longer than any test; gives the built template."""
    application = copy_application(tmp_path_factory.mktemp("application"), {"wait": WAIT})
    done = subprocess.run(
        [command, "build", "--region", REGION, "--parameter-overrides", f"Architecture={architecture}"],
        cwd=application,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return application / ".aws-sam" / "build" / "template.yaml"


@pytest.fixture
def stand_ins(architecture: str) -> Iterator[StandIns]:
    """Keptn and AWS, where containers reach them."""
    with StandIns() as running:
        yield running


@pytest.fixture
def sam(command: str, template: Path, architecture: str, stand_ins: StandIns, tmp_path: Path) -> Sam:
    """The SAM CLI with the built application."""
    return Sam(command, template, tmp_path, stand_ins, architecture, pull_options(architecture))


def pull_options(architecture: str) -> tuple[str, ...]:
    """Pull the runtime's image only if there is none."""
    try:
        docker.from_env().images.get(f"public.ecr.aws/lambda/python:3.13-{architecture}")
    except ImageNotFound:
        return ()
    return ("--skip-pull-image",)
