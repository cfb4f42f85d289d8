"""A read-through cache of what Keptn's resource service says: one worker asks, and the others wait for it.

Keptn answers few requests a second, first come first served, and its own sequences need some of them.
"""

import re
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TypeVar
from uuid import uuid4

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.transport import KeptnError
from execution_plane.ledger.job_configs import JobConfigs, Known, Place
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.telemetry import logger
from runs.work import Unreachable

T = TypeVar("T")

COMMIT_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # any other revision may be another commit tomorrow
MOST_REMEMBERED = 100  # places, by one execution environment
LISTED_WITHIN = 120.0  # seconds after a run's claim in which a list may come
NOTHING_FOR = 60.0  # seconds: a commit never changes, but a Keptn that is ill says 404, too
ANSWER_SECONDS, ASKED_FOR = 61.0, 65.0  # the gateway waits 60; who gives up keeps his turn in Keptn's line
OLD_SERVES = (
    120.0  # seconds from an answer to the claims of the last runs that it serves if no other comes soon
)
PATIENCE, OLD_ASKED_FOR = 2.0, 30.0  # the same two, where an old answer serves
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 16.0  # seconds before Keptn is asked again
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 0.5  # seconds between two looks at what another worker asks for


class ReadThrough:
    """What all workers know of Keptn's files, and how they get to know it. Safe for threads.

    What Keptn said at a commit serves for ever. What it said without one, as it always does for a project's
    own file, serves runs that were claimed before it was asked, or within `max_age` seconds after; and,
    while Keptn does not answer, those that were claimed within OLD_SERVES after it answered.
    """

    def __init__(
        self,
        read: Callable[[Place, float], bytes | None],
        job_configs: JobConfigs,
        clock: Clock,
        max_age: float,
        jitter: Callable[[], float],
    ) -> None:
        """`read` asks Keptn what is at a place, for so many seconds: None if nothing is; raises KeptnError.

        `jitter` gives numbers from 0 to 1.
        """
        self._read = read
        self._job_configs = job_configs
        self._clock = clock
        self._max_age = max_age
        self._jitter = jitter
        self._remembered: dict[Place, Known] = {}

    def known(self, place: Place, run: Run) -> Known | None:
        """What is known of a place, if it serves the run as well as an answer of its own."""
        known = self._newest(place, run)
        return known if self._serves(place, known, run) else None

    def get(self, place: Place, run: Run, until: Deadline, is_over: Event) -> bytes | None:
        """What is at a place, None if nothing is. Raises Unreachable, soon if the search is over."""
        claimant, pause, reason = uuid4().hex, SHORTEST_PAUSE, "another worker has been asking for too long"
        while True:
            known, now = self._newest(place, run), self._clock.now()
            if self._serves(place, known, run):
                return known.content
            if not place.uri and now > run.claimed_at + LISTED_WITHIN:
                return None
            old_serves = self._max_age and known.answered_at >= run.claimed_at - OLD_SERVES
            seconds, alone = (PATIENCE, OLD_ASKED_FOR) if old_serves else (ANSWER_SECONDS, ASKED_FOR)
            is_asked_for = now < known.claimed_until
            if is_asked_for and old_serves and now >= known.claimed_at + PATIENCE:
                return known.content
            claim = partial(self._job_configs.claim, place, claimant, now, asked_at=known.asked_at)
            wait = min(SHORTEST_WAIT + now - known.claimed_at, LONGEST_WAIT)
            if not is_asked_for and self._ask_table(True, partial(claim, until=now + alone)):
                try:
                    content = self._read(place, min(seconds, max(until.remaining(), 1.0)))
                except KeptnError as problem:
                    if old_serves:
                        return known.content
                    wait, pause, reason = pause, min(2 * pause, LONGEST_PAUSE), str(problem)
                    self._ask_table(True, partial(claim, until=self._clock.now() + wait))
                else:
                    if not self.note(place, content, now):
                        self._ask_table(True, partial(claim, until=now))  # everybody reads it for himself
                    return content
            wait *= 0.5 + self._jitter()  # so that not all who wait come back at once
            if until.remaining() <= wait or is_over.is_set():
                raise Unreachable(f"The job config could not be read: {reason}")
            self._clock.sleep(wait)

    def note(self, place: Place, content: bytes | None, asked_at: float) -> bool:
        """Let everybody know what is at a place; False if it can't be kept."""
        return self._ask_table(
            False, partial(self._job_configs.note, place, content, asked_at, self._clock.now())
        )

    def _newest(self, place: Place, run: Run) -> Known:
        """What is remembered here if it serves, else what the table has."""
        known = self._remembered.get(place, Known())
        if not self._serves(place, known, run):
            known = self._ask_table(known, partial(self._job_configs.known, place))
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[place] = known
        return known

    def _serves(self, place: Place, known: Known, run: Run) -> bool:
        is_fixed = COMMIT_ID.fullmatch(place.revision) is not None
        age = NOTHING_FOR if is_fixed else self._max_age
        return known.asked_at >= run.claimed_at - age or (is_fixed and known.content is not None)

    def _ask_table(self, otherwise: T, act: Callable[[], T]) -> T:
        """Without the table, each asks Keptn for himself."""
        try:
            return act()
        except LedgerUnavailable as problem:
            logger.warning("what is known of job configs can't be reached", reason=str(problem))
            return otherwise
