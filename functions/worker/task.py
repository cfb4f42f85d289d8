"""What a user's Python task gets and gives.

A task is a function `name(data, progress)` in `tasks/name.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from execution_plane.events import Result


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
