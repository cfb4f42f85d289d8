"""Tasks with an image, which the deployed worker has run in real containers; skipped where no Docker answers.

Without IAM, for the emulator does not know `ecs:cluster`, the condition of `ecs:RunTask`. It ignores a
container's entry point, so the tasks have `args` and no `cmd`; and it tells nobody of a container's end, so
the poller sees it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.example import EVENT_TYPE, SEQUENCE, SHIPYARD
from local.job_demo import IMAGE
from local.keptn.server import KeptnServer
from tests.deploy.conftest import python
from tests.deploy.emulator import Emulator
from tests.deploy.planes import Sequence, deploy, parameters, serving
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.application import this_architecture
from tests.support.docker_images import known

JOB_CONFIG = f"""\
apiVersion: v2
actions:
  - name: Load
    events: [{{name: {EVENT_TYPE}}}]
    tasks:
      - name: Load
        image: {IMAGE}
        args: [sh, -c, 'echo "$GREETING from $(ls -d /.dockerenv)"; exit "$CODE"']
        env:
          - {{name: GREETING, value: $.data.sayhello.greeting, valueFrom: event}}
          - {{name: CODE, value: $.data.sayhello.code, valueFrom: event}}
"""


@pytest.fixture(scope="module")
def keptn() -> Iterator[KeptnServer]:
    """A control plane with a project whose job config has a container."""
    with serving(SHIPYARD, JOB_CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def stack(
    application: Path, sam: SamCli, keptn: KeptnServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    known(IMAGE)
    with Emulator(python(), tmp_path_factory.mktemp("aws-without-iam"), has_docker=True) as aws:
        given = parameters(
            keptn,
            EventTypes=EVENT_TYPE,
            Containers="enabled",
            ContainerSubnetIds="subnet-0a1b2c3d",
            ContainerArchitecture={"x86_64": "X86_64", "arm64": "ARM64"}[this_architecture()],
        )
        made = deploy(SamCli(sam.command, application, aws), "containers", "us-east-2", given, keptn.token)
        made.tick()
        yield made
        aws.forget()


@pytest.mark.parametrize(
    ("code", "result", "said"),
    [("0", "pass", "hello from /.dockerenv"), ("3", "fail", "ended with exit code 3")],
)
def test_a_task_comes_to_the_end_of_its_container(
    stack: Stack, keptn: KeptnServer, code: str, result: str, said: str
) -> None:
    sequence = Sequence(keptn, SEQUENCE, {"sayhello": {"greeting": "hello", "code": code}})

    assert sequence.comes_to(1, 1)

    (finished,) = sequence.events("finished")
    assert finished["data"]["result"] == result
    assert said in finished["data"]["message"]
