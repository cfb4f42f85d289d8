"""Which job config applies to a run's event: Keptn's, asked for as seldom as can be, or the bundled one."""

import json
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Event

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.transport import KeptnError, KeptnIncomprehensible, KeptnNotFound
from execution_plane.ledger.job_configs import JobConfigs, Place, digest_of
from execution_plane.ledger.runs import Run
from runs.read_through import COMMIT_ID, ReadThrough

JOB_CONFIG = "job/config.yaml"
BUNDLED = Path(__file__).parents[1] / JOB_CONFIG
LEVELS = ("service", "stage", "project")  # the nearest first
LOOKUP_SECONDS = 75.0  # for one worker to look; the poller has others look for as long as Keptn may wait
LONGEST_LIST = 5000  # files, about a megabyte
AT_ONCE = 4  # look-ups, of which all but one are no longer wanted, and have yet to notice
PASSING = (None, 429, 502, 503, 504)  # no answer, or none of Keptn's own, as a proxy says


@dataclass(frozen=True)
class Found:
    """A job config, and where it was, for those who must mend it."""

    raw: bytes
    origin: str


class BundledLookup:
    """Knows the bundled job config and no other, and asks nobody."""

    def find(self, _run: Run, _until: Deadline) -> Found:
        """The bundled one."""
        return Found(BUNDLED.read_bytes(), f"{JOB_CONFIG} bundled with the worker")

    def keep(self, _found: Found) -> str:
        """There is nothing to keep."""
        return ""


class KeptnLookup:
    """Looks a job config up where Keptn's users keep them, else takes the bundled one."""

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
        self._answers = ReadThrough(self._read, job_configs, clock, max_age, jitter)
        self._clock = clock
        self._pool = pool
        self._usual: dict[tuple[str, ...], int] = {}
        """How many levels were searched when a service's job config was last found."""

    def find(self, run: Run, until: Deadline) -> Found:
        """The job config with which the run began, if it is kept, else the one that applies.

        Raises Unreachable.
        """
        digest = run.step.job_config if run.step else ""
        if digest and (kept := self._answers.known(Place.by_digest(digest), run)):
            return Found(kept.content or b"", f"{JOB_CONFIG} with which the run began")
        until, is_over = until.no_later_than(LOOKUP_SECONDS), Event()

        @cache
        def ask(place: Place) -> "Future[bytes | None]":
            return self._pool.submit(self._answers.get, place, run, until, is_over)

        try:
            return self._nearest(run, ask) or BundledLookup().find(run, until)
        finally:
            is_over.set()

    def keep(self, found: Found) -> str:
        """Keep one for whoever goes on with a run; its digest, empty if it can't be kept."""
        digest = digest_of(found.raw)
        is_kept = self._answers.note(Place.by_digest(digest), found.raw, self._clock.now())
        return digest if is_kept else ""

    def _nearest(self, run: Run, ask: Callable[[Place], "Future[bytes | None]"]) -> Found | None:
        """From what is known to the list of the stage's files, and from there to the levels.

        Only "not found" leads to the next level; a Keptn that fails must not make another level's config run.
        """
        ref = run.event
        # A commit id belongs to the stage's branch, and the project has another.
        levels = [
            Place((ref.project, ref.stage, ref.service), ref.commit, JOB_CONFIG),
            Place((ref.project, ref.stage), ref.commit, JOB_CONFIG),
            Place((ref.project,), "", JOB_CONFIG),
        ]
        service = levels[0].scope
        is_hidden = any(".git" in name for name in service)  # as Keptn's lists have it
        listing = None if is_hidden or not COMMIT_ID.fullmatch(ref.commit) else replace(levels[1], uri="")
        usual = self._usual.get(service, len(levels))
        known = self._answers.known(listing, run) if listing else None
        listed = known.content if known else None
        if listing and not known and usual > 1:
            # Beside it the level that had it last time; where that is the service's, no list is needed.
            listed = (ask(listing), ask(levels[usual - 1]))[0].result()
        if listed is not None:
            names = json.loads(listed)
            levels = [place for place in levels if not place.revision or "".join(place.scope[2:]) in names]
            usual = 1
        # Side by side, but not further than it was found last time, or than the list says.
        for part in (levels[:usual], levels[usual:]):
            for place, file in [(place, ask(place)) for place in part]:
                self._usual[service] = len(LEVELS) + 1 - len(place.scope)
                if (raw := file.result()) is not None:
                    return Found(raw, f"{JOB_CONFIG} of {LEVELS[-len(place.scope)]} {'/'.join(place.scope)}")
        return None

    def _read(self, place: Place, seconds: float) -> bytes | None:
        """Ask Keptn for a file, or which services have a job config, "" for the stage. Raises KeptnError."""
        try:
            if place.uri:
                return self._control_plane.resource(place.scope, place.uri, place.revision, seconds=seconds)
            commit, uris = self._control_plane.listed_resources(place.scope, LONGEST_LIST, seconds=seconds)
        except KeptnNotFound:
            return None
        except KeptnError as problem:
            is_its_own = isinstance(problem, KeptnIncomprehensible) or problem.status not in PASSING
            if place.uri or not is_its_own:
                raise
            return None  # this Keptn does not list, and each level is asked
        if commit != place.revision:
            return None
        dirs = [uri.removesuffix(JOB_CONFIG) for uri in uris if f"/{uri}".endswith(f"/{JOB_CONFIG}")]
        return json.dumps([each.rstrip("/") for each in dirs]).encode()
