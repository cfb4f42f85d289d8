"""Writes what a container prints to CloudWatch Logs, as the awslogs driver does."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from execution_plane.clock import Clock
from local.ecs.engine import StartFailed

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

# CloudWatch Logs API reference, PutLogEvents; the driver breaks a line where an event ends.
EVENT_OVERHEAD = 26  # bytes
LONGEST_EVENT = 262_144 - EVENT_OVERHEAD  # bytes
LONGEST_BATCH = 1_048_576  # bytes
MOST_EVENTS = 10_000


class LogStream:
    """The stream of one container: `PREFIX/CONTAINER/TASK` in the group that its definition names."""

    def __init__(
        self,
        client: "CloudWatchLogsClient",
        options: Mapping[str, str],
        container: str,
        task_id: str,
        clock: Clock,
    ) -> None:
        """Create the stream. Raises StartFailed."""
        self._client = client
        self._group = options["awslogs-group"]
        self._stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container}/{task_id}"
        self._clock = clock
        try:
            client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except ClientError as problem:
            error = problem.response["Error"]
            raise StartFailed(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried "
                f"1 times: failed to create Cloudwatch log stream: {error['Code']}: {error['Message']}"
            ) from None

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write lines until there are no more, with what comes together in one request."""
        rest = b""
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            self._put(lines)
        self._put([rest] if rest else [])

    def _put(self, lines: Iterable[bytes]) -> None:
        batch: list[Any] = []
        size = 0
        for message in _messages(lines):
            length = len(message.encode()) + EVENT_OVERHEAD
            if batch and (size + length > LONGEST_BATCH or len(batch) == MOST_EVENTS):
                self._send(batch)
                batch, size = [], 0
            batch.append({"timestamp": int(self._clock.now() * 1000), "message": message})
            size += length
        if batch:
            self._send(batch)

    def _send(self, batch: list[Any]) -> None:
        self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=batch)


def _messages(lines: Iterable[bytes]) -> Iterator[str]:
    """The lines as events; an empty one is none, and what is no UTF-8 is replaced."""
    for line in lines:
        for start in range(0, len(line), LONGEST_EVENT // 3):  # replaced, a byte may become three
            yield line[start : start + LONGEST_EVENT // 3].decode("utf-8", "replace")
