"""A look: one question to Keptn about one task, and what the answer means for us.

Source: `GET /controlPlane/v1/sequence-execution` gives one execution for each stage and iteration of a
sequence; each has the tasks that are completed (`previousTasks`) and the one under way (`currentTask`) with
the replies counted so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Standing(Enum):
    """Where a task stands in Keptn."""

    OPEN = "open"
    """It is the current task of a sequence that goes on."""
    OVER = "over"
    """It is completed, or its sequence is finished, aborted or timed out."""
    GAP = "gap"
    """Keptn has listed the task and not yet noted it as current: a started sent now would be dropped."""


@dataclass(frozen=True)
class Look:
    """What Keptn says of one task; the counts are of replies with our own source."""

    standing: Standing
    starts: int = 0
    finishes: int = 0
    paused: bool = False


OVER_STATES = frozenset({"finished", "timedOut"})  # an abort shows as finished


def read_look(executions: Iterable[Any], triggered_id: str, source: str) -> Look:
    """Find the task `triggered_id` among a context's sequence executions; count the replies from `source`."""
    for execution in executions:
        status = execution["status"]
        if any(task["triggeredID"] == triggered_id for task in status.get("previousTasks") or ()):
            return Look(Standing.OVER)
        current = status.get("currentTask") or {}
        if current.get("triggeredID") != triggered_id:
            continue
        if status["state"] in OVER_STATES:
            return Look(Standing.OVER)
        ours = [event["eventType"] for event in current.get("events") or () if event["source"] == source]
        return Look(
            Standing.OPEN,
            starts=sum(event_type.endswith(".started") for event_type in ours),
            finishes=sum(event_type.endswith(".finished") for event_type in ours),
            paused=status["state"] == "paused",
        )
    return Look(Standing.GAP)
