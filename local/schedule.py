"""EventBridge Scheduler on a laptop: invokes functions at a fixed rate."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from local.aws_server import local_client

TICK = json.loads((Path(__file__).parent.parent / "events" / "tick.json").read_text())


class Schedule:
    """A context manager: ticks while inside, at once and then every `period` seconds."""

    def __init__(self, lambda_url: str, functions: Sequence[str], period: float) -> None:
        self._client = local_client("lambda", lambda_url, "us-east-1")
        self._functions = functions
        self._period = period
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="schedule", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _tick(self) -> None:
        payload = json.dumps(TICK).encode()
        while not self._stopping.is_set():
            for function in self._functions:
                self._client.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
            self._stopping.wait(self._period)
