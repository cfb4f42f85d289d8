"""How long the control plane takes over things: no longer than it must, or as long as the real one."""

from collections import Counter
from dataclasses import dataclass

from execution_plane.clock import Clock


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    reply_delay: float = 0.0
    """From the 200 for an event until the shipyard controller handles it."""
    dispatch_gap: float = 0.0
    """From listing a task's event until `currentTask` is set; replies in between are dropped."""
    dispatch_interval: float = 10.0
    """Between two dispatches of what waits or was resumed; 0 does it at once."""
    resource_read: float = 0.0
    """That a request keeps a project's repository for itself: all others for the project wait in line."""


PROMPT = Timing()
"""Whatever can be done is done at once; only what the real one does on a tick waits for it."""

AS_SEEN = Timing(reply_delay=0.075, dispatch_gap=0.01, resource_read=0.055)
"""As the real 1.4.5 was seen on one quiet machine; its gap was not measured, it is a few database writes."""


class RepositoryLines:
    """A line before each project's git repository, whose next turn begins once the one before is over.

    Nobody leaves it: who has stopped waiting for the answer still has a turn, as behind the real one's lock.
    """

    def __init__(self, clock: Clock, turn: float) -> None:
        """`turn`: seconds that each request takes."""
        self._clock = clock
        self._turn = turn
        self._free: dict[str, float] = {}
        self.turns: Counter[str] = Counter()
        """How many there have been for each project, Keptn's own among them."""

    def join(self, project: str) -> float:
        """Take the next turn; gives when it is over, in seconds since the epoch."""
        self.turns[project] += 1
        over = max(self._clock.now(), self._free.get(project, 0.0)) + self._turn
        self._free[project] = over
        return over
