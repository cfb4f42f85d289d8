"""One poller's shift: its poll window, and beyond it as long as there is work and nobody relieves it."""

from control.pace import BUSY_FOR, Pace
from execution_plane.clock import Clock
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.ledger.watch import Watch
from execution_plane.telemetry import logger

TOLD_EVERY = 10.0  # seconds, within the window, between two times that a busy poller says so


class Shift:
    """Hands over from one tick's poller to the next one's, so that a busy plane is never without.

    An idle plane's pollers know nothing of each other, but for one read at the beginning of each tick.
    """

    def __init__(self, watch: Watch | None, pace: Pace, clock: Clock) -> None:
        """Begins now. Without a `watch` there is no other poller, and none that could relieve this one."""
        self._watch = watch if pace.knows_busy else None
        self._pace = pace
        self._clock = clock
        self._began = clock.now()
        self._told_at = -TOLD_EVERY

    def begin(self) -> None:
        """Take over from the poller before, if the plane is busy."""
        if self._watch is None:
            return
        try:
            busy_until = min(self._watch.busy_until(), self._began + BUSY_FOR)
        except LedgerUnavailable as problem:
            logger.warning("nobody knows whether the plane is busy", reason=str(problem))
            return
        if busy_until > self._began:
            self._pace.work(busy_until)
            self._is_on_watch()

    def goes_on(self, *, beyond_window: bool) -> bool:
        """Whether to cycle once more; beyond the poll window only for a busy plane, until the next poller."""
        if not self._pace.is_busy:
            return not beyond_window
        since = self._clock.monotonic() - self._told_at
        return self._is_on_watch() if beyond_window or since >= TOLD_EVERY else True

    def _is_on_watch(self) -> bool:
        if self._watch is None:
            return True
        self._told_at = self._clock.monotonic()
        try:
            return self._watch.take(self._began, self._pace.busy_until)
        except LedgerUnavailable as problem:
            logger.warning("nobody knows which poller is on watch", reason=str(problem))
            return True
