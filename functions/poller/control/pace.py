"""How soon to ask again: often while there is work, seldom without, never so often that it hurts Keptn."""

from execution_plane.clock import Clock

BUSY_FOR = 30.0  # seconds for which a plane that had work is asked for more as often as with it
SLOWEST = 10.0  # seconds between two cycles of a busy plane while Keptn is in trouble


class Pace:
    """The pace of one tick's cycles.

    A sequence's next task mostly follows its last one within seconds, so it is looked for each `busy` seconds
    while this plane has work, or had some just now; otherwise each `idle` seconds.
    """

    def __init__(self, idle: float, busy: float, clock: Clock) -> None:
        """Either may be 0: `idle` for one cycle while there is no work, `busy` for no other pace with it."""
        self._idle = idle
        self._busy = min(busy, idle) if idle else busy
        self._slowest = idle or max(SLOWEST, busy)
        self._between = self._busy
        self._answered_in = 0.0
        self._clock = clock
        self.busy_until = 0.0
        """In seconds since the epoch."""

    @property
    def knows_busy(self) -> bool:
        """Whether there is another pace for a plane that has work."""
        return bool(self._busy)

    @property
    def is_busy(self) -> bool:
        """Whether to ask often."""
        return self.knows_busy and self._clock.now() < self.busy_until

    @property
    def between_heartbeats(self) -> float:
        """Seconds for which the answer to a heartbeat is new enough: a busy plane sends no more of them."""
        return self._slowest if self.is_busy else 0.0

    @property
    def seconds(self) -> float:
        """From one cycle's beginning to the next one's; 0 if there is to be no other.

        What takes Keptn long is asked for less often: it has at least as long for others.
        """
        if not self.is_busy:
            return self._idle
        return min(max(self._between, 2 * self._answered_in), self._slowest)

    def work(self, until: float | None = None) -> None:
        """There is work, or there was, so that the plane is busy until that moment."""
        self.busy_until = max(self.busy_until, self._clock.now() + BUSY_FOR if until is None else until)

    def answered(self, seconds: float, *, failed: bool) -> None:
        """How long Keptn took for a cycle's lists, and whether it refused or failed one of them."""
        self._answered_in = seconds
        between = 2 * self._between if failed else self._between / 2
        self._between = min(max(between, self._busy), self._slowest)
