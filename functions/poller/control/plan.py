"""What to do about each event and each run: pure decisions, read from one table.

The table is the design's, row by row. The first row that fits a run decides; where none fits there is nothing
to do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from execution_plane.keptn.events import EventRef
from execution_plane.keptn.look import Look, Standing
from execution_plane.ledger.runs import MOST_ATTEMPTS, RemoteStep, Run, State
from execution_plane.steps import StepStatus

# Seconds in Lambda's queue, before the poller sends the started: Keptn gives up after 600.
START_AFTER = 300.0
BETWEEN_LOOKS = 60.0  # between two looks that must agree
QUIET = (90.0, 120.0, 240.0, 480.0)  # after our last reply, before the first, second … repair
QUIET_LATER = 900.0  # and before all further ones
CLOSED_AFTER = 10.0  # seconds for which a run stays active once its finished was sent: the next task is near
ABSENT = 30.0  # between two empty listings that prove an event gone
ABSENT_FORGOTTEN = 900.0  # after which the first of the two no longer counts
# Seconds for which submitting a step a second time surely starts no second one: a service may forget a token,
# and what it started by it, an hour after that has ended.
SUBMITTED_ONCE = 2700.0
OVERDUE = 900.0  # seconds beyond a step's deadline within which its service has stopped it, and said so
HANDLED_WITHIN = 3600.0  # seconds from the first wake for a step's end, for a worker to handle it


class Seen(Enum):
    """What this cycle's listings say of a run's event."""

    OPEN = "open"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Operation(Enum):
    """What the controller can do about a run."""

    DISPATCH = "dispatch again"
    SEND_STARTED = "send started"
    TAKE_BACK = "take back"
    WAIT_AGAIN = "wait again"
    WAKE = "wake"
    FIND = "find, submit again"
    STOP = "stop"
    ABANDON = "abandon"
    REPORT = "report"
    REPAIR = "look, repair"
    PROVE = "prove gone"
    FORGET_ABSENCE = "listed again"


@dataclass(frozen=True)
class Failure:
    """An invocation of the worker that AWS gave up on."""

    reason: str
    version: int | None = None
    """Of the run, when the invocation was made; None if its payload does not say."""
    invocation: str = ""
    """Its request id."""


@dataclass(frozen=True)
class Observed:
    """One cycle's observations: what Keptn lists, what AWS gave up on, and how steps fare.

    `events` are the listed events that have no run, and that this plane subscribes to and can handle, by id;
    `failures` has the latest invocation for a run that failed, `steps` what is known of a waiting run's, and
    `looks` what Keptn says of those events that it was asked about, by event id. `dead` has all invocations
    that are known to have failed, by their request ids.
    """

    seen: Callable[[Run], Seen]
    events: Mapping[str, EventRef]
    failures: Mapping[str, Failure] = field(default_factory=dict)
    dead: Mapping[str, Failure] = field(default_factory=dict)
    steps: Mapping[str, StepStatus] = field(default_factory=dict)
    looks: Mapping[str, Look | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A listed task is to be taken."""

    event: EventRef
    action: ClassVar[str] = "claim"
    reason: ClassVar[str] = "Keptn lists the task, and nobody of ours has started it"


@dataclass(frozen=True)
class Adopt:
    """A listed task has replies of ours and no run: it is to be ended."""

    event: EventRef
    look: Look
    action: ClassVar[str] = "adopt"
    reason: ClassVar[str] = "Keptn counts replies of ours to the task, of which there is no run"


@dataclass(frozen=True)
class Act:
    """Something is to be done about a run."""

    run: Run
    operation: Operation
    reason: str
    """The rest of a sentence; of a run that is abandoned, the message of its outcome."""

    @property
    def event(self) -> EventRef:
        """The run's."""
        return self.run.event

    @property
    def action(self) -> str:
        """What is done, as the log has it."""
        return self.operation.value


Decision = Claim | Adopt | Act


@dataclass(frozen=True)
class _Facts:
    run: Run
    now: float
    failure: Failure | None
    death: Failure | None
    """How the worker ended that has the run, or had it last, if it is known to have failed."""
    status: StepStatus

    @property
    def can_not_be_taken(self) -> bool:
        """Whether AWS gave up on an invocation that never had the run; one that had it was an attempt."""
        if self.failure is None or self.failure == self.death:
            return False
        return self.run.attempt == 0 or self.failure.version == self.run.version

    @property
    def was_absent(self) -> bool:
        """Whether its own listing was empty once, which proves nothing any more: it is listed again."""
        return self.run.absent_at is not None

    @property
    def lease_is_over(self) -> bool:
        return self.now >= self.run.lease_until or self.worker_is_dead

    @property
    def worker_is_dead(self) -> bool:
        """Whether the lease is a worker's that is known to be dead, so that nobody acts on the run."""
        return self.death is not None and self.run.state in {State.RUNNING, State.WAITING}

    @property
    def waits_too_long(self) -> bool:
        return self.run.started_at is None and self.now >= self.run.claimed_at + START_AFTER

    @property
    def owes_a_finished(self) -> bool:
        return not self.run.silent and self.lease_is_over

    @property
    def step(self) -> RemoteStep | None:
        """The run's step, while nobody is at it."""
        return self.run.step if self.lease_is_over else None

    @property
    def is_not_known(self) -> bool:
        return self.step is not None and not self.step.handle

    @property
    def has_ended(self) -> bool:
        return self.step is not None and self.status in {StepStatus.ENDED, StepStatus.MISSING}

    @property
    def is_given_up(self) -> bool:
        """Whether AWS gave up on the workers that were to submit the step or handle its end, or refused to
        invoke any, they were lost, or no worker handled its end in time.
        """
        step, failure = self.run.step, self.failure
        if step is None:
            return False
        often = step.wakes >= MOST_ATTEMPTS
        failed = failure is not None and failure.version in {None, self.run.version}
        lost = step.resumes >= MOST_ATTEMPTS and (self.is_not_known or self.has_ended)
        first = step.woken_at
        late = often and self.has_ended and first is not None and self.now >= first + HANDLED_WITHIN
        return (often and (failed or self.is_refused)) or lost or late

    @property
    def is_refused(self) -> bool:
        """Whether AWS will not invoke a worker: its permissions may have been new at the first tries."""
        return self.run.refusals >= MOST_ATTEMPTS

    @property
    def is_overdue(self) -> bool:
        """Whether its step should have ended long ago, and the service does not say that it has."""
        step = self.step
        return bool(step and step.handle and not self.has_ended and self.now >= step.deadline + OVERDUE)

    @property
    def is_past_its_deadline(self) -> bool:
        is_under_way = self.status is StepStatus.UNDER_WAY
        return self.step is not None and is_under_way and self.now >= self.step.deadline

    @property
    def was_just_reported(self) -> bool:
        return self.run.reported_at is not None and self.now < self.run.reported_at + CLOSED_AFTER

    @property
    def look_is_due(self) -> bool:
        return look_is_due(self.run, self.now)

    @property
    def may_lack_its_started(self) -> bool:
        return self.run.start_uncertain and self.look_is_due


@dataclass(frozen=True)
class _Row:
    seen: Seen
    state: State
    fits: Callable[[_Facts], bool]
    operation: Operation
    reason: str | Callable[[_Facts], str]


def _given_up(facts: _Facts) -> str:
    return facts.failure.reason if facts.failure else ""


def _crashed(facts: _Facts) -> str:
    known = facts.death or facts.failure
    why = f": {known.reason}" if known else "; see its log group."
    return f"The worker was lost {facts.run.attempt} times before the task began{why}"


def _lost(facts: _Facts) -> str:
    why = f": {facts.death.reason}" if facts.death else "; see its log group."
    return f"The worker was lost while the task ran (out of memory, killed, or a crash){why}"


def _unhandled(facts: _Facts) -> str:
    step = facts.run.waits_for
    what = (
        f"The task's {step.kind} ended, and its end could not be handled"
        if step.handle
        else f"The task's {step.kind} could not be started"
    )
    if facts.is_refused:
        why = facts.run.refused
    elif facts.failure:
        why = facts.failure.reason
    elif step.resumes >= MOST_ATTEMPTS:
        why = f"the worker was lost {step.resumes} times; see its log group"
    else:
        why = step.trouble or "no worker took it up; see the worker's throttles"
    return f"{what}: {why}"


def _untold(facts: _Facts) -> str:
    step = facts.run.waits_for
    if facts.status is StepStatus.UNDER_WAY:
        return f"The task's {step.kind} still runs, long after its deadline (maxPollDuration)."
    return f"AWS does not say how the task's {step.kind} ended, long after its deadline (maxPollDuration)."


NOT_TAKEN = "No worker took the task before its deadline (RunDeadlineSeconds); see the worker's throttles."
STARTED_IN_DOUBT = "Keptn may not have its started"
ACTIVE = (State.CLAIMED, State.RUNNING, State.WAITING, State.DONE)
OPEN, CLAIMED, RUNNING, WAITING, DONE = Seen.OPEN, *ACTIVE
ROWS: tuple[_Row, ...] = (
    #    event run      and                                  operation, and why
    _Row(OPEN, CLAIMED, lambda f: f.can_not_be_taken, Operation.ABANDON, _given_up),
    _Row(OPEN, CLAIMED, lambda f: f.is_refused, Operation.ABANDON, lambda f: f.run.refused),
    _Row(OPEN, CLAIMED, lambda f: f.run.attempt >= MOST_ATTEMPTS, Operation.ABANDON, _crashed),
    _Row(OPEN, CLAIMED, lambda f: f.now >= f.run.deadline, Operation.ABANDON, NOT_TAKEN),
    _Row(OPEN, CLAIMED, lambda f: f.waits_too_long, Operation.SEND_STARTED, "Keptn would give up on it"),
    _Row(OPEN, CLAIMED, lambda f: f.lease_is_over, Operation.DISPATCH, "none has taken it in time"),
    _Row(OPEN, CLAIMED, lambda f: f.may_lack_its_started, Operation.REPAIR, STARTED_IN_DOUBT),
    _Row(OPEN, RUNNING, lambda f: f.step is not None, Operation.WAIT_AGAIN, "its worker was lost"),
    _Row(OPEN, RUNNING, lambda f: f.lease_is_over and f.run.begun, Operation.ABANDON, _lost),
    _Row(
        OPEN,
        RUNNING,
        lambda f: f.lease_is_over,
        Operation.TAKE_BACK,
        "its worker was lost, and nothing had begun",
    ),
    _Row(OPEN, RUNNING, lambda f: f.may_lack_its_started, Operation.REPAIR, STARTED_IN_DOUBT),
    _Row(OPEN, WAITING, lambda f: f.is_given_up, Operation.ABANDON, _unhandled),
    _Row(OPEN, WAITING, lambda f: f.is_overdue, Operation.ABANDON, _untold),
    _Row(OPEN, WAITING, lambda f: f.has_ended, Operation.WAKE, "it has ended"),
    _Row(OPEN, WAITING, lambda f: f.is_not_known, Operation.FIND, "it may not have been submitted"),
    _Row(OPEN, WAITING, lambda f: f.is_past_its_deadline, Operation.STOP, "its maxPollDuration is over"),
    _Row(OPEN, WAITING, lambda f: f.may_lack_its_started, Operation.REPAIR, STARTED_IN_DOUBT),
    _Row(
        OPEN, DONE, lambda f: f.owes_a_finished and f.run.finishes == 0, Operation.REPORT, "nobody sends it"
    ),
    _Row(OPEN, DONE, lambda f: f.owes_a_finished and f.look_is_due, Operation.REPAIR, "Keptn still lists it"),
    *(_Row(OPEN, s, lambda f: f.was_absent, Operation.FORGET_ABSENCE, "Keptn lists it") for s in ACTIVE),
    *(
        _Row(Seen.ABSENT, s, lambda f: not f.was_just_reported, Operation.PROVE, "Keptn does not list it")
        for s in ACTIVE
    ),
)


def plan(observed: Observed, active: Sequence[Run], now: float) -> list[Decision]:
    """What to do in this cycle, runs first: they were here before."""
    decisions = (decide(run, observed, now) for run in active)
    starts = (decide_start(observed.events[event_id], look) for event_id, look in observed.looks.items())
    return [decision for decision in (*decisions, *starts) if decision]


def decide(run: Run, observed: Observed, now: float) -> Act | None:
    """What to do about a run, if anything."""
    event_id = run.event.id
    facts = _Facts(
        run,
        now,
        failure=observed.failures.get(event_id),
        death=observed.dead.get(run.invocation),
        status=observed.steps.get(event_id, StepStatus.UNKNOWN),
    )
    seen = observed.seen(run)
    if seen is Seen.ABSENT and run.silent and run.state in {State.RUNNING, State.WAITING}:
        seen = Seen.OPEN  # silent work goes on, whatever becomes of the event that it answers nothing to
    for row in ROWS:
        if row.seen is seen and row.state is run.state and row.fits(facts):
            return Act(run, row.operation, row.reason if isinstance(row.reason, str) else row.reason(facts))
    return None


def decide_start(event: EventRef, look: Look | None) -> Claim | Adopt | None:
    """Claim an open task that nobody of ours has started; leave one that is paused or over, or that Keptn has
    yet to note.
    """
    if look is None or look.standing is not Standing.OPEN:
        return None
    if look.starts or look.finishes:
        return Adopt(event, look)
    return None if look.paused else Claim(event)


def is_over(look: Look | None) -> bool:
    """Whether Keptn says that a task is over; a deleted project has none (None).

    Of one that Keptn knows nothing of, or has still as the current one, two empty listings of the event
    alone, some time apart, are the proof. An abort in the moment in which Keptn triggers a task leaves one
    that is current for ever, and that no reply can complete.
    """
    return look is None or look.standing is Standing.OVER


def is_absent_for_good(run: Run, now: float) -> bool:
    """Whether an empty listing of the event, now, is the second of two."""
    return run.absent_at is not None and ABSENT <= now - run.absent_at <= ABSENT_FORGOTTEN


def look_is_due(run: Run, now: float) -> bool:
    """Whether Keptn is to be asked for replies that it may not have counted: two looks before each repair."""
    if run.looked_at is not None:
        return now >= run.looked_at + BETWEEN_LOOKS
    quiet = QUIET[run.repairs] if run.repairs < len(QUIET) else QUIET_LATER
    return now >= run.last_post_at + quiet - BETWEEN_LOOKS


def may_submit(step: RemoteStep, now: float) -> bool:
    """Whether to submit a step of which its service knows nothing: only where that can't start a second."""
    may_be_forgotten = step.submitted_at is not None and now >= step.submitted_at + SUBMITTED_ONCE
    return not may_be_forgotten and now < step.deadline
