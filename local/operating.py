"""What `./plane` finds of a plane on a laptop: its stack's outputs, its schedule, its functions' logs."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from local.aws_server import ACCOUNT

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

PERIOD: Final = 0.5  # seconds between two looks at what a function has printed
STREAM: Final = "all"
CREDENTIALS: Final = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


def publish(
    client: Callable[[str], Any],
    name: str,
    outputs: Mapping[str, str],
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Let the local AWS tell of a stack: its parameters, outputs, schedule and log groups."""
    groups = {
        output.removesuffix("Name"): {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": value}}
        for output, value in outputs.items()
        if output.endswith("LogGroupName") and output != "ContainerLogGroupName"  # containers bring their own
    }
    target = {"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{outputs['PollerFunctionName']}"}
    client("scheduler").create_schedule(
        Name=outputs["ScheduleName"],
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**target, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/schedule"},
    )
    template = {
        "Parameters": {key: {"Type": "String", "Default": value} for key, value in parameters.items()},
        "Resources": groups,
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def profile(name: str, region: str, url: str, services: Mapping[str, str]) -> str:
    """A profile of the AWS configuration: everything is at `url`, but for what `services` has the URLs of."""
    values = {"region": region, "endpoint_url": url, "services": name, **CREDENTIALS}
    lines = [f"[profile {name}]", *(f"{key} = {value}" for key, value in values.items())]
    lines.append(f"[services {name}]")
    for service, at in services.items():
        lines += [f"{service} =", f"  endpoint_url = {at}"]
    return "\n".join(lines) + "\n"


class LogShipper:
    """Sends what a function prints to its log group, as Lambda does."""

    def __init__(self, client: "CloudWatchLogsClient", group: str, log: Path) -> None:
        self._client = client
        self._group = group
        self._log = log
        self._read = 0
        self._stopping = threading.Event()
        client.create_log_stream(logGroupName=group, logStreamName=STREAM)
        self._thread = threading.Thread(target=self._ship_all, name="logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._stopping.set()
        self._thread.join()

    def _ship_all(self) -> None:
        while not self._stopping.wait(PERIOD):
            self._ship()

    def _ship(self) -> None:
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole + newline)
        lines = [line.decode(errors="replace") for line in whole.splitlines() if line]
        events: list[Any] = [{"timestamp": _milliseconds(line), "message": line} for line in lines]
        events.sort(key=lambda event: int(event["timestamp"]))  # threads may have logged side by side
        if events:
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=STREAM, logEvents=events[-10_000:]
            )


def _milliseconds(line: str) -> int:
    """When a line was logged: as it says itself, else now."""
    try:
        return int(datetime.fromisoformat(json.loads(line)["timestamp"].replace(",", ".")).timestamp() * 1000)
    except (ValueError, TypeError, KeyError, AttributeError):
        return int(time.time() * 1000)
