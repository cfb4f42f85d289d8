"""What a runner gets to do a task with, in tests."""

from collections.abc import Callable
from typing import Any

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.events import read_triggered
from execution_plane.ledger.runs import TaskDone
from runs.work import TaskContext

SAYHELLO = "sh.keptn.event.sayhello.triggered"


class Kept:
    """A lease of a run that is never lost."""

    def begin(self, earlier: tuple[TaskDone, ...]) -> float:
        return 3600.0

    def prepare(self) -> Deadline:
        return Deadline.after(SystemClock(), 60.0)


def event(**data: Any) -> dict[str, Any]:
    """A triggered event as Keptn lists it."""
    return {
        "id": "b3a5f6c2-0000-4000-8000-000000000001",
        "type": SAYHELLO,
        "shkeptncontext": "08735340-6f9e-4b32-97ff-3b6c292bc509",
        "source": "shipyard-controller",
        "time": "2026-09-21T14:13:20.000Z",
        "data": {"project": "p", "stage": "s", "service": "v", **data},
    }


def task_context(
    seconds: float = 20.0, report: Callable[[str], None] = lambda _: None, **data: Any
) -> TaskContext:
    """A context of a task that may take so many seconds."""
    return TaskContext(
        event=read_triggered(event(**data)),
        source="plane",
        began=0.0,
        report=report,
        still_wanted=lambda: True,
        lease=Kept(),
        deadline=Deadline.after(SystemClock(), seconds),
    )
