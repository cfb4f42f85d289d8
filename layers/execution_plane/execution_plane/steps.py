"""Tasks that another service does while their runs wait: observed, found and stopped, whatever service it is.

A kind of step is one room that knows its service, and has a `StepService`; `shared_clients` has them all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from execution_plane.ledger.runs import RemoteStep, Run, State
from execution_plane.telemetry import logger

HEARD_AFTER = 10.0  # seconds after its end by which EventBridge has told the worker
# Seconds after its submission by which a service surely knows a step; they are eventually consistent.
KNOWN_AFTER = 300.0


class StepsUnavailable(Exception):
    """The service did not do what was asked. A step may have been stopped all the same."""


class StepStatus(Enum):
    """What is known of a waiting run's step."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under way"
    ENDED = "ended"
    MISSING = "missing"
    """Its service knows nothing of it, or no longer."""


@dataclass(frozen=True)
class StepEnd:
    """How a step ended; without a handle it never began, and `reason` says why."""

    handle: str = ""
    reason: str = ""
    stopped_at: float | None = None
    is_missing: bool = False
    """Whether its service knows nothing of it, so that nobody can say how it ended."""

    def __str__(self) -> str:
        """In a line, as the log and a run's history have it."""
        return ", ".join(filter(None, (self.how if self.handle else "not started", self.reason)))

    @property
    def how(self) -> str:
        """What its service says in short, as an exit code."""
        return ""

    @property
    def where(self) -> str:
        """Where there is more about it, as the rest of a sentence; empty if nowhere."""
        return ""

    @property
    def codes(self) -> Mapping[str, object]:
        """What its service says, as the log has it beside the line."""
        return {}


@dataclass(frozen=True)
class StepChange:
    """What EventBridge says of a step: by which token it was submitted, and how it ended, if it has."""

    kind: str
    handle: str
    token: str
    end: StepEnd | None


class StepService(Protocol):
    """What the plan needs of a service. Every method raises StepsUnavailable."""

    def status(self, steps: Sequence[RemoteStep], now: float) -> Mapping[str, StepEnd | None]:
        """By handle, how each step ended, and None of one that is under way; without those of which nothing
        can be said yet.
        """
        ...

    def find(self, step: RemoteStep) -> str | None:
        """The handle of a step by its token; None if it was never submitted."""
        ...

    def stop(self, step: RemoteStep, reason: str) -> None:
        """Stop a step; one that has ended or that the service has forgotten is left alone."""
        ...


def is_missing(step: RemoteStep, now: float) -> bool:
    """Whether a step that its service does not know is gone for good."""
    return now >= (step.submitted_at or step.since) + KNOWN_AFTER


class Steps:
    """The steps of waiting runs, of every kind. Safe for threads."""

    def __init__(self, services: Mapping[str, StepService]) -> None:
        """`services` are by the kind of their steps."""
        self._services = services

    def observe(self, runs: Sequence[Run], now: float) -> Mapping[str, StepStatus]:
        """What is known of the steps of those `runs` that wait for one, by event id.

        Nothing is asked if there are none. What a service does not answer for is left out.
        """
        waiting = {
            run.step.handle: (run.event.id, run.step)
            for run in runs
            if run.state is State.WAITING and run.step and run.step.handle
        }
        observed: dict[str, StepStatus] = {}
        for kind, steps in _by_kind(step for _, step in waiting.values()):
            try:
                ends = self._services[kind].status(steps, now)
            except StepsUnavailable as problem:
                logger.warning("steps can't be observed", kind=kind, reason=str(problem))
            else:
                observed |= {waiting[handle][0]: _status(end, now) for handle, end in ends.items()}
        return observed

    def not_stopped(self, steps: Sequence[RemoteStep], now: float) -> frozenset[str]:
        """The handles of those steps of which no service says that they have stopped.

        Raises StepsUnavailable.
        """
        left: set[str] = set()
        for kind, some in _by_kind(steps):
            ends = self._services[kind].status(some, now)
            left |= {step.handle for step in some if ends.get(step.handle) is None}
        return frozenset(left)

    def end_of(self, step: RemoteStep, now: float) -> StepEnd | None:
        """How a step ended; None if it has not. Raises StepsUnavailable."""
        return self._services[step.kind].status([step], now).get(step.handle)

    def find(self, step: RemoteStep) -> str | None:
        """As its service does. Raises StepsUnavailable."""
        return self._services[step.kind].find(step)

    def stop(self, step: RemoteStep, reason: str) -> None:
        """As its service does. Raises StepsUnavailable."""
        self._services[step.kind].stop(step, reason)


def _by_kind(steps: Iterable[RemoteStep]) -> Iterator[tuple[str, Sequence[RemoteStep]]]:
    kinds: dict[str, list[RemoteStep]] = defaultdict(list)
    for step in steps:
        kinds[step.kind].append(step)
    yield from kinds.items()


def _status(end: StepEnd | None, now: float) -> StepStatus:
    if end is None or (end.stopped_at is not None and now < end.stopped_at + HEARD_AFTER):
        return StepStatus.UNDER_WAY
    return StepStatus.MISSING if end.is_missing else StepStatus.ENDED
