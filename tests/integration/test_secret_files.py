"""A secret's files, from the secret to the container, by the program of the container that writes them."""

import json
import os
import queue
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from execution_plane.keptn.events import EventRef
from execution_plane.settings import ContainerSettings
from jobs.environment import environment
from jobs.model import SecretFiles, SecurityContext, Task
from local.containers import CLUSTER, LOG_GROUP, LocalContainers
from local.ecs.docker_engine import DockerEngine
from local.ecs.engine import Engine
from local.ecs.host_engine import HostEngine
from runners.containers.fargate import Size
from runners.containers.secrets import references
from runners.containers.spec import container_spec
from runners.containers.unpack import WRITE_SECRETS
from runners.task_secrets import TaskSecrets
from tests.support.job_configs import ENVIRON
from tests.unit.local_ecs.harness import NETWORK, WAIT_SECONDS

CONTENT = {"key.pem": "-----BEGIN\n\u00e9\n", "empty": ""}
REF = EventRef("event", "sh.keptn.event.load.triggered", "context", "p", "s", "v")


def run(aws_url: str, engine: Engine, task: Task, init_image: str = "init") -> list[str]:
    """What the task prints, whose definition is the worker's own."""

    def client(service: str) -> Any:
        return boto3.client(service, region_name="us-east-1", endpoint_url=aws_url)  # type: ignore[call-overload]

    client("secretsmanager").create_secret(Name="keptn/tls", SecretString=json.dumps(CONTENT))
    found = {"tls": TaskSecrets("secretsmanager", "keptn/", client).find("tls")}
    made = environment(task, {}, lambda name: found[name].values, allow_secret_references=False)
    environ = {**ENVIRON, "CONTAINER_INIT_IMAGE": init_image}
    spec = container_spec(
        task,
        Size(256, 512),
        made,
        references(task, made, found, found.__getitem__),
        ContainerSettings.from_environment(environ),
        region="us-east-1",
        ref=REF,
        archive=None,
        role=None,
    )
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    with LocalContainers(engine, client, events.put, aws_url=aws_url, bucket="files") as containers:
        endpoint = containers.endpoints["AWS_ENDPOINT_URL_ECS"]
        ecs = boto3.client("ecs", region_name="us-east-1", endpoint_url=endpoint)
        ecs.register_task_definition(**spec.definition)
        network: Any = NETWORK
        overrides: Any = spec.overrides
        ecs.run_task(
            cluster=CLUSTER, taskDefinition=spec.family, networkConfiguration=network, overrides=overrides
        )
        end = events.get(timeout=WAIT_SECONDS)["detail"]
    assert {each["name"]: each.get("exitCode") for each in end["containers"]} == {"files": 0, "task": 0}, end
    stream = f"keptn/task/{end['taskArn'].rpartition('/')[2]}"
    lines = client("logs").get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)["events"]
    return [line["message"] for line in lines]


def shell(script: str, image: str = "alpine", **fields: Any) -> Task:
    files = (SecretFiles("tls", "/etc/tls"),)
    return Task(0, name="Read", image=image, cmd=("sh", "-c", script), secret_files=files, **fields)


def test_each_key_is_a_file_before_the_task_begins(aws_url: str) -> None:
    lines = run(aws_url, HostEngine(), shell("cat /etc/tls/key.pem; wc -c < /etc/tls/empty | tr -d ' '"))

    assert lines == [*CONTENT["key.pem"].splitlines(), "0"]


def test_the_tasks_user_alone_reads_the_files_and_nobody_writes_them(
    aws_url: str, docker_image: str, init_image: str
) -> None:
    task = shell(
        "cd /etc/tls; ls -ln key.pem | cut -c 1-10; id -u; head -n 1 key.pem; touch x 2>&1; env",
        security_context=SecurityContext(run_as_user=1000),
        image=docker_image,
    )

    mode, user, first, refusal, *variables = run(aws_url, DockerEngine(), task, init_image)

    assert (mode, user, first) == ("-r--------", "1000", "-----BEGIN")
    assert "Read-only file system" in refusal
    assert not any("BEGIN" in each or each.startswith("SECRET") for each in variables)


@pytest.mark.parametrize(("owner", "modes"), [("", (0o444, 0o555)), (f"{os.geteuid()}", (0o400, 0o500))])
def test_only_a_user_who_is_known_has_the_files_for_himself(
    tmp_path: Path, owner: str, modes: tuple[int, int]
) -> None:
    layout = json.dumps({str(tmp_path): {"token": "SECRET_0_0"}})

    subprocess.run(
        [sys.executable, "-c", WRITE_SECRETS, layout, owner],
        env={"SECRET_0_0": "s3cr3t"},
        check=True,
    )

    assert tuple(stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "token", tmp_path)) == modes
    assert (tmp_path / "token").read_text() == "s3cr3t"
