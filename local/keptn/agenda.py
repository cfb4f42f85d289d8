"""What is to happen later, in order."""

import heapq
from collections.abc import Callable
from itertools import count


class Agenda:
    """Actions by due time; those of the same moment in the order they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def add(self, due: float, action: Callable[[], None]) -> None:
        """Have `action` done at `due`, in seconds since the epoch."""
        heapq.heappush(self._heap, (due, next(self._order), action))

    def take(self, now: float) -> Callable[[], None] | None:
        """The next action that is due, or None."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None

    def next_due(self) -> float | None:
        """When the next action is due, or None if there is none."""
        return self._heap[0][0] if self._heap else None
