"""One run in the worker: acquired or taken up again, its event fetched, its actions done, and finished."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import EventRef, Outcome, RefusedEvent, TriggeredEvent, read_triggered
from execution_plane.keptn.transport import KeptnError
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.replies import NotStarted, Replies
from execution_plane.ledger.runs import MOST_ATTEMPTS, START_WITHIN, Origin, Run, State
from execution_plane.ledger.table import Ledger, LedgerUnavailable, LostRace
from execution_plane.steps import StepEnd, Steps, StepsUnavailable
from execution_plane.telemetry import logger
from runs.actions import broken_off
from runs.lease import RunLease
from runs.retrying import RETRY_PAUSES, retry
from runs.work import (
    Inapplicable,
    NoCapacity,
    Pending,
    Resumption,
    SubmissionRefused,
    SubmissionUncertain,
    TaskCancelled,
    TaskContext,
    Unreachable,
    Unreadable,
    Work,
    WorkFinder,
)

END_RESERVE = 10.0  # seconds before the function's deadline at which a task still running is stopped
PROGRESS_SECONDS = 3.0  # for one status.changed, during which nobody watches the task
NOT_HANDLED = "no action handles the event"
NOTHING_DONE = Outcome("warning", "succeeded", f"Nothing was done: {NOT_HANDLED}.")
LEDGER_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds: an outcome is worth waiting for


class _NotYet(Exception):
    """A run can't be worked on now, through no fault of its task's; the text says why."""


class _NotOpen(_NotYet):
    """Keptn does not list the run's event, nor has it for silent work, which outlives it."""


@dataclass(frozen=True)
class _Invocation:
    """What one invocation does: the work of a run's event, from its beginning or from a step on."""

    lease: RunLease
    event: TriggeredEvent
    work: Work
    deadline: Deadline


@dataclass(frozen=True)
class RunExecutor:
    """Handles one run an invocation. A doubled or late invocation finds the run taken, and does nothing."""

    control_plane: ControlPlane
    ledger: Ledger
    replies: Replies
    work_finder: WorkFinder
    steps: Steps
    errors: ErrorLog
    clock: Clock
    pool: Executor
    """For what is asked of Keptn beside a run's event."""

    def handle(
        self,
        event_id: str,
        deadline: Deadline,
        origin: Origin,
        *,
        invocation: str = "",
        version: int | None = None,
    ) -> str:
        """Handle a dispatched run; what happened, in a few words. Raises LedgerUnavailable.

        A waiting run is taken up only in the `version` in which it was dispatched. `deadline` is the
        function's own, `invocation` its request id; `origin` is what the event came by.
        """
        run = self.ledger.get(event_id)
        try:
            if run is not None and run.state is State.CLAIMED and run.attempt < MOST_ATTEMPTS:
                run = self.ledger.move(run, run.acquired(self.clock.now(), invocation))
                return self._begin(run, deadline, origin)
            if run is not None and run.state is State.WAITING and run.version == version:
                return self._take_up(run, deadline, invocation)
        except LostRace:
            return "somebody else has the run"
        return "nothing to do"

    def waiting_for(self, token: str) -> Run | None:
        """The run that waits for the step that was submitted by `token`. Raises LedgerUnavailable."""
        waits = (run for run in self.ledger.active() if run.step and run.step.token == token)
        listed = next(waits, None)
        run = self.ledger.get(listed.event.id) if listed else None
        is_it = run and run.state is State.WAITING and run.step and run.step.token == token
        return run if is_it else None

    def handle_end(self, run: Run, end: StepEnd, deadline: Deadline, invocation: str = "") -> str:
        """Go on with a waiting run whose step has ended; what happened. Raises LedgerUnavailable."""
        try:
            return self._resume(run, end, deadline, invocation)
        except LostRace:
            return "somebody else has the run"

    def _begin(self, run: Run, deadline: Deadline, origin: Origin) -> str:
        try:
            event, work = self._prepare(run, deadline, origin)
        except _NotYet as problem:
            return self._requeue(run, str(problem))
        if work is None:
            logger.info(NOT_HANDLED, event_id=run.event.id, type=run.event.type)
            if run.started_at is None:
                self.ledger.move(run, run.completed_silently())
                return NOT_HANDLED
            work = Work(is_silent=False, perform=lambda _, __: NOTHING_DONE)
        # Once Keptn was told that the task has started, as it is after long in Lambda's queue, it must hear
        # of its end.
        is_silent = work.is_silent and run.started_at is None
        if run.started_at is None and not is_silent:
            try:
                run = self.replies.start(run, deadline.earlier_by(END_RESERVE))
            except NotStarted as problem:
                return self._requeue(problem.run, f"started can't be sent: {problem}")
        lease = RunLease(self.ledger, self.clock, run, deadline, origin, silent=is_silent)
        return self._go_on(_Invocation(lease, event, work, deadline), None)

    def _take_up(self, run: Run, deadline: Deadline, invocation: str) -> str:
        """Take up a waiting run whose step has ended, or was never known to begin."""
        step = run.step
        assert step is not None
        if not step.handle:
            return self._resume(run, None, deadline, invocation)
        try:
            end = self.steps.end_of(step, self.clock.now())
        except StepsUnavailable as problem:
            return f"put off: {problem}"
        return self._resume(run, end, deadline, invocation) if end else f"the {step.kind} has not ended"

    def _resume(self, run: Run, end: StepEnd | None, deadline: Deadline, invocation: str) -> str:
        step = run.step
        assert step is not None
        run = self.ledger.move(run, run.resumed(self.clock.now(), str(end or ""), invocation))
        if end:
            said: dict[str, Any] = {"kind": step.kind, step.kind: end.handle, "how": str(end), **end.codes}
            logger.info("step ended", event_id=run.event.id, **said)
        try:
            event, work = self._prepare(run, deadline, step.origin)
        except _NotYet as problem:
            if not (run.silent and isinstance(problem, _NotOpen)):
                return self._requeue(run, str(problem))
            self.ledger.move(run, run.completed_silently())
            ended: dict[str, Any] = {step.kind: end and vars(end)}
            logger.warning(
                "a silent run ends with its step: Keptn no longer has its event",
                event_id=run.event.id,
                **ended,
            )
            return "done silently"
        lease = RunLease(self.ledger, self.clock, run, deadline, step.origin, silent=run.silent)
        work = work or _broken("The job config no longer handles the event.")
        return self._go_on(_Invocation(lease, event, work, deadline), Resumption(step, run.earlier, end))

    def _prepare(self, run: Run, deadline: Deadline, origin: Origin) -> tuple[TriggeredEvent, Work | None]:
        """The run's event, and its work, None if nothing here handles it. Raises _NotYet."""
        search = self.pool.submit(self.work_finder.search, run, deadline.earlier_by(END_RESERVE))
        try:
            event = self._fetch(self.control_plane.fetch_event, run)
            if event is None and run.step and run.silent:
                event = self._fetch(self.control_plane.recall_event, run)
        except KeptnError as problem:
            raise _NotYet(f"the event can't be fetched: {problem}") from None
        if event is None:
            raise _NotOpen("the event is not open")
        event = event.with_subscription(origin.subscription_id)
        try:
            return event, search.result()(event)
        except Unreachable as problem:
            if run.step or self.clock.now() < run.claimed_at + START_WITHIN:
                raise _NotYet(str(problem)) from None
            return event, _broken(str(problem))
        except Unreadable as problem:
            if run.step or not isinstance(problem, Inapplicable):
                return event, _broken(str(problem))
            self._note_inapplicable(run, problem)
            return event, None

    def _fetch(self, ask: Callable[[EventRef], Any], run: Run) -> TriggeredEvent | None:
        """What Keptn has of a run's event, None if that is nothing to work with. Raises KeptnError."""
        raw = retry(lambda: ask(run.event), KeptnError, RETRY_PAUSES, self.clock)
        try:
            return read_triggered(raw) if raw is not None else None
        except RefusedEvent:
            return None

    def _requeue(self, run: Run, reason: str) -> str:
        """The poller dispatches the run again, or has its step taken up again, or closes it."""
        now = self.clock.now()
        self.ledger.move(run, run.put_back(reason, now) if run.step else run.given_back(now, reason))
        logger.warning("run requeued", event_id=run.event.id, reason=reason)
        return f"requeued: {reason}"

    def _go_on(self, invocation: _Invocation, resumption: Resumption | None) -> str:
        """Do the work until it is done, or waits for a step."""
        while True:
            try:
                outcome = self._perform(invocation, resumption)
            except TaskCancelled:
                return "the run was cancelled, and its task stopped"
            if isinstance(outcome, Outcome):
                return self._complete(invocation, outcome)
            step = replace(outcome.step, job_config=invocation.work.keep())
            refusal = self._submit(invocation.lease, replace(outcome, step=step))
            if isinstance(refusal, str):
                return refusal
            resumption = Resumption(step, outcome.earlier, refusal)

    def _perform(self, invocation: _Invocation, resumption: Resumption | None) -> Outcome | Pending:
        """Do the work. Whatever it raises but TaskCancelled is an errored outcome."""
        lease, run = invocation.lease, invocation.lease.run
        until = invocation.deadline.earlier_by(END_RESERVE)

        def report(message: str) -> None:
            if not lease.silent:
                self.replies.progress(lease.run, message, until.no_later_than(PROGRESS_SECONDS))

        context = TaskContext(
            event=invocation.event,
            source=run.source,
            began=run.started_at or run.claimed_at,
            report=report,
            still_wanted=lease.is_ours,
            lease=lease,
            deadline=until,
        )
        try:
            return invocation.work.perform(context, resumption)
        except (TaskCancelled, LostRace, LedgerUnavailable):
            raise
        except Exception as problem:
            logger.exception("the task can't be run", event_id=run.event.id)
            return Outcome.errored(f"The task could not be run: {type(problem).__name__}: {problem}")

    def _submit(self, lease: RunLease, pending: Pending) -> str | StepEnd:
        """Submit a step and let the run wait for it.

        Gives what happened, or, where its service will never start it, an end that says so.
        """
        lease.wait(pending.step, pending.earlier)
        event_id, kind = lease.run.event.id, pending.step.kind
        try:
            handle = pending.submit()
        except SubmissionRefused as refusal:
            end = StepEnd(reason=str(refusal))
            lease.move(lambda run: run.resumed(self.clock.now(), str(end), run.invocation))
            return end
        except NoCapacity as trouble:
            reason = str(trouble)
            lease.move(lambda run: run.not_submitted(reason, self.clock.now()))
            logger.warning("step not started yet", event_id=event_id, kind=kind, reason=reason)
            return f"waiting until there is a place for the {kind}"
        except SubmissionUncertain as doubt:
            logger.warning("step submitted, and no answer", event_id=event_id, kind=kind, reason=str(doubt))
            return f"waiting to learn whether the {kind} was started"
        try:
            lease.move(lambda run: run.submitted(handle, self.clock.now()))
        except LostRace:
            self._stop_if_unwanted(lease.run, handle)
            raise
        logger.info("step started", event_id=event_id, **replace(pending.step, handle=handle).logged)
        return f"waiting for the {kind}"

    def _stop_if_unwanted(self, run: Run, handle: str) -> None:
        """Leave no step behind of a run that came to its end while it was being submitted."""
        current = self.ledger.get(run.event.id)
        if run.step and (current is None or current.state in {State.DONE, State.CLOSED}):
            self.steps.stop(replace(run.step, handle=handle), "Its run had ended before it began.")

    def _complete(self, invocation: _Invocation, outcome: Outcome) -> str:
        """Write the outcome, then send the finished. Raises LostRace if the run was cancelled meanwhile."""
        lease = invocation.lease
        if lease.silent:
            lease.move(Run.completed_silently)
            self._note(lease.run, outcome)
            return "done silently"
        done = retry(
            lambda: lease.move(lambda run: run.completed(outcome, self.clock.now())),
            LedgerUnavailable,
            LEDGER_PAUSES,
            self.clock,
            until=invocation.deadline,
        )
        self.replies.finish(done, invocation.deadline)
        self._note(done, outcome)
        logger.info("run done", event_id=done.event.id, result=outcome.result, status=outcome.status)
        return f"done: {outcome.status}, {outcome.result}"

    def _note_inapplicable(self, run: Run, problem: Inapplicable) -> None:
        """Tell of a job config that is broken somewhere: the event is none of its business, its repair is."""
        logger.warning(
            "the job config is invalid; no action of it is for the event",
            event_id=run.event.id,
            type=run.event.type,
            reason=str(problem),
        )
        message = f"The job config is invalid, and no action of it is for {run.event.type}:\n{problem}"
        self.errors.note(LogEntry.of(run.event, message))

    def _note(self, run: Run, outcome: Outcome) -> None:
        """Tell the Bridge's error log of a task that something broke in."""
        if outcome.status == "errored":
            self.errors.note(LogEntry.of(run.event, outcome.message))


def _broken(reason: str) -> Work:
    """Work that can't be done, or not any further."""
    return Work(is_silent=False, perform=lambda _, resumption: broken_off(reason, resumption))
