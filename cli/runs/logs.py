"""A run's log lines, from all functions and its steps, merged by time."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from cli.runs.aws import Missing, ask
from cli.runs.executions import execution_lines
from cli.runs.lines import Line
from cli.runs.plane import Plane
from cli.runs.story import handles
from execution_plane.containers import FILES_CONTAINER, TASK_CONTAINER, log_stream
from execution_plane.ledger.runs import State
from execution_plane.ledger.table import Record

BEFORE = 60.0  # seconds before the claim from which lines are looked for
AFTER = 60.0  # seconds after the run was closed
PAUSE = 5.0  # seconds between two looks while lines are followed; they come late, some by minutes
SETTLING = 3  # looks in a row that must bring nothing once the run is closed
MOST_TERMS = 20  # of one filter
MOST_LINES = 10_000
UNSAID = frozenset({"level", "location", "message", "timestamp", "service", "event_id", "xray_trace_id"}) | {
    "cold_start",
    "function_name",
    "function_memory_size",
    "function_arn",
    "function_request_id",
}


def follow(plane: Plane, record: Record) -> Iterator[list[Line]]:
    """The lines about a run as they come, until it is closed and no more do. Raises Unusable."""
    shown: set[Line] = set()
    since, quiet = record.run.claimed_at - BEFORE, 0
    while quiet < SETTLING:
        lines = [line for line in lines_of(plane, record, since) if line not in shown]
        if lines:
            yield lines
            shown.update(lines)
            since = max(since, lines[-1].at - BEFORE)
        is_over = record.run.state is State.CLOSED
        quiet = quiet + 1 if is_over and not lines else 0
        if quiet < SETTLING:
            plane.clock.sleep(PAUSE)
            record = plane.ledger.record(record.run.event.id) or record


def lines_of(plane: Plane, record: Record, since: float | None = None) -> list[Line]:
    """All lines about a run, or those since a moment, oldest first. Raises Unusable."""
    run = record.run
    since = run.claimed_at - BEFORE if since is None else since
    until = (run.closed_at or plane.clock.now()) + AFTER  # this machine's clock may be behind
    invocations = _invocations(record)
    found: list[Line] = []
    for function, group in plane.stack.log_groups.items():
        terms = [run.event.id, *invocations.get(function, ())]
        events = _filtered(plane, group, terms[:MOST_TERMS], since, until)
        found += (
            _line(function, event) for event in events if any(each in event["message"] for each in terms)
        )
    for handle in handles(record):
        found += step_lines(plane, handle)
    return sorted(found, key=lambda line: line.at)


def step_lines(plane: Plane, handle: str, last: int = MOST_LINES) -> list[Line]:
    """The last lines about what another service did. Raises Unusable."""
    of_kind = execution_lines if ":states:" in handle else container_lines
    return of_kind(plane, handle, last)


def container_lines(plane: Plane, arn: str, last: int) -> list[Line]:
    """The last lines that a container and the one that fetched its files wrote. Raises Unusable."""
    group = plane.stack.outputs.get("ContainerLogGroupName")
    if not group:
        return []
    found: list[Line] = []
    for container in (FILES_CONTAINER, TASK_CONTAINER):
        events = _last_events(plane, group, log_stream(container, arn), last)
        found += [
            Line(each["timestamp"] / 1000, "container", each["message"].rstrip("\n")) for each in events
        ]
    return found[-last:]


def _invocations(record: Record) -> dict[str, list[str]]:
    """The invocations that wrote the run, by their function: the worker logs what a task prints by its own.

    A poller's invocation serves many runs, so its lines are no more than those that name this one.
    """
    known = [entry.by.partition("/")[2] for entry in record.history if entry.by.startswith("worker/")]
    return {"worker": list(dict.fromkeys(known))}


def _filtered(
    plane: Plane, group: str, terms: Sequence[str], since: float, until: float
) -> Iterator[dict[str, Any]]:
    """The lines of a log group that have any of the terms."""
    asked: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int(since * 1000),
        "endTime": int(until * 1000),
        "filterPattern": " ".join(f'?"{term}"' for term in terms),
    }
    number = 0
    while number < MOST_LINES:
        page = ask(partial(plane.aws.client("logs").filter_log_events, **asked))
        yield from page["events"]
        number += len(page["events"])
        if "nextToken" not in page:
            return
        asked["nextToken"] = page["nextToken"]


def _last_events(plane: Plane, group: str, stream: str, last: int) -> list[dict[str, Any]]:
    """The last lines of a stream, none of one that was never begun."""
    client = plane.aws.client("logs")
    asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": False}
    found: list[dict[str, Any]] = []
    while len(found) < last:
        try:
            page = ask(partial(client.get_log_events, **asked))
        except Missing:
            break
        found = [*page["events"], *found]
        # The same token again says that there is no more; a page without events does not.
        if page["nextBackwardToken"] == asked.get("nextToken"):
            break
        asked["nextToken"] = page["nextBackwardToken"]
    return found[-last:]


def _line(function: str, event: dict[str, Any]) -> Line:
    """A line as it is shown: of a JSON line its message, and what else it says."""
    at, text = event["timestamp"] / 1000, event["message"].rstrip("\n")
    try:
        said = json.loads(text)
    except ValueError:
        return Line(at, function, text)
    if not isinstance(said, dict) or "message" not in said:
        return Line(at, function, text)
    more = (f"{name}={_shown(value)}" for name, value in said.items() if name not in UNSAID)
    return Line(at, function, "  ".join([str(said["message"]), *more]), str(said.get("level", "")))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_json(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The lines as JSON has them."""
    return [vars(line) for line in lines]
