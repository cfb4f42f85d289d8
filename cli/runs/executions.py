"""What an execution of a state machine did, state by state, as Step Functions remembers it."""

from functools import partial
from typing import Any

from cli.runs.aws import Missing, ask
from cli.runs.lines import Line
from cli.runs.plane import Plane

MOST_EVENTS = 1000  # that GetExecutionHistory gives at once


def execution_lines(plane: Plane, arn: str, last: int) -> list[Line]:
    """A line for each of its last events, with the state that it is of, and the error and cause of a failure.

    None of an execution that Step Functions has forgotten. Raises Unusable.
    """
    history = plane.aws.client("stepfunctions").get_execution_history
    try:
        page = ask(partial(history, executionArn=arn, reverseOrder=True, maxResults=MOST_EVENTS))
    except Missing:
        return []
    events = page["events"]
    by_id = {event["id"]: event for event in events}
    return [_line(event, by_id) for event in reversed(events[:last])]


def _line(event: dict[str, Any], by_id: dict[int, dict[str, Any]]) -> Line:
    details: dict[str, Any] = next(
        (value for key, value in event.items() if key.endswith("EventDetails") and value), {}
    )
    why = ": ".join(filter(None, (details.get("error"), details.get("cause"))))
    state = _state_of(event, by_id)
    said = f"{event['type']}{f' in {state}' if state else ''}{f': {why}' if why else ''}"
    level = "ERROR" if event["type"].endswith(("Failed", "TimedOut", "Aborted")) else ""
    return Line(event["timestamp"].timestamp(), "execution", said, level)


def _state_of(event: dict[str, Any], by_id: dict[int, dict[str, Any]]) -> str:
    """The state that an event is of: the one that was entered last before it, on its own branch."""
    found: dict[str, Any] | None = event
    while found:
        for key in ("stateEnteredEventDetails", "stateExitedEventDetails"):
            if name := found.get(key, {}).get("name"):
                return str(name)
        found = by_id.get(found.get("previousEventId", 0))
    return ""
