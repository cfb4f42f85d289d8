"""Carrying out the plan, step by step: with looks first where Keptn must say more, and conditional writes."""

from collections.abc import Callable, Mapping, Sequence

from control.dispatch import DispatchFailed
from control.health import count_closed
from control.plan import (
    ABSENT_FORGOTTEN,
    PATIENCE,
    Action,
    Proof,
    Repair,
    Step,
    decide_repair,
    is_absent_for_good,
    prove,
)
from control.ports import Ports
from control.waiting import WaitingRuns
from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import LookUnsupported
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.keptn.transport import KeptnError
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.replies import NotStarted
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import LedgerUnavailable, LostRace
from execution_plane.settings import PollerSettings
from execution_plane.steps import StepsUnavailable
from execution_plane.telemetry import Count, count, logger

RESERVE = 5.0  # seconds before the invocation's end in which nothing more is begun
NOT_COUNTED = (
    "Keptn does not count this plane's replies to the task, though they were sent again three times; its "
    "sequence may have to be aborted."
)


class Actor:
    """Does what the plan says."""

    def __init__(self, ports: Ports, settings: PollerSettings, dispatch: Callable[[Run], None]) -> None:
        """`dispatch` invokes a worker for a run; raises DispatchFailed. A draining plane claims nothing."""
        self._ports = ports
        self._settings = settings
        self._waiting = WaitingRuns(ports, dispatch)
        self._dispatch = dispatch
        self._acts: Mapping[Action, Callable[[Step, Deadline], None]] = {
            Action.CLAIM: self._claim,
            Action.ADOPT: self._adopt,
            Action.DISPATCH: self._dispatch_again,
            Action.SEND_STARTED: self._send_started,
            Action.TAKE_BACK: self._take_back,
            Action.WAIT_AGAIN: lambda step, _: self._waiting.wait_again(_run_of(step)),
            Action.WAKE: lambda step, _: self._waiting.wake(_run_of(step)),
            Action.FIND: self._find,
            Action.STOP: lambda step, _: self._waiting.stop(_run_of(step)),
            Action.ABANDON: self._abandon,
            Action.REPORT: self._report,
            Action.REPAIR: self._repair,
            Action.PROVE: self._prove,
            Action.FORGET_ABSENCE: self._forget_absence,
        }

    def act(self, steps: Sequence[Step], end: Deadline) -> None:
        """Carry out all steps, side by side; nothing is begun close to `end`. Never raises."""
        list(self._ports.pool.map(lambda step: self._carry_out(step, end), steps))

    def _carry_out(self, step: Step, end: Deadline) -> None:
        """Do one thing; whatever goes wrong with it concerns nothing else of the cycle."""
        if end.remaining() < RESERVE:
            return
        ref = step.run.event if step.run else step.event
        event_id = ref.id if ref else ""
        try:
            self._acts[step.action](step, end)
        except LostRace:
            logger.debug("somebody else was first", event_id=event_id, action=step.action.value)
        except (
            KeptnError,
            LedgerUnavailable,
            DispatchFailed,
            NotStarted,
            StepsUnavailable,
        ) as problem:
            logger.warning("postponed", event_id=event_id, action=step.action.value, reason=str(problem))
        except Exception:
            logger.exception("failed", event_id=event_id, action=step.action.value)

    def _claim(self, step: Step, _: Deadline) -> None:
        ref = _event_of(step)
        if self._settings.drain:
            self._reopen(self._ports.ledger.get(ref.id))
            return
        now = self._ports.clock.now()
        run = self._create(Run.claimed(ref, self._settings.source, now, now + self._settings.run_deadline))
        count(Count.RUNS_CLAIMED)
        self._dispatch(run)

    def _adopt(self, step: Step, _: Deadline) -> None:
        ref, look = _event_of(step), step.look
        assert look is not None
        adopted = self._create(Run.adopted(ref, self._settings.source, self._ports.clock.now(), look))
        self._note(ref, adopted.outcome)
        count(Count.RUNS_ADOPTED)
        logger.error(
            "a task that this plane started is not in its ledger: it ends as errored", event_id=ref.id
        )

    def _create(self, run: Run) -> Run:
        try:
            return self._ports.ledger.create(run)
        except LostRace as lost:
            self._reopen(lost.current)
            raise

    def _reopen(self, run: Run | None) -> None:
        """Make a run active again, if it was closed: its event is open after all."""
        if run is None or run.state is not State.CLOSED:
            return
        self._ports.ledger.move(run, run.reopened(self._ports.clock.now()))
        logger.warning("an event whose run was closed is open again", event_id=run.event.id)

    def _dispatch_again(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        self._dispatch(self._ports.ledger.move(run, run.dispatched_again(self._ports.clock.now())))

    def _note(self, ref: EventRef, outcome: Outcome | None) -> None:
        """Tell the Bridge's error log how a task ended that no worker has ended."""
        if outcome:
            self._ports.errors.note(LogEntry.of(ref, outcome.message))

    def _send_started(self, step: Step, end: Deadline) -> None:
        run = self._ports.replies.start(_run_of(step), end)
        if not run.start_uncertain:
            self._ports.ledger.move(run, run.start_answered())

    def _take_back(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        self._ports.ledger.move(run, run.taken_back(self._ports.clock.now()))
        logger.warning(
            "the worker was lost before the task began", event_id=run.event.id, attempt=run.attempt
        )

    def _find(self, step: Step, end: Deadline) -> None:
        if outcome := self._waiting.find(_run_of(step)):
            self._end(_run_of(step), outcome, end)

    def _abandon(self, step: Step, end: Deadline) -> None:
        self._end(_run_of(step), step.outcome or Outcome.errored(""), end)

    def _end(self, run: Run, outcome: Outcome, end: Deadline) -> None:
        self._waiting.leave(run)
        ended = run.completed_silently() if run.silent else run.completed(outcome, self._ports.clock.now())
        run = self._ports.ledger.move(run, ended)
        count(Count.RUNS_ABANDONED)
        logger.error("run abandoned", event_id=run.event.id, reason=outcome.message)
        self._note(run.event, outcome)
        if not run.silent:
            self._ports.replies.finish(run, end)

    def _report(self, step: Step, end: Deadline) -> None:
        run = _run_of(step)
        self._ports.replies.finish(self._ports.ledger.move(run, run.reporting(self._ports.clock.now())), end)

    def _repair(self, step: Step, end: Deadline) -> None:
        run = _run_of(step)
        try:
            look = self._ports.looks.look(run.event, run.source)
        except LookUnsupported:
            self._report_without_look(run, end)
            return
        now = self._ports.clock.now()
        decision = decide_repair(run, look)
        if decision is Repair.CLOSE:
            self._close(run)
        elif decision is Repair.LOOK_AGAIN and look:
            self._ports.ledger.move(run, run.looked_first(look, now))
        elif decision is Repair.COMPLETE:
            self._ports.ledger.move(run, run.complete_as_counted(now))
            logger.info(
                "Keptn has all our replies; other executors keep the task open", event_id=run.event.id
            )
        elif decision is Repair.SEND and look:
            count(Count.REPLIES_REPAIRED)
            if run.repairs >= PATIENCE:
                count(Count.REPLIES_NOT_COUNTED)
                logger.error(
                    "Keptn still does not count our replies", event_id=run.event.id, counted=run.looked
                )
            self._ports.replies.repair(run, look, end)
            if run.repairs == PATIENCE:
                self._ports.errors.note(LogEntry.of(run.event, NOT_COUNTED))

    def _report_without_look(self, run: Run, end: Deadline) -> None:
        """Send a finished again whose sender was lost: its being open is all the evidence there is."""
        if run.state is State.DONE and run.reported_at is None:
            self._ports.replies.finish(
                self._ports.ledger.move(run, run.reporting(self._ports.clock.now())), end
            )

    def _prove(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        try:
            proof = prove(self._ports.looks.look(run.event, run.source))
        except LookUnsupported:
            proof = Proof.ASK
        if proof is Proof.ASK and self._ports.control_plane.fetch_event(run.event) is None:
            now = self._ports.clock.now()
            if is_absent_for_good(run, now):
                proof = Proof.GONE
            elif run.absent_at is None or now > run.absent_at + ABSENT_FORGOTTEN:
                self._ports.ledger.move(run, run.absent_first(now))
        if proof is Proof.GONE:
            self._close(run)

    def _forget_absence(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        self._ports.ledger.move(run, run.present_again())

    def _close(self, run: Run) -> None:
        """The event is gone.

        A worker that still has the run sees it closed, stops the task and sends nothing.
        """
        if run.state is State.WAITING:
            cancelled = self._waiting.cancel(run)
            if cancelled is None:
                return
            run = cancelled
        closed = self._ports.ledger.move(run, run.closed(self._ports.clock.now()))
        count_closed(closed)


def _event_of(step: Step) -> EventRef:
    assert step.event is not None
    return step.event


def _run_of(step: Step) -> Run:
    assert step.run is not None
    return step.run
