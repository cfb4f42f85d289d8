"""Which job config applies to a run's event: Keptn's, asked for as seldom as can be, or the bundled one."""

import json
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.transport import (
    KeptnBusy,
    KeptnError,
    KeptnNotFound,
    KeptnSilent,
    KeptnUnreachable,
)
from execution_plane.ledger.job_configs import JobConfigs, Place
from execution_plane.ledger.runs import Run
from runs.read_through import ReadThrough, Search, is_commit_id

JOB_CONFIG = "job/config.yaml"
BUNDLED = Path(__file__).parents[1] / JOB_CONFIG
LEVELS = ("service", "stage", "project")  # the nearest first
LOOKUP_SECONDS = 75.0  # for one worker to look; the poller has others look for as long as Keptn may wait
LONGEST_LIST = 5000  # files, about a megabyte
AT_ONCE = 4  # look-ups, of which all but one are no longer wanted, and have yet to notice
PASSING = (502, 503, 504)  # a proxy's words of a Keptn that did not answer


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
        self._answers = ReadThrough(self._read, job_configs, clock, max_age=max_age, jitter=jitter)
        self._clock = clock
        self._pool = pool
        self._usual: dict[tuple[str, ...], int] = {}
        """How many levels were searched when a service's job config was last found."""

    def find(self, run: Run, until: Deadline) -> Found:
        """The job config with which the run began, if it is kept, else the one that applies.

        Raises Unreachable.
        """
        if run.step and (raw := self._answers.kept(run.step.job_config)) is not None:
            return Found(raw, f"{JOB_CONFIG} with which the run began")
        search = Search(run, until.no_later_than(LOOKUP_SECONDS), self._clock.now())
        try:
            return self._nearest(search) or bundled()
        finally:
            search.is_over.set()

    def keep(self, found: Found) -> str:
        """Keep one for whoever goes on with a run; its digest, empty if it can't be kept."""
        return self._answers.keep(found.raw)

    def _nearest(self, search: Search) -> Found | None:
        """From what is known to the list of the stage's files, and from there to the levels.

        Only "not found" leads to the next level; a Keptn that fails must not make another level's config run.
        """

        @cache
        def ask(place: Place) -> "Future[bytes | None]":
            return self._pool.submit(self._answers.get, place, search)

        levels, listing = _levels(search.run.event), _listing(search.run.event)
        service = levels[0].scope
        usual = self._usual.get(service, len(levels))
        known = self._answers.known(listing, search.run) if listing else None
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
            is_passing = isinstance(problem, KeptnBusy | KeptnSilent | KeptnUnreachable)
            if place.uri or is_passing or problem.status in PASSING:
                raise
            return None  # this Keptn does not list, and each level is asked
        if commit != place.revision:
            return None
        return json.dumps([each[: -len(JOB_CONFIG)].rstrip("/") for each in uris if _is_one(each)]).encode()


def bundled() -> Found:
    """The job config that is bundled with the worker."""
    return Found(BUNDLED.read_bytes(), f"{JOB_CONFIG} bundled with the worker")


def _levels(ref: EventRef) -> list[Place]:
    """Where an event's job config may be, as LEVELS."""
    # A commit id belongs to the stage's branch; the project has another (reference: job-executor section 2).
    return [
        Place((ref.project, ref.stage, ref.service), ref.commit, JOB_CONFIG),
        Place((ref.project, ref.stage), ref.commit, JOB_CONFIG),
        Place((ref.project,), "", JOB_CONFIG),
    ]


def _listing(ref: EventRef) -> Place | None:
    """The list of a stage's files; None where it says nothing: Keptn hides what has .git in its path."""
    is_hidden = ".git" in f"{ref.project}/{ref.stage}/{ref.service}"
    can_say = is_commit_id(ref.commit) and not is_hidden
    return Place((ref.project, ref.stage), ref.commit, "") if can_say else None


def _is_one(uri: str) -> bool:
    return f"/{uri}".endswith(f"/{JOB_CONFIG}")
