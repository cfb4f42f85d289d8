"""What a container wrote, from CloudWatch Logs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.telemetry import logger
from runners.task_secrets import masked, masked_data

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

OUTCOME: Final = "keptn-outcome:"
MOST_READ: Final = 64 * 1024 * 1024  # bytes from the end of a log; CloudWatch gives 1 MiB at once


class LogsUnreadable(Exception):
    """CloudWatch Logs does not say what a container wrote."""


@dataclass
class Written:
    """A container's log: its end, how long it was altogether, and the data in it for the finished event."""

    text: str = ""
    notice: str = ""
    """What of the log the text does not have, and where that is."""
    total: int = 0
    """Bytes that were read of it, without the lines that hold data."""
    is_whole: bool = True
    """Whether `total` is all there is."""
    data: dict[str, Any] = field(default_factory=dict)


def read_log(
    client: "CloudWatchLogsClient", group: str, stream: str, longest: int, secrets: Mapping[str, str]
) -> Written:
    """Read a log from its end; the text is a little more than the last `longest` bytes.

    The values of `secrets` are masked in all of it. A log that was never begun is empty.

    Raises LogsUnreadable.
    """
    written = Written()
    kept: list[str] = []
    parameters: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": False}
    token = ""
    while True:
        try:
            page = client.get_log_events(**parameters)
        except client.exceptions.ResourceNotFoundException:
            break
        except (ClientError, BotoCoreError) as problem:
            raise LogsUnreadable(f"CloudWatch Logs: {problem}") from problem
        for event in reversed(page["events"]):
            _take(event.get("message", ""), written, kept, longest, secrets)
        # The same token again says that there is no more; a page without events does not.
        if page["nextBackwardToken"] == token:
            break
        if written.total >= MOST_READ:
            written.is_whole = False
            break
        token = parameters["nextToken"] = page["nextBackwardToken"]
    written.text = "\n".join(reversed(kept))
    return written


def _take(message: str, written: Written, kept: list[str], longest: int, secrets: Mapping[str, str]) -> None:
    line = message.encode("utf-8", "replace").decode().rstrip("\r\n")
    if line.startswith(OUTCOME):
        data = _data(line.removeprefix(OUTCOME), secrets)
        if data is not None:
            written.data = {**data, **written.data}  # read from the end: what is there already came later
            return
    if written.total <= longest:
        kept.append(masked(line, secrets))
    written.total += len(line.encode()) + 1


def _data(text: str, secrets: Mapping[str, str]) -> Mapping[str, Any] | None:
    try:
        data = masked_data(json.loads(text, parse_constant=_refuse), secrets)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        return data
    logger.warning("a line that begins with %s holds no JSON object", OUTCOME)
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def joined(parts: Iterable[str]) -> str:
    """Paragraphs of those parts that say something."""
    return "\n\n".join(part for part in parts if part)
