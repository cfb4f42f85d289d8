"""Leaving: what is still open when the stack is deleted is reported, so that no sequence waits for a plane
that is gone.
"""

from collections.abc import Sequence
from concurrent.futures import Executor

from control.looks import Looks
from control.plan import is_over, look_is_due
from control.repairing import Repairs
from deletion.last_steps import LastSteps
from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane, LookUnsupported
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.look import Look, Standing
from execution_plane.keptn.transport import READ_SECONDS, KeptnError
from execution_plane.ledger.replies import Replies, missing
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import Ledger, LedgerUnavailable, LostRace
from execution_plane.steps import Steps
from execution_plane.telemetry import logger

RESERVE = 2.0  # seconds before the deadline in which no more is begun
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 8.0  # seconds between two rounds of asking what has become of everything
DELETED = Outcome.errored("The execution plane that had this task was deleted.")


class Finalizer:
    """Ends the runs of a plane that is being deleted."""

    def __init__(
        self, control_plane: ControlPlane, ledger: Ledger, steps: Steps, clock: Clock, pool: Executor
    ) -> None:
        self._ledger = ledger
        self._looks = Looks(control_plane)
        self._replies = Replies(control_plane, ledger, clock, patient=False)
        self._repairs = Repairs(ledger, self._replies, ErrorLog(control_plane), clock)
        self._steps = LastSteps(steps, DELETED.message, clock, pool)
        self._clock = clock
        self._pool = pool

    def finish(self, deadline: Deadline) -> int:
        """Report every active run that still owes a finished; how many there were.

        All steps are stopped, those of silent runs too: a cluster can't be deleted while one runs. Goes
        on until they are, and Keptn has counted the replies that were sent. Never raises, never goes on
        longer.
        """
        try:
            active = self._ledger.active()
        except LedgerUnavailable as problem:
            logger.error("the runs can't be read, so none is reported", reason=str(problem))
            return 0
        ended = list(self._pool.map(self._end, active))
        # Only now, so that no worker takes up a run at its step's end.
        stopping = self._steps.stop([found for found, _ in ended])
        sent = self._pool.map(lambda run: self._report(run, deadline), [run for _, run in ended if run])
        doubtful = [run for run in sent if run] + [found for found, _ in ended if _may_lack_a_finished(found)]
        self._see_through(doubtful, stopping, deadline)
        return sum(_owes_a_finished(found) for found, _ in ended)

    def _end(self, run: Run) -> tuple[Run, Run | None]:
        """End a run in the ledger: as it was found, and as it is to be reported, if it is.

        The index may be stale and workers may still be at work: what has moved on is ended where it then is.
        """
        if not run.is_active or (run.state is State.DONE and not _owes_a_finished(run)):
            return run, None
        now = self._clock.now()
        try:
            if run.silent:
                self._ledger.move(run, run.completed_silently())
                return run, None
            ended = run.reporting(now) if run.state is State.DONE else run.completed(DELETED, now)
            return run, self._ledger.move(run, ended)
        except LostRace as lost:
            logger.info("the run has moved on", event_id=run.event.id)
            return self._end(lost.current) if lost.current else (run, None)
        except Exception:
            logger.exception("a run could not be ended", event_id=run.event.id)
            return run, None

    def _report(self, run: Run, deadline: Deadline) -> Run | None:
        """Send an ended run's finished; the run, if Keptn may have it."""
        if deadline.remaining() < RESERVE:
            logger.error("no time left to report a run", event_id=run.event.id)
            return None
        try:
            run = self._replies.finish(run, deadline)
        except Exception:
            logger.exception("a run could not be reported", event_id=run.event.id)
        return run if _may_lack_a_finished(run) else None

    def _see_through(self, doubtful: Sequence[Run], stopping: Sequence[Run], deadline: Deadline) -> None:
        """Wait for Keptn to count the replies of the ones, and for the steps of the others to stop."""
        pause = FIRST_PAUSE
        while True:
            stopping = self._steps.stop(stopping)
            looked = self._pool.map(lambda run: self._repair(run, deadline), doubtful)
            doubtful = [run for run in looked if run]
            if not (doubtful or stopping) or deadline.remaining() <= RESERVE + pause:
                break
            self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        for run in doubtful:
            logger.error(
                "Keptn does not say that it has the replies; the sequence may have to be aborted",
                event_id=run.event.id,
            )
        for run in stopping:
            logger.error(
                "a step has yet to stop; if its cluster can't be deleted, delete the stack again",
                event_id=run.event.id,
                **run.waits_for.logged,
            )

    def _repair(self, run: Run, deadline: Deadline) -> Run | None:
        """Send again what Keptn lacks of a run's replies, by the poller's rules; None once it has them all,
        or nobody can tell.
        """
        if deadline.remaining() < READ_SECONDS:
            return run
        try:
            look = self._looks.look(run.event, run.source)
            now = self._clock.now()
            if look is None or _has_all_replies(look):
                return None
            return self._repairs.repair(run, look, deadline) if look_is_due(run, now) else run
        except LookUnsupported:
            return None
        except LostRace as lost:
            return lost.current if lost.current and _may_lack_a_finished(lost.current) else None
        except (KeptnError, LedgerUnavailable) as problem:
            logger.warning("postponed", event_id=run.event.id, reason=str(problem))
        except Exception:
            logger.exception("failed", event_id=run.event.id)
            return None
        return run


def _owes_a_finished(run: Run) -> bool:
    return run.is_active and not run.silent and run.finishes == 0


def _may_lack_a_finished(run: Run) -> bool:
    """Whether a finished was sent of which Keptn may know nothing."""
    return run.state is State.DONE and not run.silent and run.finishes > 0


def _has_all_replies(look: Look) -> bool:
    """Whether the task is over, or what keeps it open is another executor's."""
    return is_over(look) or (look.standing is Standing.OPEN and missing(look) == (0, 0))
