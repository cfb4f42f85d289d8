"""How long the control plane takes over things: no longer than it must, or as long as the real one."""

from collections import Counter
from dataclasses import dataclass

from execution_plane.clock import Clock


@dataclass(frozen=True)
class Timing:
    """In seconds, but for what is a number of requests."""

    reply_delay: float = 0.0
    """From the 200 for an event until the shipyard controller handles it."""
    dispatch_gap: float = 0.0
    """From listing a task's event until `currentTask` is set; replies in between are dropped."""
    dispatch_interval: float = 10.0
    """Between two dispatches of what waits or was resumed; 0 does it at once."""
    resource_read: float = 0.0
    """That a request keeps a project's repository for itself: all others for the project wait in line."""
    resource_rate: float = 0.0
    """Requests a second that the resource service handles in all, Keptn's own among them; 0 for no limit."""
    resource_burst: int = 1
    """Requests that it handles at once after it was idle."""


PROMPT = Timing()
"""Whatever can be done is done at once; only what the real one does on a tick waits for it."""

AS_SEEN = Timing(
    reply_delay=0.075, dispatch_gap=0.01, resource_read=0.015, resource_rate=5.0, resource_burst=10
)
"""As the real 1.4.5 was seen on one quiet machine; its gap was not measured, it is a few database writes.

The resource service's rate is that of its Kubernetes client, by which it reads a secret for each request.
"""


class ResourceLines:
    """The line before the resource service as a whole, and behind it one before each project's repository.

    Nobody leaves them: who has stopped waiting for the answer still has a turn, as in the real one.
    """

    def __init__(self, clock: Clock, timing: Timing) -> None:
        self._clock = clock
        self._timing = timing
        self._full_at = 0.0
        """When the whole burst may be used again."""
        self.over: dict[str, float] = {}
        """When the last turn for each project is over, in seconds since the epoch."""
        self.turns: Counter[str] = Counter()
        """How many there have been for each project, Keptn's own among them."""

    def join(self, project: str) -> float:
        """Take the next turn for a project; gives when it is over, in seconds since the epoch."""
        self.turns[project] += 1
        self.over[project] = max(self.admit(), self.over.get(project, 0.0)) + self._timing.resource_read
        return self.over[project]

    def admit(self) -> float:
        """Take the next turn before the service; gives when it begins, in seconds since the epoch.

        A token bucket: so many at once, and then one after the other.
        """
        now = self._clock.now()
        if not self._timing.resource_rate:
            return now
        interval = 1 / self._timing.resource_rate
        begins = max(now, self._full_at - (self._timing.resource_burst - 1) * interval)
        self._full_at = max(now, self._full_at) + interval
        return begins
