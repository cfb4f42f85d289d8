"""Carrying out what was decided: with looks first where Keptn must say more, and conditional writes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from control.dispatch import DispatchFailed
from control.health import count_closed
from control.plan import (
    ABSENT_FORGOTTEN,
    Act,
    Adopt,
    Claim,
    Decision,
    Operation,
    is_absent_for_good,
    is_over,
)
from control.ports import Ports
from control.repairing import Repairs
from control.waiting import WaitingRuns
from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import LookUnsupported
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.keptn.look import Look
from execution_plane.keptn.transport import KeptnError
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.replies import NotStarted
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import LedgerUnavailable, LostRace
from execution_plane.settings import PollerSettings
from execution_plane.steps import StepsUnavailable
from execution_plane.telemetry import Count, count, logger

RESERVE = 5.0  # seconds before the invocation's end in which nothing more is begun
UNUSUAL = {each.value for each in (Operation.TAKE_BACK, Operation.WAIT_AGAIN, Operation.STOP)}
"""Actions that the log has as warnings: a worker was lost, or a step took too long."""


class Actor:
    """Does what the plan says."""

    def __init__(self, ports: Ports, settings: PollerSettings, dispatch: Callable[[Run], None]) -> None:
        """`dispatch` invokes a worker for a run; raises DispatchFailed. A draining plane claims nothing."""
        self._ports = ports
        self._settings = settings
        self._waiting = WaitingRuns(ports, dispatch)
        self._dispatch = dispatch
        self._repairs = Repairs(ports.ledger, ports.replies, ports.errors, ports.clock)
        self._acts: Mapping[Operation, Callable[[Run, Deadline], object]] = {
            Operation.DISPATCH: lambda run, _: self._dispatch(self._move(run, Run.dispatched_again)),
            Operation.SEND_STARTED: self._send_started,
            Operation.TAKE_BACK: lambda run, _: self._move(run, Run.taken_back),
            Operation.WAIT_AGAIN: lambda run, _: self._move(run, Run.waiting_again),
            Operation.WAKE: lambda run, _: self._waiting.wake(run),
            Operation.FIND: self._find,
            Operation.STOP: lambda run, _: self._waiting.stop(run),
            Operation.REPORT: self._report,
            Operation.REPAIR: self._repair,
            Operation.PROVE: lambda run, _: self._prove(run),
            Operation.FORGET_ABSENCE: lambda run, _: ports.ledger.move(run, run.present_again()),
        }

    def act(self, decisions: Sequence[Decision], end: Deadline) -> None:
        """Carry out all decisions, side by side; nothing is begun close to `end`. Never raises."""
        list(self._ports.pool.map(lambda decision: self._carry_out(decision, end), decisions))

    def _carry_out(self, decision: Decision, end: Deadline) -> None:
        """Do one thing; whatever goes wrong with it concerns nothing else of the cycle."""
        if end.remaining() < RESERVE:
            return
        told: dict[str, Any] = {
            "event_id": decision.event.id,
            "action": decision.action,
            "because": decision.reason,
        }
        try:
            self._do(decision, end)
        except LostRace:
            logger.debug("somebody else was first", **told)
        except (KeptnError, LedgerUnavailable, DispatchFailed, NotStarted, StepsUnavailable) as problem:
            logger.warning("postponed", **told, reason=str(problem))
        except Exception:
            logger.exception("failed", **told)
        else:
            if decision.action in UNUSUAL:
                logger.warning("carried out", **told)
            else:
                logger.debug("carried out", **told)

    def _do(self, decision: Decision, end: Deadline) -> None:
        match decision:
            case Claim(event):
                self._claim(event)
            case Adopt(event, look):
                self._adopt(event, look)
            case Act(run, Operation.ABANDON, reason):
                self._abandon(run, reason, end)
            case Act(run, operation):
                self._acts[operation](run, end)

    def _move(self, run: Run, change: Callable[[Run, float], Run]) -> Run:
        return self._ports.ledger.move(run, change(run, self._ports.clock.now()))

    def _claim(self, event: EventRef) -> None:
        if self._settings.drain:
            self._reopen(self._ports.ledger.get(event.id))
            return
        now = self._ports.clock.now()
        run = self._create(Run.claimed(event, self._settings.source, now, now + self._settings.run_deadline))
        count(Count.RUNS_CLAIMED)
        self._dispatch(run)

    def _adopt(self, event: EventRef, look: Look) -> None:
        adopted = Run.adopted(event, self._settings.source, self._ports.clock.now(), look)
        self._note(self._create(adopted))
        count(Count.RUNS_ADOPTED)
        logger.error(
            "a task that this plane started is not in its ledger: it ends as errored", event_id=event.id
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
        self._move(run, Run.reopened)
        logger.warning("an event whose run was closed is open again", event_id=run.event.id)

    def _note(self, run: Run) -> None:
        """Tell the Bridge's error log how a task ended that no worker has ended."""
        if run.outcome:
            self._ports.errors.note(LogEntry.of(run.event, run.outcome.message))

    def _send_started(self, run: Run, end: Deadline) -> None:
        run = self._ports.replies.start(run, end)
        if not run.start_uncertain:
            self._ports.ledger.move(run, run.start_answered())

    def _find(self, run: Run, end: Deadline) -> None:
        if why := self._waiting.find(run):
            self._abandon(run, why, end)

    def _abandon(self, run: Run, reason: str, end: Deadline) -> None:
        self._waiting.leave(run)
        outcome, now = Outcome.errored(reason), self._ports.clock.now()
        ended = run.completed_silently() if run.silent else run.completed(outcome, now)
        run = self._ports.ledger.move(run, ended)
        count(Count.RUNS_ABANDONED)
        logger.error("run abandoned", event_id=run.event.id, reason=reason)
        self._ports.errors.note(LogEntry.of(run.event, reason))
        if not run.silent:
            self._ports.replies.finish(run, end)

    def _report(self, run: Run, end: Deadline) -> None:
        self._ports.replies.finish(self._move(run, Run.reporting), end)

    def _repair(self, run: Run, end: Deadline) -> None:
        try:
            look = self._ports.looks.look(run.event, run.source)
        except LookUnsupported:
            # A finished whose sender was lost is sent again: its being open is all the evidence there is.
            if run.state is State.DONE and run.reported_at is None:
                self._report(run, end)
            return
        if look is None or is_over(look):
            self._close(run)
        else:
            self._repairs.repair(run, look, end)

    def _prove(self, run: Run) -> None:
        try:
            is_gone = is_over(self._ports.looks.look(run.event, run.source))
        except LookUnsupported:
            is_gone = False
        if not is_gone and self._ports.control_plane.fetch_event(run.event) is None:
            now = self._ports.clock.now()
            is_gone = is_absent_for_good(run, now)
            if not is_gone and (run.absent_at is None or now > run.absent_at + ABSENT_FORGOTTEN):
                self._ports.ledger.move(run, run.absent_first(now))
        if is_gone:
            self._close(run)

    def _close(self, run: Run) -> None:
        """The event is gone.

        A worker that still has the run sees it closed, stops the task and sends nothing.
        """
        if run.state is State.WAITING:
            cancelled = self._waiting.cancel(run)
            if cancelled is None:
                return
            run = cancelled
        count_closed(self._move(run, Run.closed))
