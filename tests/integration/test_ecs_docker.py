"""The local ECS with real containers; skipped where no Docker answers or the image is missing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest

from execution_plane.keptn.events import EventRef
from execution_plane.settings import ContainerSettings
from jobs.environment import Environment
from jobs.model import Task
from local.ecs.docker_engine import LABEL, DockerEngine
from runners.containers.fargate import Size
from runners.containers.secrets import References
from runners.containers.spec import container_spec
from tests.support.job_configs import ENVIRON
from tests.unit.local_ecs.harness import CLUSTER, GROUP, Harness, harness, shell

REF = EventRef("event", "sh.keptn.event.load.triggered", "context", "podtato", "dev", "head")

pytestmark = pytest.mark.slow


@pytest.fixture
def ecs(aws: None, docker_image: str) -> Iterator[Harness]:
    with harness(DockerEngine()) as running:
        yield running


def test_entry_point_command_directory_and_environment_are_the_containers(ecs: Harness) -> None:
    container = shell(
        "main",
        'pwd; echo "$GREETING, $0"; id -u; ls -d /.dockerenv',
        workingDirectory="/tmp",
        user="1000",
        environment=[{"name": "GREETING", "value": "hello"}],
    )
    container["command"].append("world")

    arn = ecs.run(ecs.register(container))["taskArn"]

    assert ecs.end()["containers"][0]["exitCode"] == 0
    assert ecs.logs("main", arn) == ["/tmp", "hello, world", "1000", "/.dockerenv"]


def test_an_init_container_fills_the_volume_that_the_other_reads(ecs: Harness) -> None:
    mounts = [{"sourceVolume": "keptn", "containerPath": "/keptn"}]
    init = shell("init", "echo hello > /keptn/greeting", essential=False, mountPoints=mounts)
    after = [{"containerName": "init", "condition": "SUCCESS"}]
    main = shell("main", "cat /keptn/greeting", mountPoints=mounts, dependsOn=after)

    arn = ecs.run(ecs.register(main, init, volumes=[{"name": "keptn"}]))["taskArn"]

    assert {each["name"]: each["exitCode"] for each in ecs.end()["containers"]} == {"main": 0, "init": 0}
    assert ecs.logs("main", arn) == ["hello"]


def test_a_read_only_root_can_not_be_written(ecs: Harness) -> None:
    arn = ecs.run(ecs.register(shell("main", "echo x > /tmp/x", readonlyRootFilesystem=True)))["taskArn"]

    assert ecs.end()["containers"][0]["exitCode"] == 1
    assert "Read-only file system" in ecs.logs("main", arn)[0]


def test_a_restricted_container_is_not_root_and_writes_to_its_folder_alone(
    ecs: Harness, init_image: str
) -> None:
    settings = ContainerSettings.from_environment(
        {
            **ENVIRON,
            "CONTAINER_INIT_IMAGE": init_image,
            "CONTAINER_SECURITY": "restricted",
        }
    )
    settings = replace(settings, log_group=GROUP)
    prints = "id -u; id -g; grep CapEff /proc/self/status; echo hello > /keptn/a && cat /keptn/a; echo > /b"
    script = f"exec 2>&1; {prints}"  # Docker may mix up the order of two streams
    task = Task(0, image="alpine", cmd=("sh", "-c"), args=(script,))
    variables = Environment({}, allow_secret_references=False)
    spec = container_spec(
        task,
        Size(256, 512),
        variables,
        References(),
        settings,
        region="us-east-1",
        ref=REF,
        archive=None,
        role=None,
    )

    family = ecs.client.register_task_definition(**spec.definition)["taskDefinition"]["family"]
    arn = ecs.run(family, overrides=spec.overrides)["taskArn"]

    assert {each["name"]: each["exitCode"] for each in ecs.end()["containers"]} == {"task": 1, "files": 0}
    *can, can_not = ecs.logs("task", arn)
    assert can == ["1000", "2000", "CapEff:\t0000000000000000", "hello"]
    assert "Read-only file system" in can_not


def test_an_image_that_can_not_be_pulled_fails_the_task_with_ecss_reason(ecs: Harness) -> None:
    ecs.run(ecs.register({"name": "main", "image": "127.0.0.1:1/none:1", "command": ["true"]}))

    end = ecs.end()

    assert end["stopCode"] == "TaskFailedToStart"
    assert end["stoppedReason"].startswith("CannotPullContainerError: ")
    assert end["containers"][0]["reason"] == end["stoppedReason"]


def test_a_program_that_is_not_in_the_image_fails_the_task_with_ecss_reason(
    ecs: Harness, docker_image: str
) -> None:
    ecs.run(ecs.register({"name": "main", "image": docker_image, "entryPoint": ["/no/such/program"]}))

    end = ecs.end()

    assert end["stopCode"] == "TaskFailedToStart"
    assert end["stoppedReason"].startswith("CannotStartContainerError: ")


def test_too_much_memory_kills_the_container(ecs: Harness) -> None:
    ecs.run(ecs.register(shell("main", "tail /dev/zero")))

    container = ecs.end()["containers"][0]

    assert (container["exitCode"], container["reason"][:16]) == (137, "OutOfMemoryError")


def test_a_stopped_task_leaves_nothing_behind(ecs: Harness) -> None:
    arn = ecs.run(ecs.register(shell("main", "trap 'exit 7' TERM; while :; do sleep 0.1; done")))["taskArn"]
    while ecs.shown(arn)["lastStatus"] != "RUNNING":
        pass
    assert labelled(arn) == 1

    ecs.client.stop_task(cluster=CLUSTER, task=arn)

    assert ecs.end()["stopCode"] == "UserInitiated"
    assert labelled(arn) == 0


def labelled(arn: str) -> int:
    """How many containers and volumes Docker has for a task."""
    client: Any = docker.from_env()
    try:
        filters = {"label": f"{LABEL}={arn.rpartition('/')[2]}"}
        return len(client.containers.list(all=True, filters=filters)) + len(
            client.volumes.list(filters=filters)
        )
    finally:
        client.close()
