"""Leaving: what is still open when the stack is deleted is reported, so that no sequence waits for a plane
that is gone.
"""

from concurrent.futures import Executor
from dataclasses import replace

from execution_plane.clock import Clock, Deadline
from execution_plane.containers import Containers
from execution_plane.events import Outcome
from execution_plane.ledger import Ledger, LedgerUnavailable, LostRace
from execution_plane.replies import Replies
from execution_plane.runs import Run, State
from execution_plane.telemetry import logger

RESERVE = 2.0  # seconds before the deadline in which no more is begun
DELETED = Outcome.errored("The execution plane that had this task was deleted.")


class Farewell:
    """Ends the runs of a plane that is being deleted."""

    def __init__(
        self, *, ledger: Ledger, replies: Replies, containers: Containers, clock: Clock, pool: Executor
    ) -> None:
        self._ledger = ledger
        self._replies = replies
        self._containers = containers
        self._clock = clock
        self._pool = pool

    def say(self, deadline: Deadline) -> int:
        """Report every active run that still owes a finished; how many there were.

        Their containers are stopped, and those of silent runs: a cluster can't be deleted while one runs.
        Never raises, never goes on longer.
        """
        try:
            active = self._ledger.active()
        except LedgerUnavailable as problem:
            logger.error("the runs can't be read, so none is reported", reason=str(problem))
            return 0
        found = list(self._pool.map(lambda run: self._end(run, deadline), active))
        # Only then, so that no worker takes up a run at its container's end.
        waiting = [run for run in found if run.state is State.WAITING]
        list(self._pool.map(lambda run: self._stop_container(run, deadline), waiting))
        return sum(map(_owes_a_finished, found))

    def _stop_container(self, run: Run, deadline: Deadline) -> None:
        if run.step is None or deadline.remaining() < RESERVE:
            return
        try:
            if arn := run.step.arn or self._containers.find(run.step):
                self._containers.stop(replace(run.step, arn=arn), DELETED.message)
        except Exception:
            logger.exception("a container could not be stopped", event_id=run.event.id)

    def _end(self, run: Run, deadline: Deadline) -> Run:
        """Report a run, if it owes a finished; gives it as it was found.

        The index may be stale and workers may still be at work: what has moved on is ended where it then is.
        """
        if not _owes_a_finished(run):
            return run
        if deadline.remaining() < RESERVE:
            logger.error("no time left to report a run", event_id=run.event.id)
            return run
        now = self._clock.now()
        ended = run.reporting(now) if run.state is State.DONE else run.completed(DELETED, now)
        try:
            self._replies.finish(self._ledger.move(run, ended), deadline)
        except LostRace as lost:
            logger.info("the run has moved on", event_id=run.event.id)
            return self._end(lost.current, deadline) if lost.current else run
        except Exception:
            logger.exception("a run could not be reported", event_id=run.event.id)
        return run


def _owes_a_finished(run: Run) -> bool:
    return run.is_active and not run.silent and run.finishes == 0
