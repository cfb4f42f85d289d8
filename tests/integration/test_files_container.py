"""A task's files, from the bucket to its container, by the program of the container that brings them."""

import queue
from typing import Any

import boto3

from local.containers import CLUSTER, LOG_GROUP, LocalContainers
from local.ecs.host_engine import HostEngine
from runners.containers.files import archive
from runners.containers.unpack import UNPACK
from tests.unit.local_ecs.harness import NETWORK, ROLE, WAIT_SECONDS

BUCKET = "files"


def test_files_of_any_bytes_are_below_keptn_before_the_task_begins(aws_url: str) -> None:
    def client(service: str) -> Any:
        return boto3.client(service, region_name="us-east-1", endpoint_url=aws_url)  # type: ignore[call-overload]

    events: queue.Queue[dict[str, Any]] = queue.Queue()
    with LocalContainers(HostEngine(), client, events.put, aws_url=aws_url, bucket=BUCKET) as containers:
        content = archive({"greeting": b"hello\n", "deep/er/bytes": bytes(range(256))})
        client("s3").put_object(Bucket=BUCKET, Key="key", Body=content)
        endpoint = containers.endpoints["AWS_ENDPOINT_URL_ECS"]
        ecs = boto3.client("ecs", region_name="us-east-1", endpoint_url=endpoint)
        family = ecs.register_task_definition(**definition())["taskDefinition"]["family"]
        ecs.run_task(cluster=CLUSTER, taskDefinition=family, networkConfiguration=NETWORK)  # type: ignore[arg-type]
        end = events.get(timeout=WAIT_SECONDS)["detail"]

    assert {each["name"]: each.get("exitCode") for each in end["containers"]} == {"files": 0, "task": 0}
    stream = f"keptn/task/{end['taskArn'].rpartition('/')[2]}"
    lines = client("logs").get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)["events"]
    assert [line["message"] for line in lines] == ["hello", "256"]


def definition() -> Any:
    """A definition as the worker registers it."""
    common = {
        "mountPoints": [{"sourceVolume": "keptn", "containerPath": "/keptn"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": LOG_GROUP,
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "keptn",
            },
        },
    }
    files = {
        "name": "files",
        "image": "init",
        "essential": False,
        "entryPoint": ["python3", "-c", UNPACK],
        "command": [BUCKET, "key", "/keptn"],
    }
    task = {
        "name": "task",
        "image": "alpine",
        "entryPoint": ["sh", "-c", "cat /keptn/greeting; wc -c < /keptn/deep/er/bytes | tr -d ' '"],
        "dependsOn": [{"containerName": "files", "condition": "SUCCESS"}],
    }
    return {
        "family": "keptn",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "volumes": [{"name": "keptn"}],
        "containerDefinitions": [{**common, **task}, {**common, **files}],
    }
