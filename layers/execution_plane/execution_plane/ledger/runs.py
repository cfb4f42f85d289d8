"""A run: one triggered event being handled here, from claim to close, as an immutable value.

Each method is one row of the table of states in the design: it returns the run as it is to be written.
Whether the write wins is the ledger's business. Times are epoch seconds by AWS's clocks, never by Keptn's.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from execution_plane.keptn.events import EventRef, Outcome, fitting
from execution_plane.keptn.look import Look
from execution_plane.ledger.history import Change, What

FIRST_DISPATCH_LEASE = 60.0  # doubled with each further dispatch
LONGEST_DISPATCH_LEASE = 960.0
BEGIN_LEASE = 120.0  # for a worker from acquiring a run to sending its started
PREPARE_LEASE = 300.0  # for a worker from its started, or a step's end, to the next step or task
SUBMIT_LEASE = 180.0  # in which a step that was submitted without an answer has surely begun
CAPACITY_PAUSE = 30.0  # before a step that its service had no place for is submitted again
STOP_LEASE = 60.0  # for a step that was told to stop; a service kills it after 30 s
REPORT_LEASE = 60.0  # for whoever sends a finished
RESEND_PAUSE = 20.0  # after a reply that certainly did not arrive
KEEP_CLOSED = 30 * 24 * 3600  # before DynamoDB may delete a closed run
MOST_ATTEMPTS = 3
LONGEST_REFUSAL = 500  # characters, in the index of active runs, which each poll reads
START_WITHIN = 540.0  # from its claim, in which a task may be started: Keptn gives up after 600


class State(StrEnum):
    """Where a run stands."""

    CLAIMED = "claimed"
    """This plane will handle the event; a worker has been invoked."""
    RUNNING = "running"
    """A worker has it, until its lease is over."""
    WAITING = "waiting"
    """Another service works on it, and no worker does."""
    DONE = "done"
    """Its outcome is known; the finished is to be sent, or has been."""
    CLOSED = "closed"
    """Keptn no longer lists the event: nothing is left to do."""


LEADS_TO: dict[State, set[State]] = {
    State.CLAIMED: {State.CLAIMED, State.RUNNING, State.DONE, State.CLOSED},
    State.RUNNING: {State.RUNNING, State.CLAIMED, State.WAITING, State.DONE, State.CLOSED},
    State.WAITING: {State.WAITING, State.RUNNING, State.DONE, State.CLOSED},
    State.DONE: {State.DONE, State.CLOSED},
    State.CLOSED: {State.CLAIMED, State.DONE},
}
"""The states to which each may change; `Run` has no other change to offer."""


@dataclass(frozen=True)
class Origin:
    """By which integration's subscription an event came; empty where the plane is not registered."""

    integration_id: str = ""
    subscription_id: str = ""


@dataclass(frozen=True)
class RemoteStep:
    """The task of a run that another service does: the `task`th of the `action`th that matched, from 0."""

    action: int
    task: int
    token: str
    """By which the service knows it: the same however often it is submitted."""
    target: str
    """Where the service has it, or by what."""
    digest: str
    """Of the actions that matched, to know whether their job config was changed meanwhile."""
    since: float
    deadline: float
    """When it is stopped."""
    kind: str
    """Which service does it, by a noun for what that has of it."""
    integration_id: str = ""
    subscription_id: str = ""
    handle: str = ""
    """What the service calls it, once it is known."""
    submitted_at: float | None = None
    """When one that nobody knows of may have been submitted; None if certainly none was."""
    trouble: str = ""
    """Why the service did not start it so far."""
    wakes: int = 0
    """How often the poller invoked a worker, to submit it or, once it was, for its end."""
    resumes: int = 0
    """How often a worker took it up for that, and was not heard of again."""
    secrets: str = ""
    """Of the versions of the secrets that it was given; empty where it has none."""
    woken_at: float | None = None
    """When the poller first invoked a worker for it."""
    job_config: str = ""
    """The digest of the file by which the run goes on; empty if it is not kept."""

    @property
    def origin(self) -> Origin:
        """By what the run's event came; the end of a step does not say."""
        return Origin(self.integration_id, self.subscription_id)

    @property
    def logged(self) -> dict[str, Any]:
        """Which one it is, as the log has it."""
        return {self.kind: self.handle}


@dataclass(frozen=True)
class TaskDone:
    """A task of a run that has ended, and what it came to."""

    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Run:
    """One item of the ledger.

    `lease_until` is the end of the time in which somebody is trusted to act: in claimed the invocation that
    was dispatched, in running the worker, in waiting whoever submits, stops or takes up its step, in
    done whoever sends the finished.
    """

    event: EventRef
    source: str
    state: State
    claimed_at: float
    deadline: float
    version: int = 1
    lease_until: float = 0.0
    dispatches: int = 0
    attempt: int = 0
    invocation: str = ""
    """The request id of the worker's invocation that has the run, or had it last."""
    refusals: int = 0
    """How often AWS refused to invoke a worker, since the last one had the run."""
    refused: str = ""
    """Why it did so last."""
    started_at: float | None = None
    """When a started may have been sent; None if certainly none was."""
    start_uncertain: bool = False
    """Keptn may not have the started: nobody has noted an answer to it."""
    begun: bool = False
    """A task may have begun in the worker, so it must never be run again."""
    step: RemoteStep | None = None
    """The step that a waiting run waits for, or whose end a running one handles."""
    earlier: tuple[TaskDone, ...] = ()
    """What the tasks before the step came to."""
    outcome: Outcome | None = None
    silent: bool = False
    """No reply is owed: none was sent, and nothing here handles the event, or all that does is silent."""
    finishes: int = 0
    """How many finished may have been sent."""
    reported_at: float | None = None
    looked_at: float | None = None
    looked: str = ""
    """What the first of two agreeing looks counted, as "starts/finishes"."""
    repairs: int = 0
    absent_at: float | None = None
    """When the event's own listing was first empty."""
    was: State | None = None
    closed_as: str = ""
    expires_at: int | None = None
    change: Change | None = field(default=None, compare=False)
    """What the write that brings the run to where it stands is about; it goes into the run's history."""

    @classmethod
    def claimed(cls, event: EventRef, source: str, now: float, deadline: float) -> "Run":
        """A new run, about to be dispatched for the first time."""
        return cls(
            event=event,
            source=source,
            state=State.CLAIMED,
            claimed_at=now,
            deadline=deadline,
            dispatches=1,
            lease_until=now + FIRST_DISPATCH_LEASE,
            change=Change(What.CLAIMED),
        )

    @classmethod
    def adopted(cls, event: EventRef, source: str, now: float, look: Look) -> "Run":
        """A task that Keptn says we started while the ledger knows nothing of it: end it, and start
        nothing.
        """
        return cls(
            event=event,
            source=source,
            state=State.DONE,
            claimed_at=now,
            deadline=now,
            started_at=now,
            outcome=Outcome.errored("This plane lost its record of the task and can't tell how it ended."),
            finishes=look.finishes,
            reported_at=now if look.finishes else None,
            change=Change(What.ADOPTED, f"Keptn counts {counts(look)}"),
        )

    @property
    def is_active(self) -> bool:
        """Whether the event may still be open in Keptn."""
        return self.state is not State.CLOSED

    @property
    def waits_for(self) -> RemoteStep:
        """The step of a run that has one, as every waiting run has."""
        assert self.step is not None
        return self.step

    @property
    def closed_at(self) -> int | None:
        """When the run was closed; None while it is active."""
        return self.expires_at - KEEP_CLOSED if self.expires_at else None

    @property
    def last_post_at(self) -> float:
        """When a counted reply may last have been sent."""
        return max(
            self.started_at or 0.0, self.reported_at or 0.0, self.lease_until if self.finishes else 0.0
        )

    @property
    def moved_at(self) -> float:
        """When its task last went on; what is done about replies that Keptn may lack moves nothing."""
        if self.repairs:
            return self.claimed_at
        step = self.step
        moments = (self.started_at, self.reported_at, step and step.submitted_at, step and step.woken_at)
        return max(self.claimed_at, *(moment or 0.0 for moment in moments))

    def dispatched_again(self, now: float) -> "Run":
        """Another invocation is on its way; the earlier ones may still come."""
        lease = min(FIRST_DISPATCH_LEASE * 2**self.dispatches, LONGEST_DISPATCH_LEASE)
        return self._next(What.DISPATCHED, dispatches=self.dispatches + 1, lease_until=now + lease)

    def not_dispatched(self, refused: str) -> "Run":
        """AWS refuses to invoke a worker, and will do so again; the lease goes on, until another try."""
        return self._next(
            Change(What.NOT_DISPATCHED, refused),
            refusals=self.refusals + 1,
            refused=refused[:LONGEST_REFUSAL],
        )

    def acquired(self, now: float, invocation: str = "") -> "Run":
        """A worker takes the claimed run, for as long as it needs to send its started."""
        return self._next(
            What.ACQUIRED,
            state=State.RUNNING,
            attempt=self.attempt + 1,
            invocation=invocation,
            refusals=0,
            refused="",
            lease_until=now + BEGIN_LEASE,
        )

    def starting(self, now: float) -> "Run":
        """Written before a started is sent, by whoever sends it and may yet be lost."""
        return self._next(What.STARTING, started_at=now, start_uncertain=True, silent=False)

    def not_started(self) -> "Run":
        """The started certainly did not arrive."""
        return self._next(What.NOT_STARTED, started_at=None, start_uncertain=False)

    def start_answered(self) -> "Run":
        """Keptn has the started."""
        return self._next(What.START_ANSWERED, start_uncertain=False)

    def preparing(self, now: float, *, silent: bool) -> "Run":
        """The worker makes the first step ready; no task has begun."""
        return self._next(What.PREPARING, lease_until=now + PREPARE_LEASE, silent=silent)

    def beginning(self, lease_until: float, *, silent: bool = False) -> "Run":
        """Written before the first task begins in the worker, which keeps the run until its function's
        deadline.
        """
        return self._next(What.BEGINNING, begun=True, silent=silent, lease_until=lease_until)

    def going_on(self, earlier: tuple[TaskDone, ...], lease_until: float, now: float) -> "Run":
        """Written before a task begins in the worker behind a step: there is no way back to that."""
        deadline = self._deadline_without_step(now)
        return self._next(
            Change(What.GOING_ON, f"after {earlier[-1].name}" if earlier else ""),
            begun=True,
            step=None,
            earlier=earlier,
            deadline=deadline,
            lease_until=lease_until,
        )

    def waiting(self, step: RemoteStep, earlier: tuple[TaskDone, ...], now: float, *, silent: bool) -> "Run":
        """Written before a step is submitted, by the worker that submits it at once."""
        step = replace(step, submitted_at=step.submitted_at or now, handle="", trouble="")
        return self._next(
            Change(What.WAITING, step.kind),
            state=State.WAITING,
            silent=silent,
            step=step,
            earlier=earlier,
            deadline=self._deadline_without_step(now, unless=step.token),
            lease_until=now + SUBMIT_LEASE,
        )

    def submitted(self, handle: str, now: float) -> "Run":
        """The step is known to its service; what is counted from here on is about its end."""
        return self._at_step(
            Change(What.SUBMITTED, handle),
            lease_until=now,
            handle=handle,
            trouble="",
            wakes=0,
            woken_at=None,
            resumes=0,
        )

    def not_submitted(self, trouble: str, now: float) -> "Run":
        """The service certainly did not start it, and may do so later."""
        return self._at_step(
            Change(What.NOT_SUBMITTED, trouble),
            lease_until=now + CAPACITY_PAUSE,
            submitted_at=None,
            trouble=trouble,
            wakes=0,
            resumes=0,
        )

    def woken(self, now: float) -> "Run":
        """A worker is on its way to take up the step."""
        lease = min(FIRST_DISPATCH_LEASE * 2**self.waits_for.wakes, LONGEST_DISPATCH_LEASE)
        woken_at = self.waits_for.woken_at or now
        return self._at_step(
            What.WOKEN, lease_until=now + lease, wakes=self.waits_for.wakes + 1, woken_at=woken_at
        )

    def stopping(self, now: float) -> "Run":
        """Written before the step is stopped."""
        return self._at_step(What.STOPPING, lease_until=now + STOP_LEASE)

    def resumed(self, now: float, how: str = "", invocation: str = "") -> "Run":
        """A worker takes up the step: it reads how that ended, or makes it ready again."""
        taken = self._at_step(
            Change(What.RESUMED, how),
            lease_until=now + PREPARE_LEASE,
            state=State.RUNNING,
            resumes=self.waits_for.resumes + 1,
        )
        return replace(
            taken,
            attempt=self.attempt + 1,
            invocation=invocation,
            refusals=0,
            refused="",
        )

    def waiting_again(self, now: float) -> "Run":
        """Back to waiting by the poller: the worker that had taken up the step was lost."""
        return self._next(What.WAITING_AGAIN, state=State.WAITING, lease_until=now)

    def put_back(self, trouble: str, now: float) -> "Run":
        """Back to waiting by the worker, through no fault of the task's."""
        return self._at_step(
            Change(What.PUT_BACK, trouble),
            state=State.WAITING,
            lease_until=now + RESEND_PAUSE,
            resumes=self.waits_for.resumes - 1,
            trouble=trouble,
        )

    def given_back(self, now: float, reason: str = "") -> "Run":
        """Back to claimed by the worker, the task not having begun, through no fault of the task's."""
        return self._next(
            Change(What.GIVEN_BACK, reason),
            state=State.CLAIMED,
            attempt=self.attempt - 1,
            lease_until=now + RESEND_PAUSE,
        )

    def taken_back(self, now: float) -> "Run":
        """Back to claimed by the poller: the worker was lost before the task began."""
        return self._next(What.TAKEN_BACK, state=State.CLAIMED, lease_until=now)

    def completed(self, outcome: Outcome, now: float) -> "Run":
        """The run has its outcome, and whoever writes this sends its finished at once."""
        return self._next(
            Change(What.COMPLETED, in_short(outcome)),
            state=State.DONE,
            outcome=fitting(outcome, self.event.task),
            finishes=self.finishes + 1,
            lease_until=now + REPORT_LEASE,
            looked_at=None,
            looked="",
        )

    def ended(self, outcome: Outcome, now: float) -> "Run":
        """An operator ends the run; the next poll sends its finished, which nobody else has begun to send."""
        if self.silent:
            return self._next(Change(What.ENDED, outcome.message), state=State.DONE)
        return self._next(
            Change(What.ENDED, outcome.message),
            state=State.DONE,
            outcome=fitting(outcome, self.event.task),
            lease_until=now,
            looked_at=None,
            looked="",
        )

    def completed_silently(self) -> "Run":
        """The run is done and owes Keptn no reply."""
        return self._next(What.COMPLETED_SILENTLY, state=State.DONE, silent=True)

    def reporting(self, now: float) -> "Run":
        """Written before a finished is sent, by whoever sends it; what was counted before is outdated."""
        return self._next(
            What.REPORTING,
            finishes=self.finishes + 1,
            lease_until=now + REPORT_LEASE,
            looked_at=None,
            looked="",
        )

    def not_reported(self, now: float) -> "Run":
        """The finished certainly did not arrive."""
        return self._next(What.NOT_REPORTED, finishes=self.finishes - 1, lease_until=now + RESEND_PAUSE)

    def reported(self, now: float) -> "Run":
        """The finished was sent, and answered for or not."""
        return self._next(What.REPORTED, reported_at=now, lease_until=now)

    def looked_first(self, look: Look, now: float) -> "Run":
        """Keep what a look counted, for a later one to agree with."""
        return self._next(
            Change(What.LOOKED, counts(look)), looked_at=now, looked=counts(look), absent_at=None
        )

    def repairing(self, now: float) -> "Run":
        """Written before what is missing of our replies is sent again; the next looks start afresh."""
        change = Change(What.REPAIRING, f"the {self.repairs + 1}. time; Keptn counted {self.looked}")
        is_done = self.state is State.DONE
        claim = self.reporting(now) if is_done else self._next(change, looked_at=None, looked="")
        return replace(claim, change=change, repairs=self.repairs + 1, started_at=now, start_uncertain=True)

    def absent_first(self, now: float) -> "Run":
        """The event's own listing is empty; a second time will prove that it is gone."""
        return self._next(What.ABSENT, absent_at=now)

    def present_again(self) -> "Run":
        """The event is listed after all."""
        return self._next(What.PRESENT, absent_at=None)

    def complete_as_counted(self, now: float) -> "Run":
        """Two looks agree that Keptn has all our replies."""
        if self.state is not State.DONE:
            return self._next(What.COUNTED, start_uncertain=False, looked_at=None, looked="")
        return self._next(What.COUNTED, reported_at=now, repairs=self.repairs + 1, looked_at=None, looked="")

    def closed(self, now: float) -> "Run":
        """The event is gone; the item expires in a month."""
        closed_as = {State.CLAIMED: "never begun", State.DONE: "acknowledged"}.get(self.state, "cancelled")
        return self._next(
            Change(What.CLOSED, closed_as),
            state=State.CLOSED,
            was=self.state,
            closed_as=closed_as,
            expires_at=int(now) + KEEP_CLOSED,
        )

    def reopened(self, now: float) -> "Run":
        """The event is open after all.

        Work that was cancelled can't be resumed: it is reported as errored.
        """
        if self.was in {State.RUNNING, State.WAITING}:
            cancelled = Outcome.errored(
                "Keptn no longer listed the task, so its work was stopped; then listed it again."
            )
            return self._reopened(state=State.DONE, outcome=cancelled, lease_until=now)
        return self._reopened(state=self.was or State.DONE, lease_until=now)

    def _at_step(
        self, change: What | Change, *, lease_until: float, state: State | None = None, **changes: object
    ) -> "Run":
        """A change of the step, by which the lease is no longer that of the worker before."""
        step = replace(self.waits_for, **changes)  # type: ignore[arg-type]
        state = state or self.state
        return self._next(change, state=state, lease_until=lease_until, step=step, invocation="")

    def _deadline_without_step(self, now: float, *, unless: str = "") -> float:
        """The run's deadline once it leaves its step: a step's time counts against its own alone."""
        if self.step is None or self.step.token == unless:
            return self.deadline
        return self.deadline + now - self.step.since

    def _reopened(self, **changes: object) -> "Run":
        return self._next(What.REOPENED, was=None, closed_as="", expires_at=None, absent_at=None, **changes)

    def _next(self, change: What | Change, **changes: object) -> "Run":
        """Raises ValueError if the state does not lead to the one that is to be next."""
        state = changes.get("state", self.state)
        if state not in LEADS_TO[self.state]:
            raise ValueError(f"a {self.state} run does not become {state}")
        change = Change(change) if isinstance(change, What) else change
        return replace(self, version=self.version + 1, change=change, **changes)  # type: ignore[arg-type]


def counts(look: Look) -> str:
    """What a look counted, in the form in which two looks are compared."""
    return f"{look.starts}/{look.finishes}"


def in_short(outcome: Outcome) -> str:
    """An outcome in a line: its status and result, and how its message begins."""
    first, _, _ = outcome.message.partition("\n")
    return f"{outcome.status}, {outcome.result}" + (f": {first}" if first else "")
