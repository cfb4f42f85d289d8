"""The user's own Python tasks, and what a task gets and gives: `from tasks import Progress, TaskOutcome`.

A task is a function `name(data, progress)` in `tasks/name.py`. This import path is kept: tasks are written
against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from execution_plane.keptn.events import Result


@dataclass(frozen=True)
class TaskOutcome:
    """What a task came to: a result, a message for people, and data that goes into `data.<task>`."""

    result: Result = "pass"
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Progress(Protocol):
    """How a task says what it is doing."""

    def report(self, message: str) -> None:
        """Show `message` in Keptn, as a status.changed event."""
        ...
