"""A read-through cache of what Keptn's resource service says: one worker asks, and the others wait for it.

Keptn answers few requests a second, first come first served, and its own sequences need some of them.
"""

import contextlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TypeVar
from uuid import uuid4

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.transport import KeptnError
from execution_plane.ledger.job_configs import JobConfigs, Known, Place, digest_of
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.telemetry import logger
from runs.work import Unreachable

T = TypeVar("T")

COMMIT_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
MOST_REMEMBERED = 100  # places, by one execution environment
LISTED_WITHIN = 120.0  # seconds after a run's claim in which a list may come
NOTHING_FOR = 60.0  # seconds: a commit never changes, but a Keptn that is ill says 404, too
ANSWER_SECONDS = 61.0  # for one answer: the gateway waits 60, and who gives up keeps his turn in Keptn's line
ASKED_FOR = 65.0  # seconds in which nobody else asks
OLD_SERVES = 120.0  # seconds before a run's claim from which on an old answer serves, while no other comes in
PATIENCE = 2.0  # seconds
OLD_ASKED_FOR = 30.0  # seconds in which nobody asks again then
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 16.0  # seconds before Keptn is asked again
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 1.0  # seconds between two looks at what another worker asks for


@dataclass
class Search:
    """What a run's job config is looked for by several threads at once, and until when."""

    run: Run
    until: Deadline
    began: float
    is_over: Event = field(default_factory=Event)


class ReadThrough:
    """What all workers know of Keptn's files, and how they get to know it. Safe for threads.

    What Keptn said at a commit serves for ever. What it said without one, as it always does for a project's
    own file, serves runs that were claimed before, or within `max_age` seconds after; and, while Keptn does
    not answer, those within OLD_SERVES.
    """

    def __init__(
        self,
        read: Callable[[Place, float], bytes | None],
        job_configs: JobConfigs,
        clock: Clock,
        *,
        max_age: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`read` asks Keptn what is at a place, for so many seconds: None if nothing is; raises KeptnError.

        `jitter` gives numbers from 0 to 1.
        """
        self._read = read
        self._job_configs = job_configs
        self._clock = clock
        self._max_age = max_age
        self._jitter = jitter
        self._known: dict[Place, Known] = {}
        self._kept: set[str] = set()

    def known(self, place: Place, run: Run) -> Known | None:
        """What is known of a place, if that is as good as an answer of the run's own."""
        known = self._recall(place, run)
        return known if self._serves(place, known, run) else None

    def get(self, place: Place, search: Search) -> bytes | None:
        """What is at a place, None if nothing is. Raises Unreachable."""
        run, claimant, reason = search.run, uuid4().hex, "another worker has been asking for it for too long"
        while True:
            known, now = self._recall(place, run), self._clock.now()
            if self._serves(place, known, run):
                return known.content
            if not place.uri and now > run.claimed_at + LISTED_WITHIN:
                return None
            old_serves = bool(self._max_age) and known.asked_at >= run.claimed_at - OLD_SERVES
            is_asked_for = now < known.claimed_until
            if old_serves and is_asked_for and now >= known.claimed_at + PATIENCE:
                return known.content
            seconds, alone = (PATIENCE, OLD_ASKED_FOR) if old_serves else (ANSWER_SECONDS, ASKED_FOR)
            claim = partial(self._job_configs.claim, place, claimant, now, now + alone, known.asked_at)
            if is_asked_for or not self._try("claimed", True, claim):
                self._pause(search, min(SHORTEST_WAIT + now - known.claimed_at, LONGEST_WAIT), reason)
                continue
            try:
                content = self._read(place, min(seconds, max(search.until.remaining(), 1.0)))
            except KeptnError as problem:
                if old_serves:
                    return known.content
                pause = min(max(self._clock.now() - search.began, SHORTEST_PAUSE), LONGEST_PAUSE)
                self._defer(place, claimant, self._clock.now() + pause)
                reason = str(problem)
                self._pause(search, pause, reason)
                continue
            self._remember(place, Known(content, now))
            if not self._try("kept", True, partial(self._job_configs.note, place, content, now)):
                self._defer(place, claimant, now)  # what is too large, everybody reads for himself
            return content

    def keep(self, content: bytes) -> str:
        """Keep a file, once for each execution environment; its digest, empty if it can't be kept."""
        digest = digest_of(content)
        if digest not in self._kept:
            if not self._try("kept", False, partial(self._job_configs.keep, content, self._clock.now())):
                return ""
            self._kept.add(digest)
        return digest

    def kept(self, digest: str) -> bytes | None:
        """The file with this digest, None if it is not kept."""
        return self._try("read", None, partial(self._job_configs.file, digest)) if digest else None

    def _recall(self, place: Place, run: Run) -> Known:
        """The newest that is known; the table is asked only if it may have something of more use."""
        known = self._known.get(place, Known())
        if not self._serves(place, known, run):
            known = self._try("read", known, partial(self._job_configs.known, place))
            self._remember(place, known)
        return known

    def _serves(self, place: Place, known: Known, run: Run) -> bool:
        is_fixed = is_commit_id(place.revision)
        age = NOTHING_FOR if is_fixed else self._max_age
        return known.asked_at >= run.claimed_at - age or (is_fixed and known.content is not None)

    def _remember(self, place: Place, known: Known) -> None:
        """Remember it here, and no more than the newest few. Safe for threads."""
        self._known.pop(place, None)
        self._known[place] = known
        if len(self._known) > MOST_REMEMBERED:
            with contextlib.suppress(StopIteration, RuntimeError, KeyError):  # another thread was faster
                del self._known[next(iter(self._known))]

    def _pause(self, search: Search, seconds: float, reason: str) -> None:
        """Let time pass, more or less, so that not all who wait come back at once. Raises Unreachable."""
        seconds *= 0.5 + self._jitter()
        if search.until.remaining() <= seconds or search.is_over.is_set():
            raise Unreachable(f"The job config could not be read: {reason}")
        self._clock.sleep(seconds)

    def _defer(self, place: Place, claimant: str, until: float) -> None:
        self._try("claimed", None, partial(self._job_configs.defer, place, claimant, until))

    def _try(self, what: str, otherwise: T, act: Callable[[], T]) -> T:
        """Ask the table, without which each asks for himself."""
        try:
            return act()
        except LedgerUnavailable as problem:
            logger.warning(f"what is known of job configs can't be {what}", reason=str(problem))
            return otherwise


def is_commit_id(revision: str) -> bool:
    """Whether it is one for ever; any other revision, as a branch, may be another commit tomorrow."""
    return COMMIT_ID.fullmatch(revision) is not None
