"""EventBridge Scheduler on a laptop, and Lambda's mapping from the queue of its ticks and of timers."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local.aws_server import local_client

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

TICK = (Path(__file__).parent.parent / "events" / "tick.json").read_text()
GLANCE = 0.1  # seconds between two looks into an empty queue


@dataclass(frozen=True)
class Timers:
    """The queue of one plane's ticks and timers, and the poller that it leads to."""

    sqs: "SQSClient"
    url: str
    poller: str


class Schedule:
    """A context manager: ticks while inside, at once and then every `period` seconds, and delivers timers."""

    def __init__(self, lambda_url: str, planes: Sequence[Timers], period: float) -> None:
        self._client = local_client("lambda", lambda_url, "us-east-1")
        self._planes = planes
        self._period = period
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._tick, name="schedule", daemon=True)]
        self._threads += [
            threading.Thread(target=self._deliver, args=(plane,), name="mapping", daemon=True)
            for plane in planes
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _tick(self) -> None:
        while not self._stopping.is_set():
            for plane in self._planes:
                plane.sqs.send_message(QueueUrl=plane.url, MessageBody=TICK)
            self._stopping.wait(self._period)

    def _deliver(self, plane: Timers) -> None:
        """One message at a time, as a function's process serves them here."""
        while not self._stopping.is_set():
            received = plane.sqs.receive_message(QueueUrl=plane.url, AttributeNames=["All"])
            for message in received.get("Messages", ()):
                self._client.invoke(FunctionName=plane.poller, Payload=json.dumps(_event(message)).encode())
                plane.sqs.delete_message(QueueUrl=plane.url, ReceiptHandle=message["ReceiptHandle"])
            self._stopping.wait(0 if "Messages" in received else GLANCE)


def _event(message: Any) -> dict[str, Any]:
    """What the mapping invokes a function with, as far as the poller reads it."""
    return {"Records": [{"body": message["Body"], "attributes": message["Attributes"]}]}
