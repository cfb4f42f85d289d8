"""The rules by which replies are sent. Keptn counts them, so one whose fate is unknown is never simply sent
again.

The ledger is written before each counted reply: whoever wins that write sends, and nobody else does.
"""

from collections.abc import Iterator
from dataclasses import replace

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane, SendUncertain
from execution_plane.keptn.events import Event, Outcome, cut, finished, progress, started
from execution_plane.keptn.look import Look
from execution_plane.keptn.transport import KeptnContentRefused, KeptnError
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import Ledger
from execution_plane.telemetry import Count, count, logger

RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between the tries of a reply that certainly did not arrive
SHORT_MESSAGE = 4096  # bytes


class NotStarted(Exception):
    """The started certainly did not reach Keptn; `run` says so too."""

    def __init__(self, run: Run, problem: KeptnError) -> None:
        super().__init__(str(problem))
        self.run = run


class Replies:
    """Sends a run's replies. `patient` senders try again, in this call, what certainly did not arrive."""

    def __init__(self, control_plane: ControlPlane, ledger: Ledger, clock: Clock, *, patient: bool) -> None:
        self._control_plane = control_plane
        self._ledger = ledger
        self._clock = clock
        self._pauses = RETRY_PAUSES if patient else ()

    def start(self, run: Run, deadline: Deadline) -> Run:
        """Send the run's only started; the run that is given back, not yet written, says if Keptn has it.

        Raises LostRace if somebody else sends it, and NotStarted.
        """
        run = self._ledger.move(run, run.starting(self._clock.now()))
        try:
            self._send(started(run.event, run.source), deadline)
        except SendUncertain as doubt:
            count(Count.REPLIES_UNCERTAIN)
            logger.warning("started sent, and no answer: %s", doubt, event_id=run.event.id)
            return run
        except KeptnError as problem:
            raise NotStarted(self._ledger.move(run, run.not_started()), problem) from None
        return replace(run, start_uncertain=False)

    def progress(self, run: Run, message: str, deadline: Deadline) -> None:
        """Tell what the task is doing. Best effort: Keptn's validation refuses every status.changed."""
        try:
            self._control_plane.send(progress(run.event, run.source, message), deadline)
        except (KeptnError, SendUncertain) as problem:
            logger.info("status.changed not taken: %s", problem, event_id=run.event.id)

    def finish(self, run: Run, deadline: Deadline) -> Run:
        """Send the finished of a done run, for which the caller holds the report lease; its started first if
        need be.

        Raises LostRace. A finished that certainly did not arrive is left to a later report.
        """
        try:
            if run.started_at is None:
                run = self.start(run, deadline)
            self._send_finished(run, deadline)
        except NotStarted as problem:
            logger.warning("started not sent: %s", problem, event_id=run.event.id)
            return self._ledger.move(problem.run, problem.run.not_reported(self._clock.now()))
        except SendUncertain as doubt:
            count(Count.REPLIES_UNCERTAIN)
            logger.warning("finished sent, and no answer: %s", doubt, event_id=run.event.id)
        except KeptnContentRefused as problem:
            logger.error("finished refused, even without content: %s", problem, event_id=run.event.id)
        except KeptnError as problem:
            logger.warning("finished not sent: %s", problem, event_id=run.event.id)
            return self._ledger.move(run, run.not_reported(self._clock.now()))
        return self._ledger.move(run, run.reported(self._clock.now()))

    def repair(self, run: Run, look: Look, deadline: Deadline) -> Run:
        """Send again what Keptn, by two agreeing looks, never counted of our replies. Raises LostRace."""
        run = self._ledger.move(run, run.repairing(self._clock.now()))
        starts, finishes = missing(look)
        try:
            for _ in range(starts):
                self._send(started(run.event, run.source), deadline)
            if run.state is State.DONE:
                for _ in range(finishes):
                    self._send_finished(run, deadline)
        except (SendUncertain, KeptnError) as problem:
            logger.warning("repair not answered for: %s", problem, event_id=run.event.id)
        return self._ledger.move(run, run.reported(self._clock.now())) if run.state is State.DONE else run

    def _send_finished(self, run: Run, deadline: Deadline) -> None:
        """Send a finished, with less content each time that Keptn refuses the content."""
        outcome = run.outcome or Outcome.errored("This plane has no record of the task's outcome.")
        refused: KeptnContentRefused | None = None
        for smaller in _ever_smaller(outcome, run.event.task):
            try:
                return self._send(finished(run.event, run.source, smaller), deadline)
            except KeptnContentRefused as problem:
                refused = problem
                logger.warning("finished refused for its content: %s", problem, event_id=run.event.id)
        assert refused is not None
        raise refused

    def _send(self, event: Event, deadline: Deadline) -> None:
        for pause in self._pauses:
            try:
                return self._control_plane.send(event, deadline)
            except KeptnContentRefused:
                raise
            except KeptnError:
                if deadline.remaining() < 2 * pause:
                    raise
                self._clock.sleep(pause)
        return self._control_plane.send(event, deadline)


def missing(look: Look) -> tuple[int, int]:
    """How many started and finished of ours Keptn lacks until it has as many of each, at least one."""
    wanted = max(look.starts, look.finishes, 1)
    return wanted - look.starts, wanted - look.finishes


def _ever_smaller(outcome: Outcome, task: str) -> Iterator[Outcome]:
    """An outcome with ever less content, until nothing of it is left; the message says what is left out."""
    yield outcome
    short = replace(outcome, message=cut(outcome.message, SHORT_MESSAGE))
    yield short
    if outcome.data:
        message = f"{outcome.message}\n(Keptn refused data.{task}, and it is left out)".lstrip()
        yield replace(short, message=cut(message, SHORT_MESSAGE), data={})
    what = f"data.{task} and the message" if outcome.data else "the message"
    yield replace(short, message=f"(Keptn refused {what}: left out)", data={})
