"""An execution plane on a laptop: the stack's resources in a local AWS, and its two functions."""

from functools import partial
from pathlib import Path
from typing import Any

from local.aws import POLLER, QUEUE, SECRET, TABLE, TIMERS, WORKER, create_queue, create_secret, create_table
from local.aws_server import ACCOUNT, AwsServer
from local.containers import LocalContainers
from local.example import LOCATION
from local.function_process import FunctionProcess
from local.keptn.server import KeptnServer
from local.lambda_endpoint import LambdaEndpoint
from local.operating import LogShipper, profile, publish
from local.schedule import Timers
from local.stack import Stack

ROLES = ("Poller", "Worker", "Lifecycle")


def plane_name(location: str) -> str:
    """The stack's name."""
    return f"keptn-{location.lower()}"


def worker_name(location: str) -> str:
    """The worker's name."""
    return f"{plane_name(location)}-{WORKER}"


class Plane:
    """One deployment, in an AWS region of its own, which takes the tasks of one location."""

    def __init__(
        self,
        location: str,
        region: str,
        *,
        keptn: KeptnServer,
        aws: AwsServer,
        functions: LambdaEndpoint,
        containers: LocalContainers,
        logs: Path,
    ) -> None:
        """Deploy it; `logs` is the directory for what its functions print."""
        name = plane_name(location)
        self.location = location
        self.name = name
        """Of its stack, and of the profile by which it is operated."""
        self._region, self._aws_url = region, aws.url
        ecs = containers.endpoints["AWS_ENDPOINT_URL_ECS"]
        self._services = {"lambda": functions.url, "ecs": ecs}
        self.source = f"keptn-lambda-executor/{ACCOUNT}/{region}/{name}"
        """Of the replies that it sends."""
        self._dynamodb = aws.client("dynamodb", region)
        self._table = f"{name}-{TABLE}"
        create_table(self._dynamodb, self._table)
        groups = {f"{role}LogGroup": f"/aws/lambda/{name}/{role.lower()}" for role in ROLES}
        sqs = aws.client("sqs", region)
        timers = create_queue(sqs, f"{name}-{TIMERS}")
        self.timers = Timers(sqs, timers, f"{name}-{POLLER}")
        stack = Stack(
            name,
            region,
            ACCOUNT,
            parameters={
                "KeptnApiUrl": keptn.url,
                "MatchProperty": LOCATION,
                "MatchValue": location,
                "PollIntervalSeconds": "2",
            },
            resources={
                TABLE: self._table,
                SECRET: create_secret(aws.client("secretsmanager", region), keptn.token, f"{name}-{SECRET}"),
                QUEUE: create_queue(sqs, f"{name}-{QUEUE}"),
                TIMERS: timers,
                POLLER: f"{name}-{POLLER}",
                WORKER: worker_name(location),
                "WorkerRole": f"{name}-WorkerRole",
                "Schedule": f"{name}-Schedule",
                **groups,
            },
        )
        publish(partial(aws.client, region=region), name, {**stack.outputs(), **containers.outputs})
        endpoints = {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ENDPOINT_URL_LAMBDA": functions.url,
            **containers.endpoints,
        }
        self.poller = FunctionProcess(stack.function(POLLER, **endpoints), logs / f"{name}-poller.log")
        self.worker = FunctionProcess(
            stack.function(WORKER, **endpoints, **containers.variables), logs / f"{name}-worker.log"
        )
        logs_client = aws.client("logs", region)
        self._shippers = [
            LogShipper(logs_client, groups[f"{role}LogGroup"], function.log)
            for role, function in (("Poller", self.poller), ("Worker", self.worker))
        ]
        functions.add(self.poller)
        functions.add(self.worker, deliveries=2)  # it must bear that

    def profile(self) -> str:
        """The profile of the AWS configuration by which it is operated."""
        return profile(self.name, self._region, self._aws_url, self._services)

    def runs(self) -> dict[str, str]:
        """The state of every run in its ledger, by the event's id."""
        return {task: state for task, (state, _) in self.claims().items()}

    def claims(self) -> dict[str, tuple[str, float]]:
        """As `runs`, with when each was claimed."""
        items: list[dict[str, Any]] = self._dynamodb.scan(TableName=self._table, ConsistentRead=True)["Items"]
        return {
            item["event_id"]["S"]: (item["state"]["S"], float(item["claimed_at"]["N"]))
            for item in items
            if "state" in item  # not notes
        }

    def close(self) -> None:
        """End its functions."""
        for function in (self.poller, self.worker):
            function.close()
        for shipper in self._shippers:
            shipper.close()
