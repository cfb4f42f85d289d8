"""Which job config applies to a run's event: Keptn's, asked for as seldom as can be, or the bundled one."""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar
from uuid import uuid4

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane, NoSuchFile
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.transport import (
    KeptnBusy,
    KeptnError,
    KeptnNotFound,
    KeptnRefused,
    KeptnUnreachable,
)
from execution_plane.ledger.job_configs import JobConfigs, Place, Reading, digest_of
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.telemetry import logger
from runs.work import Unreachable

K = TypeVar("K")
V = TypeVar("V")

JOB_CONFIG = "job/config.yaml"
BUNDLED = Path(__file__).parents[1] / JOB_CONFIG
LEVELS = ("service", "stage", "project")  # the nearest first
LOOKUP_SECONDS = 75.0  # for one worker to look; the poller has others look for as long as Keptn may wait
ANSWER_SECONDS = 40.0  # for one answer: one that is given up still has its turn before Keptn's repository
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0  # seconds between two looks at what another worker is reading
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 16.0  # seconds before Keptn is asked again
MOST_REFUSALS = 4  # in one look-up: what is refused for a reason will be refused again
AT_ONCE = 4  # look-ups, of which all but one are no longer wanted, and have yet to notice
MOST_READINGS, MOST_FILES = 2000, 50  # that one execution environment remembers


@dataclass(frozen=True)
class Found:
    """A job config, and where it was, for those who must mend it."""

    raw: bytes
    origin: str


class Lookup(Protocol):
    """Finds job configs."""

    def find(self, run: Run, until: Deadline) -> Found:
        """The job config that applies to a run. Raises Unreachable, at the latest when the time is up."""
        ...

    def keep(self, found: Found) -> str:
        """Keep one for whoever goes on with a run; its digest, empty if it can't be kept."""
        ...


class BundledLookup:
    """Knows the bundled job config and no other, and asks nobody."""

    def find(self, _run: Run, _until: Deadline) -> Found:
        """The bundled one."""
        return bundled()

    def keep(self, _found: Found) -> str:
        """There is nothing to keep."""
        return ""


class KeptnLookup:
    """Looks a job config up where Keptn's users keep them, else takes the bundled one.

    What Keptn said at a commit is remembered by it. What it said without one, as it always does for a
    project's own file, serves for runs that were claimed before or within `max_age` seconds after.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        job_configs: JobConfigs,
        clock: Clock,
        *,
        max_age: float,
        pool: Executor,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`pool` is for requests side by side; `jitter` gives numbers from 0 to 1."""
        self._control_plane = control_plane
        self._job_configs = job_configs
        self._clock = clock
        self._max_age = max_age
        self._pool = pool
        self._jitter = jitter
        self._readings: dict[Place, Reading] = {}
        self._files: dict[str, bytes] = {}
        self._kept: set[str] = set()
        self._usual: dict[tuple[str, ...], int] = {}
        """How many levels were searched when a service's job config was last found."""

    def find(self, run: Run, until: Deadline) -> Found:
        """The job config with which the run began, if it is kept, else the one that applies.

        Raises Unreachable.
        """
        if run.step and run.step.job_config and (raw := self._file(run.step.job_config)) is not None:
            return Found(raw, f"{JOB_CONFIG} with which the run began")
        until = until.no_later_than(LOOKUP_SECONDS)
        wanted = Event()
        wanted.set()
        searches = [_Search(place, run, until, wanted) for place in _places(run.event)]
        try:
            for search, raw in self._files_of(searches):
                if raw is not None:
                    level = LEVELS[searches.index(search)]
                    return Found(raw, f"{JOB_CONFIG} of {level} {'/'.join(search.place.scope)}")
            return bundled()
        finally:
            wanted.clear()

    def _files_of(self, searches: "Sequence[_Search]") -> "Iterator[tuple[_Search, bytes | None]]":
        """What the levels have, one after the other. Raises Unreachable.

        Only "not found" leads to the next level; a Keptn that fails must not make another level's config run.
        """
        service = searches[0].place.scope
        known = 0
        while known < len(searches):
            search = searches[known]
            is_known, raw = self._recall(search)
            if not is_known:
                search.is_recalled = True
                break
            known += 1
            yield search, raw
        # The others side by side, but not further than it was found last time.
        usual = max(self._usual.get(service, len(searches)), known)
        for part in (searches[known:usual], searches[usual:]):
            files = [self._pool.submit(self._search, search) for search in part]
            for search, file in zip(part, files, strict=True):
                self._usual[service] = searches.index(search) + 1
                yield search, file.result()

    def keep(self, found: Found) -> str:
        """Keep a file in the table, once for each execution environment."""
        digest = digest_of(found.raw)
        try:
            if digest not in self._kept and not self._job_configs.keep(found.raw, self._clock.now()):
                return ""
        except LedgerUnavailable as problem:
            logger.warning("the job config can't be kept", reason=str(problem))
            return ""
        self._kept.add(digest)
        _remember(self._files, digest, found.raw, MOST_FILES)
        return digest

    def _search(self, search: "_Search") -> bytes | None:
        """The file at one place, None if there is none. Raises Unreachable."""
        # Where what is read may serve nobody else, nobody needs to wait for it.
        is_shared = bool(self._max_age or search.place.commit)
        while True:
            if not search.is_recalled:
                is_known, raw = self._recall(search)
                if is_known:
                    return raw
            search.is_recalled = False
            if is_shared and not self._reserve(search):
                self._pause(search, next(search.waits), "another worker has been reading it for too long")
                continue
            try:
                reading, raw = self._read(search)
            except KeptnError as problem:
                if is_shared:
                    self._release(search)
                self._bear(search, problem)
                continue
            if is_shared:
                self._note(search, reading, raw)
            return raw

    def _recall(self, search: "_Search") -> tuple[bool, bytes | None]:
        """Whether it is known what there is at a place, and the file, if there is one."""
        search.seen = reading = self._known(search)
        if reading is None or not self._serves(reading, search.run):
            return False, None
        if not reading.digest:
            return True, None
        raw = self._file(reading.digest)
        if raw is None:
            self._kept.discard(reading.digest)
        return raw is not None, raw

    def _serves(self, reading: Reading, run: Run) -> bool:
        """Whether a reading is as good as one of the run's own."""
        return reading.is_fixed or (bool(self._max_age) and reading.read_at >= run.claimed_at - self._max_age)

    def _known(self, search: "_Search") -> Reading | None:
        """The newest reading; the table is asked only if it may have one that is of more use."""
        here = self._readings.get(search.place)
        if (here and self._serves(here, search.run)) or not (self._max_age or search.place.commit):
            return here
        try:
            reading = self._job_configs.known(search.place)
        except LedgerUnavailable as problem:
            logger.warning("what is known of job configs can't be read", reason=str(problem))
            return here
        if reading:
            _remember(self._readings, search.place, reading, MOST_READINGS)
        return reading

    def _file(self, digest: str) -> bytes | None:
        try:
            raw = self._files.get(digest) or self._job_configs.file(digest)
        except LedgerUnavailable as problem:
            logger.warning("a job config that is kept can't be read", reason=str(problem))
            return None
        if raw is not None:
            _remember(self._files, digest, raw, MOST_FILES)
        return raw

    def _read(self, search: "_Search") -> tuple[Reading, bytes | None]:
        """Ask Keptn for one file. Raises KeptnError."""
        asked_at, place = self._clock.now(), search.place
        seconds = min(ANSWER_SECONDS, max(search.until.remaining(), 1.0))
        try:
            raw = self._control_plane.resource(place.scope, JOB_CONFIG, place.commit, seconds=seconds)
        except NoSuchFile:
            return Reading("", asked_at, bool(place.commit)), None
        except KeptnNotFound:
            return Reading("", asked_at, False), None  # a service that there is not may come yet
        return Reading(digest_of(raw), asked_at, bool(place.commit)), raw

    def _reserve(self, search: "_Search") -> bool:
        try:
            return self._job_configs.reserve(search.place, search.reader, self._clock.now(), search.seen)
        except LedgerUnavailable as problem:
            logger.warning("nobody knows who reads the job config", reason=str(problem))
            return True

    def _release(self, search: "_Search") -> None:
        try:
            self._job_configs.release(search.place, search.reader)
        except LedgerUnavailable as problem:
            logger.warning("the job config stays reserved for a while", reason=str(problem))

    def _note(self, search: "_Search", reading: Reading, raw: bytes | None) -> None:
        """Let everybody know; a file that is too large everybody reads for himself."""
        _remember(self._readings, search.place, reading, MOST_READINGS)
        if raw is not None:
            _remember(self._files, reading.digest, raw, MOST_FILES)
            if not self.keep(Found(raw, "")):
                self._release(search)
                return
        try:
            self._job_configs.note(search.place, reading)
        except LedgerUnavailable as problem:
            logger.warning("what was read of a job config can't be kept", reason=str(problem))

    def _bear(self, search: "_Search", problem: KeptnError) -> None:
        """Wait until Keptn may be asked again. Raises Unreachable if that is too late, or of no use."""
        if isinstance(problem, KeptnRefused) and not isinstance(problem, KeptnBusy | KeptnUnreachable):
            search.refusals += 1
        if search.refusals == MOST_REFUSALS:
            raise Unreachable(f"The job config could not be read: {problem}")
        self._pause(search, next(search.pauses), str(problem))

    def _pause(self, search: "_Search", seconds: float, reason: str) -> None:
        """Let time pass, more or less, so that not all who wait come back at once."""
        seconds *= 0.5 + self._jitter()
        if search.until.remaining() <= seconds or not search.wanted.is_set():
            raise Unreachable(f"The job config could not be read: {reason}")
        self._clock.sleep(seconds)


@dataclass
class _Search:
    """The search for one file, and how long it may yet take."""

    place: Place
    run: Run
    until: Deadline
    wanted: Event
    """Set as long as anybody needs what is found."""
    seen: Reading | None = None
    """The newest reading that is known."""
    is_recalled: bool = False
    """Nobody knew a moment ago what there is."""
    reader: str = field(default_factory=lambda: uuid4().hex)
    pauses: Iterator[float] = field(default_factory=lambda: _growing(FIRST_PAUSE, LONGEST_PAUSE))
    waits: Iterator[float] = field(default_factory=lambda: _growing(FIRST_WAIT, LONGEST_WAIT))
    refusals: int = 0


def bundled() -> Found:
    """The job config that is bundled with the worker."""
    return Found(BUNDLED.read_bytes(), f"{JOB_CONFIG} bundled with the worker")


def _places(ref: EventRef) -> tuple[Place, ...]:
    """Where an event's job config may be, as LEVELS."""
    # A commit id belongs to the stage's branch; the project has another (docs/keptn-api.md, 10.1).
    return (
        Place((ref.project, ref.stage, ref.service), ref.commit),
        Place((ref.project, ref.stage), ref.commit),
        Place((ref.project,), ""),
    )


def _growing(first: float, longest: float) -> Iterator[float]:
    seconds = first
    while True:
        yield seconds
        seconds = min(2 * seconds, longest)


def _remember(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """Keep the newest few. Safe for threads."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > most:
        with contextlib.suppress(StopIteration, RuntimeError, KeyError):  # another thread was faster
            del memory[next(iter(memory))]
