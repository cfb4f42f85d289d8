"""One run in the worker: acquired or taken up again, its event fetched, its actions done, and finished."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import Outcome, RefusedEvent, TriggeredEvent, read_triggered
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
    Find,
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


@dataclass(frozen=True)
class _Errand:
    """What one invocation does: the work of a run's event, from its beginning or from a step on."""

    lease: RunLease
    event: TriggeredEvent
    work: Work
    deadline: Deadline


class RunExecutor:
    """Handles one run an invocation. A doubled or late invocation finds the run taken, and does nothing."""

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        ledger: Ledger,
        replies: Replies,
        work_finder: WorkFinder,
        steps: Steps,
        errors: ErrorLog,
        clock: Clock,
        pool: Executor,
    ) -> None:
        """`pool` is for what is asked of Keptn beside a run's event."""
        self._control_plane = control_plane
        self._ledger = ledger
        self._replies = replies
        self._work_finder = work_finder
        self._steps = steps
        self._errors = errors
        self._clock = clock
        self._pool = pool

    def handle(
        self,
        event_id: str,
        deadline: Deadline,
        *,
        invocation: str = "",
        version: int | None = None,
        integration_id: str = "",
        subscription_id: str = "",
    ) -> str:
        """Serve a dispatched run; what happened, in a few words. Raises LedgerUnavailable.

        A waiting run is taken up only in the `version` in which it was dispatched. `deadline` is the
        function's own, `invocation` its request id; the two other ids are of what the event came by.
        """
        run = self._ledger.get(event_id)
        try:
            if run is not None and run.state is State.CLAIMED and run.attempt < MOST_ATTEMPTS:
                run = self._ledger.move(run, run.acquired(self._clock.now(), invocation))
                return self._serve(run, deadline, Origin(integration_id, subscription_id))
            if run is not None and run.state is State.WAITING and run.version == version:
                return self._take_up(run, deadline, invocation)
        except LostRace:
            return "somebody else has the run"
        return "nothing to do"

    def waiting_for(self, token: str) -> Run | None:
        """The run that waits for the step that was submitted by `token`. Raises LedgerUnavailable."""
        waits = (run for run in self._ledger.active() if run.step and run.step.token == token)
        listed = next(waits, None)
        run = self._ledger.get(listed.event.id) if listed else None
        is_it = run and run.state is State.WAITING and run.step and run.step.token == token
        return run if is_it else None

    def handle_end(self, run: Run, end: StepEnd, deadline: Deadline, invocation: str = "") -> str:
        """Go on with a waiting run whose step has ended; what happened. Raises LedgerUnavailable."""
        try:
            return self._resume(run, end, deadline, invocation)
        except LostRace:
            return "somebody else has the run"

    def _serve(self, run: Run, deadline: Deadline, origin: Origin) -> str:
        search = self._search(run, deadline)
        try:
            event = self._fetch(run)
        except KeptnError as problem:
            return self._give_back(run, f"the event can't be fetched: {problem}")
        if event is None:
            return self._give_back(run, "the event is not open")
        event = event.with_subscription(origin.subscription_id)
        try:
            work = search.result()(event)
        except Unreachable as problem:
            if self._clock.now() < run.claimed_at + START_WITHIN:
                return self._give_back(run, str(problem))
            work = _broken(str(problem))
        except Inapplicable as problem:
            self._note_inapplicable(run, problem)
            work = None
        except Unreadable as problem:
            work = _broken(str(problem))
        if work is None:
            logger.info(NOT_HANDLED, event_id=run.event.id, type=run.event.type)
            if run.started_at is None:
                self._ledger.move(run, run.completed_silently())
                return NOT_HANDLED
            work = Work(is_silent=False, perform=lambda _, __: NOTHING_DONE)
        # Once Keptn was told that the task has started, as it is after long in Lambda's queue, it must hear
        # of its end.
        is_silent = work.is_silent and run.started_at is None
        if run.started_at is None and not is_silent:
            try:
                run = self._replies.start(run, deadline.earlier_by(END_RESERVE))
            except NotStarted as problem:
                return self._give_back(problem.run, f"started can't be sent: {problem}")
        lease = RunLease(self._ledger, self._clock, run, deadline, origin, silent=is_silent)
        return self._go_on(_Errand(lease, event, work, deadline), None)

    def _take_up(self, run: Run, deadline: Deadline, invocation: str) -> str:
        """Take up a waiting run whose step has ended, or was never known to begin."""
        step = run.step
        assert step is not None
        if not step.handle:
            return self._resume(run, None, deadline, invocation)
        try:
            end = self._steps.end_of(step, self._clock.now())
        except StepsUnavailable as problem:
            return f"put off: {problem}"
        return self._resume(run, end, deadline, invocation) if end else f"the {step.kind} has not ended"

    def _resume(self, run: Run, end: StepEnd | None, deadline: Deadline, invocation: str) -> str:
        step = run.step
        assert step is not None
        run = self._ledger.move(run, run.resumed(self._clock.now(), str(end or ""), invocation))
        if end:
            said: dict[str, Any] = {"kind": step.kind, step.kind: end.handle, "how": str(end), **end.codes}
            logger.info("step ended", event_id=run.event.id, **said)
        search = self._search(run, deadline)
        try:
            event = self._fetch(run)
            if event is None and run.silent:
                event = self._recall(run)
        except KeptnError as problem:
            return self._put_back(run, f"the event can't be fetched: {problem}")
        if event is None:
            if not run.silent:
                return self._put_back(run, "the event is not open")
            self._ledger.move(run, run.completed_silently())
            ended: dict[str, Any] = {step.kind: end and vars(end)}
            logger.warning(
                "a silent run ends with its step: Keptn no longer has its event",
                event_id=run.event.id,
                **ended,
            )
            return "done silently"
        event = event.with_subscription(step.subscription_id)
        try:
            work = search.result()(event) or _broken("The job config no longer handles the event.")
        except Unreachable as problem:
            return self._put_back(run, str(problem))
        except Unreadable as problem:
            work = _broken(str(problem))
        lease = RunLease(self._ledger, self._clock, run, deadline, step.origin, silent=run.silent)
        return self._go_on(_Errand(lease, event, work, deadline), Resumption(step, run.earlier, end))

    def _search(self, run: Run, deadline: Deadline) -> "Future[Find]":
        """Look up the run's job config, beside the fetching of its event."""
        return self._pool.submit(self._work_finder.search, run, deadline.earlier_by(END_RESERVE))

    def _fetch(self, run: Run) -> TriggeredEvent | None:
        """The run's event as it is now, None if it is not open. Raises KeptnError."""
        return self._read(lambda: self._control_plane.fetch_event(run.event))

    def _recall(self, run: Run) -> TriggeredEvent | None:
        """The event as Keptn's history has it, for silent work, which outlives it. Raises KeptnError."""
        return self._read(lambda: self._control_plane.recall_event(run.event))

    def _read(self, ask: Callable[[], Any]) -> TriggeredEvent | None:
        raw = retry(ask, KeptnError, RETRY_PAUSES, self._clock)
        try:
            return read_triggered(raw) if raw is not None else None
        except RefusedEvent:
            return None

    def _give_back(self, run: Run, reason: str) -> str:
        """The task has not begun, through no fault of its own: the poller dispatches the run again or
        closes it.
        """
        self._ledger.move(run, run.given_back(self._clock.now(), reason))
        logger.warning("run requeued", event_id=run.event.id, reason=reason)
        return f"requeued: {reason}"

    def _put_back(self, run: Run, reason: str) -> str:
        """The step's end is still to be handled: the poller has it taken up again or closes the run."""
        self._ledger.move(run, run.put_back(reason, self._clock.now()))
        logger.warning("run put back", event_id=run.event.id, reason=reason)
        return f"put back: {reason}"

    def _go_on(self, errand: _Errand, resumption: Resumption | None) -> str:
        """Do the work until it is done, or waits for a step."""
        while True:
            try:
                outcome = self._perform(errand, resumption)
            except TaskCancelled:
                return "the run was cancelled, and its task stopped"
            if isinstance(outcome, Outcome):
                return self._complete(errand, outcome)
            step = replace(outcome.step, job_config=errand.work.keep())
            refusal = self._submit(errand.lease, replace(outcome, step=step))
            if isinstance(refusal, str):
                return refusal
            resumption = Resumption(step, outcome.earlier, refusal)

    def _perform(self, errand: _Errand, resumption: Resumption | None) -> Outcome | Pending:
        """Do the work. Whatever it raises but TaskCancelled is an errored outcome."""
        lease, run = errand.lease, errand.lease.run
        until = errand.deadline.earlier_by(END_RESERVE)

        def report(message: str) -> None:
            if not lease.silent:
                self._replies.progress(lease.run, message, until.no_later_than(PROGRESS_SECONDS))

        context = TaskContext(
            event=errand.event,
            source=run.source,
            began=run.started_at or run.claimed_at,
            report=report,
            still_wanted=lease.is_ours,
            lease=lease,
            deadline=until,
        )
        try:
            return errand.work.perform(context, resumption)
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
            lease.move(lambda run: run.resumed(self._clock.now(), str(end), run.invocation))
            return end
        except NoCapacity as trouble:
            reason = str(trouble)
            lease.move(lambda run: run.not_submitted(reason, self._clock.now()))
            logger.warning("step not started yet", event_id=event_id, kind=kind, reason=reason)
            return f"waiting until there is a place for the {kind}"
        except SubmissionUncertain as doubt:
            logger.warning("step submitted, and no answer", event_id=event_id, kind=kind, reason=str(doubt))
            return f"waiting to learn whether the {kind} was started"
        try:
            lease.move(lambda run: run.submitted(handle, self._clock.now()))
        except LostRace:
            self._stop_if_unwanted(lease.run, handle)
            raise
        logger.info("step started", event_id=event_id, **replace(pending.step, handle=handle).logged)
        return f"waiting for the {kind}"

    def _stop_if_unwanted(self, run: Run, handle: str) -> None:
        """Leave no step behind of a run that came to its end while it was being submitted."""
        current = self._ledger.get(run.event.id)
        if run.step and (current is None or current.state in {State.DONE, State.CLOSED}):
            self._steps.stop(replace(run.step, handle=handle), "Its run had ended before it began.")

    def _complete(self, errand: _Errand, outcome: Outcome) -> str:
        """Write the outcome, then send the finished. Raises LostRace if the run was cancelled meanwhile."""
        lease = errand.lease
        if lease.silent:
            lease.move(Run.completed_silently)
            self._note(lease.run, outcome)
            return "done silently"
        done = retry(
            lambda: lease.move(lambda run: run.completed(outcome, self._clock.now())),
            LedgerUnavailable,
            LEDGER_PAUSES,
            self._clock,
            until=errand.deadline,
        )
        self._replies.finish(done, errand.deadline)
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
        self._errors.note(LogEntry.of(run.event, message))

    def _note(self, run: Run, outcome: Outcome) -> None:
        """Tell the Bridge's error log of a task that something broke in."""
        if outcome.status == "errored":
            self._errors.note(LogEntry.of(run.event, outcome.message))


def _broken(reason: str) -> Work:
    """Work that can't be done, or not any further."""
    return Work(is_silent=False, perform=lambda _, resumption: broken_off(reason, resumption))
