"""What a run's work is: found by a planner, done by runners, and stopped when it must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from execution_plane.clock import Deadline
from execution_plane.events import Outcome, TriggeredEvent


class TaskCancelled(Exception):
    """The run is no longer wanted; its task has been stopped."""


class Unreadable(Exception):
    """What Keptn sent for a task can't be worked with; the text is for the finished event."""


@dataclass(frozen=True)
class Work:
    """What is to be done for an event, as a job config says it."""

    is_silent: bool
    perform: Callable[["Performance"], Outcome]


class Planner(Protocol):
    """Finds the work for an event."""

    def find(self, event: TriggeredEvent) -> Work | None:
        """The event's work, None if nothing here handles it.

        Raises Unreadable for a job config that can't be used.
        """
        ...


@dataclass(frozen=True)
class Performance:
    """What the work gets to do its task with."""

    event: TriggeredEvent
    report: Callable[[str], None]
    still_wanted: Callable[[], bool]
    deadline: Deadline
