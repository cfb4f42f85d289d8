"""One run, from a dispatched invocation to its finished: acquire, fetch, started, the actions, the outcome,
finished.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from execution_plane.clock import Clock, Deadline
from execution_plane.control_plane import ControlPlane
from execution_plane.error_log import ErrorLog
from execution_plane.events import Outcome, RefusedEvent, TriggeredEvent, read_triggered
from execution_plane.ledger import Ledger, LedgerUnavailable, LostRace
from execution_plane.replies import NotStarted, Replies
from execution_plane.runs import MOST_ATTEMPTS, Run, State
from execution_plane.telemetry import logger
from execution_plane.transport import KeptnError
from execution_plane.uniform import LogEntry
from work import Performance, Planner, TaskCancelled, Unreadable, Work

T = TypeVar("T")

END_RESERVE = 10.0  # seconds before the function's deadline at which a task still running is stopped
LEASE_BEYOND = 30.0  # seconds beyond the function's deadline for which the run is still the worker's
RETRY_PAUSES = (1.0, 2.0, 4.0)  # seconds between the tries of a request that may be repeated
PROGRESS_SECONDS = 3.0  # for one status.changed, during which nobody watches the task
LEDGER_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds: an outcome is worth waiting for


class Worker:
    """Handles one run an invocation. A doubled or late invocation finds the run taken, and does nothing."""

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        ledger: Ledger,
        replies: Replies,
        planner: Planner,
        errors: ErrorLog,
        clock: Clock,
    ) -> None:
        self._control_plane = control_plane
        self._ledger = ledger
        self._replies = replies
        self._planner = planner
        self._errors = errors
        self._clock = clock

    def handle(self, event_id: str, deadline: Deadline, subscription_id: str = "") -> str:
        """Bring the run of a triggered event to its end; what happened, in a few words. Raises
        LedgerUnavailable.

        `deadline` is the function's own; `subscription_id` is for the task to see.
        """
        try:
            run = self._acquire(event_id)
            return self._serve(run, deadline, subscription_id) if run else "nothing to do"
        except LostRace:
            return "somebody else has the run"

    def _acquire(self, event_id: str) -> Run | None:
        run = self._ledger.get(event_id)
        if run is None or run.state is not State.CLAIMED or run.attempt >= MOST_ATTEMPTS:
            return None
        return self._ledger.move(run, run.acquired(self._clock.now()))

    def _serve(self, run: Run, deadline: Deadline, subscription_id: str) -> str:
        try:
            event = self._fetch(run)
        except KeptnError as problem:
            return self._give_back(run, f"the event can't be fetched: {problem}")
        if event is None:
            return self._give_back(run, "the event is not open")
        event = event.with_subscription(subscription_id)
        try:
            work = self._planner.find(event)
        except Unreadable as problem:
            work = _broken(str(problem))
        if work is None:
            self._ledger.move(run, run.completed_silently())
            logger.info("no action handles the event", event_id=run.event.id, type=run.event.type)
            return "no action handles the event"
        if run.started_at is None and not work.is_silent:
            try:
                run = self._replies.start(run, deadline.earlier_by(END_RESERVE))
            except NotStarted as problem:
                return self._give_back(problem.run, f"started can't be sent: {problem}")
        run = self._ledger.move(run, run.beginning(self._clock.now() + deadline.remaining() + LEASE_BEYOND))
        try:
            outcome = self._perform(run, work, event, deadline)
        except TaskCancelled:
            return "the run was cancelled, and its task stopped"
        return self._complete(run, outcome, deadline, is_silent=work.is_silent)

    def _fetch(self, run: Run) -> TriggeredEvent | None:
        """The run's event as it is now, None if it is not open. Raises KeptnError."""
        raw = persist(
            lambda: self._control_plane.fetch_event(run.event), KeptnError, RETRY_PAUSES, self._clock
        )
        try:
            return read_triggered(raw) if raw is not None else None
        except RefusedEvent:
            return None

    def _give_back(self, run: Run, reason: str) -> str:
        """The task has not begun, through no fault of its own: the poller dispatches the run again or
        closes it.
        """
        self._ledger.move(run, run.given_back(self._clock.now()))
        logger.warning("run given back", event_id=run.event.id, reason=reason)
        return f"given back: {reason}"

    def _perform(self, run: Run, work: Work, event: TriggeredEvent, deadline: Deadline) -> Outcome:
        """Do the work. Whatever it raises but TaskCancelled is an errored outcome."""
        until = deadline.earlier_by(END_RESERVE)

        def report(message: str) -> None:
            if not work.is_silent:
                self._replies.progress(run, message, until.no_later_than(PROGRESS_SECONDS))

        performance = Performance(
            event=event,
            report=report,
            still_wanted=lambda: self._is_ours(run),
            deadline=until.no_later_than(run.deadline - self._clock.now()),
        )
        try:
            return work.perform(performance)
        except TaskCancelled:
            raise
        except Exception as problem:
            logger.exception("the task can't be run", event_id=run.event.id)
            return Outcome.errored(f"The task could not be run: {type(problem).__name__}: {problem}")

    def _is_ours(self, run: Run) -> bool:
        """Whether the run is still this worker's; a ledger that can't be read changes nothing."""
        try:
            current = self._ledger.get(run.event.id)
        except LedgerUnavailable:
            return True
        return current is not None and _is_same_attempt(current, run)

    def _complete(self, run: Run, outcome: Outcome, deadline: Deadline, *, is_silent: bool) -> str:
        """Write the outcome, then send the finished. Raises LostRace if the run was cancelled meanwhile."""
        if is_silent:
            self._move(run, Run.completed_silently)
            self._note(run, outcome)
            return "done silently"
        done = persist(
            lambda: self._move(run, lambda current: current.completed(outcome, self._clock.now())),
            LedgerUnavailable,
            LEDGER_PAUSES,
            self._clock,
            until=deadline,
        )
        self._replies.finish(done, deadline)
        self._note(run, outcome)
        logger.info("run done", event_id=run.event.id, result=outcome.result, status=outcome.status)
        return f"done: {outcome.status}, {outcome.result}"

    def _note(self, run: Run, outcome: Outcome) -> None:
        """Tell the Bridge's error log of a task that something broke in."""
        if outcome.status == "errored":
            self._errors.note(LogEntry.of(run.event, outcome.message))

    def _move(self, run: Run, change: Callable[[Run], Run]) -> Run:
        """Write a change of our running run, also when the poller has noted something in it meanwhile."""
        try:
            return self._ledger.move(run, change(run))
        except LostRace as lost:
            current = lost.current or self._ledger.get(run.event.id)
            if current is None or not _is_same_attempt(current, run):
                raise
            return self._ledger.move(current, change(current))


def persist(
    call: Callable[[], T],
    failure: type[Exception],
    pauses: Sequence[float],
    clock: Clock,
    *,
    until: Deadline | None = None,
) -> T:
    """Call, and again after each pause while it fails in the given way and there is time.

    Raises the last failure.
    """
    for pause in pauses:
        try:
            return call()
        except failure:
            if until is not None and until.remaining() <= 2 * pause:
                raise
            clock.sleep(pause)
    return call()


def _is_same_attempt(current: Run, run: Run) -> bool:
    return current.state is State.RUNNING and current.attempt == run.attempt


def _broken(message: str) -> Work:
    return Work(is_silent=False, perform=lambda _: Outcome.errored(message))
