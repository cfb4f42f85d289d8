"""What a run's work is: found by a work finder, done by runners, and stopped when it must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome, TriggeredEvent
from execution_plane.ledger.runs import RemoteStep, Run, TaskDone
from execution_plane.steps import StepEnd


class TaskCancelled(Exception):
    """The run is no longer wanted; its task has been stopped."""


class Unreadable(Exception):
    """What Keptn sent for a task can't be worked with; the text is for the finished event."""


class Inapplicable(Unreadable):
    """A job config that can't be worked with, and none of whose actions is for the event."""


class Unreachable(Unreadable):
    """Keptn does not say what a task's job config is, and may do so later."""


class TaskUnusable(Exception):
    """A task that can't be run as its job config has it; the text is for the finished event."""


class SubmissionRefused(Exception):
    """The service will never start the step; the text says why."""


class NoCapacity(Exception):
    """The service certainly did not start the step, and may do so later."""


class SubmissionUncertain(Exception):
    """The service was asked to start the step, and did not say whether it did."""


Submission = Callable[[], str]
"""Submits a step; gives its handle. Raises SubmissionRefused, NoCapacity, SubmissionUncertain."""


def put_off(trouble: NoCapacity) -> Submission:
    """A submission that is not even tried."""

    def submit() -> str:
        raise trouble

    return submit


@dataclass(frozen=True)
class Prepared:
    """A step that is ready to be submitted; `secrets` says which versions of its secrets it gets."""

    submit: Submission
    secrets: str = ""


@dataclass(frozen=True)
class Pending:
    """A step that is ready to be submitted; the run waits for it, and goes on at its end."""

    step: RemoteStep
    earlier: tuple[TaskDone, ...]
    submit: Submission


@dataclass(frozen=True)
class Resumption:
    """Where a run goes on: at the task of `step`.

    It has ended, or, without an `end`, is to be submitted again.
    """

    step: RemoteStep
    earlier: tuple[TaskDone, ...]
    end: StepEnd | None


@dataclass(frozen=True)
class Work:
    """What is to be done for an event, as a job config says it."""

    is_silent: bool
    perform: Callable[["TaskContext", Resumption | None], Outcome | Pending]
    keep: Callable[[], str] = lambda: ""
    """Has the job config kept for a worker that goes on later; gives its digest, empty if it is not kept."""


Find = Callable[[TriggeredEvent], Work | None]
"""Gives the event's work, None if nothing here handles it.

Raises Unreadable for a job config that can't be used.
"""


class WorkFinder(Protocol):
    """Finds the work for an event."""

    def search(self, run: Run, until: Deadline) -> Find:
        """Look up what applies to a run's event, for which the event itself is not yet needed.

        Raises Unreachable, at the latest when the time is up.
        """
        ...


class Lease(Protocol):
    """How a runner keeps its run while it works. Both raise LostRace if the run is no longer its own."""

    def begin(self, earlier: tuple[TaskDone, ...]) -> float:
        """Called before a task begins in this worker, with what the earlier ones came to.

        Gives the seconds until the run's deadline.
        """
        ...

    def prepare(self) -> Deadline:
        """Called before a step is made ready; gives the time for that."""
        ...


@dataclass(frozen=True)
class TaskContext:
    """What the work gets to do its tasks with. `began` is when Keptn was told that they begin."""

    event: TriggeredEvent
    source: str
    began: float
    report: Callable[[str], None]
    still_wanted: Callable[[], bool]
    lease: Lease
    deadline: Deadline
