"""A cluster over HTTP with moto's AWS behind it, and the client that the worker would have."""

import queue
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import boto3

from local.ecs.cluster import Ecs
from local.ecs.engine import Engine
from local.ecs.server import EcsServer

CLUSTER = "ContainerCluster"
GROUP = "containers"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}
WAIT_SECONDS = 60
ROLE = "arn:aws:iam::123456789012:role/execution"


def client(service: str) -> Any:
    """A client of moto's AWS."""
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


class Harness:
    """What tests do with ECS."""

    def __init__(self, ecs: Ecs, url: str, events: "queue.Queue[dict[str, Any]]") -> None:
        self.ecs = ecs
        self.client: Any = boto3.client("ecs", region_name="us-east-1", endpoint_url=url)
        self._events = events

    def register(self, *containers: Mapping[str, Any], **more: Any) -> str:
        """Register a definition of containers that log; gives its ARN."""
        logs = {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": GROUP,
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "keptn",
            },
        }
        request: dict[str, Any] = {
            "family": "keptn",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": ROLE,
            "containerDefinitions": [{"logConfiguration": logs, **container} for container in containers],
            **more,
        }
        arn: str = self.client.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
        return arn

    def run(self, definition: str, **more: Any) -> dict[str, Any]:
        """Run a task; gives what RunTask says of it."""
        answer = self.client.run_task(
            cluster=CLUSTER, taskDefinition=definition, networkConfiguration=NETWORK, **more
        )
        assert answer["failures"] == []
        task: dict[str, Any] = answer["tasks"][0]
        return task

    def shown(self, arn: str) -> dict[str, Any]:
        """The task as DescribeTasks shows it."""
        (task,) = self.client.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
        found: dict[str, Any] = task
        return found

    def end(self) -> dict[str, Any]:
        """Wait for the next event of a task's end; gives its `detail`."""
        detail: dict[str, Any] = self.event()["detail"]
        return detail

    def event(self) -> dict[str, Any]:
        """Wait for the next event of a task's end."""
        return self._events.get(timeout=WAIT_SECONDS)

    def logs(self, container: str, arn: str) -> list[str]:
        """The lines of a container's log stream."""
        answer = client("logs").get_log_events(
            logGroupName=GROUP,
            logStreamName=f"keptn/{container}/{arn.rpartition('/')[2]}",
            startFromHead=True,
        )
        return [event["message"] for event in answer["events"]]


@contextmanager
def harness(engine: Engine) -> Iterator[Harness]:
    """A cluster with a log group."""
    client("logs").create_log_group(logGroupName=GROUP)
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    ecs = Ecs(engine, client, events.put, cluster=CLUSTER)
    with closing(engine), EcsServer(ecs) as server:
        yield Harness(ecs, server.url, events)


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    """A container that runs a shell script."""
    return {"name": name, "image": "alpine", "entryPoint": ["sh", "-c"], "command": [script], **more}
