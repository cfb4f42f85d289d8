"""Waiting in a task's name: to its deadline, and no longer than its run is wanted."""

from collections.abc import Callable
from typing import Final

from execution_plane.clock import Deadline
from runs.work import TaskCancelled

WATCH_SECONDS: Final = 10.0  # between two questions whether the run is still wanted
SLICE_SECONDS: Final = 1.0
SHORTEST_SECONDS: Final = 0.01


class DeadlineOver(Exception):
    """The task's time is over."""


class CancelScope:
    """Says for how long something may be waited for until this is asked again."""

    def __init__(self, deadline: Deadline, still_wanted: Callable[[], bool]) -> None:
        self.deadline = deadline
        self._still_wanted = still_wanted
        self._next = Deadline.after(deadline.clock, WATCH_SECONDS)

    def seconds(self) -> float:
        """Seconds to wait at most. Raises DeadlineOver, TaskCancelled."""
        if self.deadline.is_over():
            raise DeadlineOver
        if self._next.is_over():
            self._next = Deadline.after(self.deadline.clock, WATCH_SECONDS)
            if not self._still_wanted():
                raise TaskCancelled
        return min(SLICE_SECONDS, max(self.deadline.remaining(), SHORTEST_SECONDS))

    def pause(self, seconds: float) -> None:
        """Let so much time pass. Raises DeadlineOver, TaskCancelled."""
        end = self.deadline.no_later_than(seconds)
        while not end.is_over():
            self.deadline.clock.sleep(min(self.seconds(), end.remaining()))
        self.seconds()
