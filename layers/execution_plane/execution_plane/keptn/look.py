"""A look: one question to Keptn about one task, and what the answer means for us.

Source: `GET /controlPlane/v1/sequence-execution` gives one execution for each stage and iteration of a
sequence; each has the tasks that are completed (`previousTasks`) and the one under way (`currentTask`) with
the replies counted so far.
"""

from collections.abc import Container, Iterable
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


def state_under_way(task: str) -> str:
    """The state of a sequence that goes on, while a task of this name is its current one.

    Source: `SetNextCurrentTask` in Keptn's shipyard controller, 0.18 to 1.4.5.
    """
    return "waitingForApproval" if task == "approval" else "started"


def read_current_tasks(executions: Iterable[Any], wanted: Container[str], source: str) -> dict[str, Look]:
    """The looks at those of the wanted tasks that are current in one of the executions, by their ids."""
    found: dict[str, Look] = {}
    for execution in executions:
        task_id = (execution["status"].get("currentTask") or {}).get("triggeredID")
        if isinstance(task_id, str) and task_id in wanted:
            found[task_id] = read_look((execution,), task_id, source)
    return found


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
