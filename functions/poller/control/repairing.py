"""Replies that Keptn may not have counted: what two looks say is missing is sent again, and nothing else."""

from enum import Enum

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.look import Look, Standing
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.replies import Replies, missing
from execution_plane.ledger.runs import Run, State, counts
from execution_plane.ledger.table import Ledger
from execution_plane.telemetry import Count, count, logger

PATIENCE = 3  # repairs that may come to nothing before somebody should look into it
NOT_COUNTED = (
    "Keptn does not count this plane's replies to the task, though they were sent again three times; its "
    "sequence may have to be aborted."
)


class Repair(Enum):
    """What a look decides about replies that Keptn may not have counted."""

    LEAVE = "leave"
    LOOK_AGAIN = "look again"
    SEND = "send"
    COMPLETE = "complete"
    """Ours are even: what keeps the task open is another executor's."""


def decide_repair(run: Run, look: Look) -> Repair:
    """Send again only what two looks that agree say is missing of an open task."""
    if look.standing is not Standing.OPEN:
        return Repair.LEAVE
    if run.looked != counts(look):
        return Repair.LOOK_AGAIN
    is_complete = missing(look) == (0, 0) if run.state is State.DONE else look.starts > 0
    return Repair.COMPLETE if is_complete else Repair.SEND


class Repairs:
    """Repairs the replies of runs, of a plane that goes on and of one that is being deleted."""

    def __init__(self, ledger: Ledger, replies: Replies, errors: ErrorLog, clock: Clock) -> None:
        self._ledger = ledger
        self._replies = replies
        self._errors = errors
        self._clock = clock

    def repair(self, run: Run, look: Look, end: Deadline) -> Run:
        """Do what a look at a task that is not over decides; gives the run as it then stands.

        Raises LostRace and LedgerUnavailable.
        """
        match decide_repair(run, look):
            case Repair.LEAVE:
                return run
            case Repair.LOOK_AGAIN:
                return self._ledger.move(run, run.looked_first(look, self._clock.now()))
            case Repair.COMPLETE:
                complete = self._ledger.move(run, run.complete_as_counted(self._clock.now()))
                logger.info(
                    "Keptn has all our replies; other executors keep the task open", event_id=run.event.id
                )
                return complete
            case Repair.SEND:
                return self._send(run, look, end)

    def _send(self, run: Run, look: Look, end: Deadline) -> Run:
        count(Count.REPLIES_REPAIRED)
        if run.repairs >= PATIENCE:
            count(Count.REPLIES_NOT_COUNTED)
            logger.error("Keptn still does not count our replies", event_id=run.event.id, counted=run.looked)
        repaired = self._replies.repair(run, look, end)
        if run.repairs == PATIENCE:
            self._errors.note(LogEntry.of(run.event, NOT_COUNTED))
        return repaired
