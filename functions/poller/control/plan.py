"""What to do about each event and each run: pure decisions, read from one table.

The table is the design's, row by row. The first row that fits a run decides; where none fits there is nothing
to do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.keptn.look import Look, Standing
from execution_plane.ledger.replies import missing
from execution_plane.ledger.runs import MOST_ATTEMPTS, RemoteStep, Run, State, counts
from execution_plane.steps import StepStatus

# Seconds in Lambda's queue, before the poller sends the started: Keptn gives up after 600.
START_AFTER = 300.0
BETWEEN_LOOKS = 60.0  # between two looks that must agree
QUIET = (90.0, 120.0, 240.0, 480.0)  # after our last reply, before the first, second … repair
QUIET_LATER = 900.0  # and before all further ones
PATIENCE = 3  # repairs that may come to nothing before somebody should look into it
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


class Action(Enum):
    """What the controller can do about one event."""

    CLAIM = "claim"
    ADOPT = "adopt"
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
class Step:
    """One thing to do: about a new event, or about a run."""

    action: Action
    event: EventRef | None = None
    look: Look | None = None
    run: Run | None = None
    outcome: Outcome | None = None


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


@dataclass(frozen=True)
class _Row:
    seen: Seen
    state: State
    fits: Callable[[_Facts], bool]
    action: Action
    says: Callable[[_Facts], str] | None = None


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
    step = facts.run.step
    assert step is not None
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
    step = facts.run.step
    assert step is not None
    if facts.status is StepStatus.UNDER_WAY:
        return f"The task's {step.kind} still runs, long after its deadline (maxPollDuration)."
    return f"AWS does not say how the task's {step.kind} ended, long after its deadline (maxPollDuration)."


def _overdue(_: _Facts) -> str:
    return "No worker took the task before its deadline (RunDeadlineSeconds); see the worker's throttles."


ACTIVE = (State.CLAIMED, State.RUNNING, State.WAITING, State.DONE)
ROWS: tuple[_Row, ...] = (
    #    event        run            and                                               action
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.can_not_be_taken, Action.ABANDON, _given_up),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.is_refused, Action.ABANDON, lambda f: f.run.refused),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.run.attempt >= MOST_ATTEMPTS, Action.ABANDON, _crashed),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.now >= f.run.deadline, Action.ABANDON, _overdue),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.waits_too_long, Action.SEND_STARTED),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.lease_is_over, Action.DISPATCH),
    _Row(Seen.OPEN, State.CLAIMED, lambda f: f.run.start_uncertain and f.look_is_due, Action.REPAIR),
    _Row(Seen.OPEN, State.RUNNING, lambda f: f.step is not None, Action.WAIT_AGAIN),
    _Row(Seen.OPEN, State.RUNNING, lambda f: f.lease_is_over and f.run.begun, Action.ABANDON, _lost),
    _Row(Seen.OPEN, State.RUNNING, lambda f: f.lease_is_over, Action.TAKE_BACK),
    _Row(Seen.OPEN, State.RUNNING, lambda f: f.run.start_uncertain and f.look_is_due, Action.REPAIR),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.is_given_up, Action.ABANDON, _unhandled),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.is_overdue, Action.ABANDON, _untold),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.has_ended, Action.WAKE),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.is_not_known, Action.FIND),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.is_past_its_deadline, Action.STOP),
    _Row(Seen.OPEN, State.WAITING, lambda f: f.run.start_uncertain and f.look_is_due, Action.REPAIR),
    _Row(Seen.OPEN, State.DONE, lambda f: f.owes_a_finished and f.run.finishes == 0, Action.REPORT),
    _Row(Seen.OPEN, State.DONE, lambda f: f.owes_a_finished and f.look_is_due, Action.REPAIR),
    *(_Row(Seen.OPEN, state, lambda f: f.was_absent, Action.FORGET_ABSENCE) for state in ACTIVE),
    *(_Row(Seen.ABSENT, state, lambda f: not f.was_just_reported, Action.PROVE) for state in ACTIVE),
)


def plan(observed: Observed, active: Sequence[Run], now: float) -> list[Step]:
    """What to do in this cycle, runs first: they were here before."""
    steps = [step for run in active if (step := _step_for(run, observed, now))]
    for event_id, look in observed.looks.items():
        if action := decide_start(look):
            steps.append(Step(action, event=observed.events[event_id], look=look))
    return steps


def _step_for(run: Run, observed: Observed, now: float) -> Step | None:
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
            return Step(row.action, run=run, outcome=Outcome.errored(row.says(facts)) if row.says else None)
    return None


def decide_start(look: Look | None) -> Action | None:
    """Claim an open task that nobody of ours has started; leave one that is paused or over, or that Keptn has
    yet to note.
    """
    if look is None or look.standing is not Standing.OPEN:
        return None
    if look.starts or look.finishes:
        return Action.ADOPT
    return None if look.paused else Action.CLAIM


class Proof(Enum):
    """What is known of an event that a listing did not have."""

    GONE = "gone"
    ASK = "ask for the event itself"
    """Keptn knows nothing of the task, or has it still as the current one: two empty listings of the event
    alone, some time apart, are the proof. An abort in the moment in which Keptn triggers a task leaves one
    that is current for ever, and that no reply can complete.
    """


def prove(look: Look | None) -> Proof:
    """Whether the event is gone. A deleted project has no tasks (None)."""
    return Proof.GONE if look is None or look.standing is Standing.OVER else Proof.ASK


def is_absent_for_good(run: Run, now: float) -> bool:
    """Whether an empty listing of the event, now, is the second of two."""
    return run.absent_at is not None and ABSENT <= now - run.absent_at <= ABSENT_FORGOTTEN


def look_is_due(run: Run, now: float) -> bool:
    """Whether Keptn is to be asked for replies that it may not have counted: two looks before each repair."""
    if run.looked_at is not None:
        return now >= run.looked_at + BETWEEN_LOOKS
    quiet = QUIET[run.repairs] if run.repairs < len(QUIET) else QUIET_LATER
    return now >= run.last_post_at + quiet - BETWEEN_LOOKS


class Repair(Enum):
    """What a look decides about replies that Keptn may not have counted."""

    CLOSE = "close"
    LEAVE = "leave"
    LOOK_AGAIN = "look again"
    SEND = "send"
    COMPLETE = "complete"
    """Ours are even: what keeps the task open is another executor's."""


def decide_repair(run: Run, look: Look | None) -> Repair:
    """Send again only what two looks that agree say is missing."""
    if look is None or look.standing is Standing.OVER:
        return Repair.CLOSE
    if look.standing is Standing.GAP:
        return Repair.LEAVE
    if run.looked != counts(look):
        return Repair.LOOK_AGAIN
    is_complete = missing(look) == (0, 0) if run.state is State.DONE else look.starts > 0
    return Repair.COMPLETE if is_complete else Repair.SEND


class Found(Enum):
    """What is to become of a step that may or may not have been submitted."""

    NOTE = "note"
    """It was: its service has it."""
    SUBMIT = "submit"
    GIVE_UP = "give up"


def decide_found(step: RemoteStep, handle: str | None, now: float) -> Found:
    """Submit a step again only where that can't start a second one."""
    if handle is not None:
        return Found.NOTE
    may_be_forgotten = step.submitted_at is not None and now >= step.submitted_at + SUBMITTED_ONCE
    return Found.GIVE_UP if may_be_forgotten or now >= step.deadline else Found.SUBMIT
