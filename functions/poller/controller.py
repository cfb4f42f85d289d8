"""The controller: observe what Keptn lists and what the ledger holds, plan, and carry the plan out.

It is level-triggered. Whatever was lost, doubled, late or half done is found again in a later cycle, because
Keptn's list
and the ledger still differ.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from dispatch import Dispatcher, DispatchFailed, FailureQueue
from execution_plane.clock import Clock, Deadline
from execution_plane.containers import Containers, ContainersUnavailable
from execution_plane.control_plane import ControlPlane, Listing, LookUnsupported
from execution_plane.error_log import ErrorLog
from execution_plane.events import EventRef, Outcome, RefusedEvent, TriggeredEvent, read_triggered
from execution_plane.ledger import Ledger, LedgerUnavailable, LostRace
from execution_plane.look import Look
from execution_plane.replies import NotStarted, Replies
from execution_plane.runs import MOST_ATTEMPTS, Run, State
from execution_plane.subscriptions import EventMatch, Query, Subscription, SubscriptionSource, queries
from execution_plane.telemetry import Count, count, logger
from execution_plane.transport import KeptnError
from execution_plane.uniform import LogEntry
from plan import (
    ABSENT_FORGOTTEN,
    PATIENCE,
    PAUSE_BETWEEN_LOOKS,
    Action,
    Observed,
    Proof,
    Repair,
    Seen,
    Start,
    Step,
    decide_repair,
    decide_start,
    is_absent_for_good,
    plan,
    prove,
)
from waiting import WaitingRuns

SIDE_BY_SIDE = 32  # requests at a time
RESERVE = 5.0  # seconds before the invocation's end in which nothing more is begun
FAILURES_AFTER = 30.0  # seconds a run is claimed before the failure queue is worth reading
SETTLED_AFTER = 3.0  # seconds of an event's age by which a control plane without looks has noted its task
NOT_COUNTED = (
    "Keptn does not count this plane's replies to the task, though they were sent again three times; its "
    "sequence may have to be aborted."
)
REMEMBERED = 10_000  # refused events that are not logged again


class EveryPollFailed(Exception):
    """No request for open events succeeded in a whole tick; the text is the last one's failure."""


@dataclass
class TickReport:
    """What a tick did; how many events are open and runs active is as of its last cycle."""

    cycles: int = 0
    polls: int = 0
    polls_failed: int = 0
    events_listed: int = 0
    runs_active: int = 0
    steps: int = 0


class Controller:
    """Brings Keptn's open list and the ledger together, one cycle at a time.

    It keeps nothing that matters between cycles: several of it may run at once.
    """

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        ledger: Ledger,
        replies: Replies,
        dispatcher: Dispatcher,
        failures: FailureQueue,
        containers: Containers,
        subscriptions: SubscriptionSource,
        errors: ErrorLog,
        match: EventMatch,
        source: str,
        run_deadline: float,
        draining: bool,
        clock: Clock,
        pool: Executor | None = None,
    ) -> None:
        self._control_plane = control_plane
        self._ledger = ledger
        self._replies = replies
        self._dispatcher = dispatcher
        self._failures = failures
        self._waiting = WaitingRuns(
            ledger=ledger, containers=containers, dispatch=self._dispatch, clock=clock
        )
        self._subscriptions = subscriptions
        self._errors = errors
        self._current: Sequence[Subscription] = ()
        self._match = match
        self._source = source
        self._run_deadline = run_deadline
        self._draining = draining
        self._clock = clock
        self._pool = pool or ThreadPoolExecutor(SIDE_BY_SIDE)
        self._looks_supported = True
        self._seen_before: frozenset[str] = frozenset()
        self._not_before: dict[str, float] = {}
        self._refused: set[str] = set()
        self._acts: Mapping[Action, Callable[[Step, Deadline], None]] = {
            Action.START: self._start,
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
        }

    def cycle_until(self, window: Deadline, interval: float, end: Deadline) -> TickReport:
        """Cycle every `interval` seconds until the window is over, once if it is 0; nothing is begun close to
        `end`.

        Raises EveryPollFailed, and LedgerUnavailable.
        """
        report = TickReport()
        failure = ""
        while True:
            next_cycle = Deadline.after(self._clock, interval)
            failure = self.cycle(end, report) or failure
            pause = next_cycle.remaining()
            if (
                not interval
                or window.remaining() <= max(pause, 0)
                or end.remaining() <= RESERVE + max(pause, 0)
            ):
                break
            if pause > 0:
                self._clock.sleep(pause)
        if report.polls and report.polls == report.polls_failed:
            raise EveryPollFailed(f"no request for open events succeeded: {failure}")
        return report

    def cycle(self, end: Deadline, report: TickReport) -> str:
        """Observe, plan and act once; returns the last poll's failure, or nothing.

        Raises LedgerUnavailable.
        """
        active = self._ledger.active()
        subscriptions = self._subscriptions.current()
        self._current = subscriptions or ()
        asked = queries(self._current, (run.event for run in active))
        answers = list(self._pool.map(self._list, asked))
        now = self._clock.now()
        listed = [
            (query, answer)
            for query, answer in zip(asked, answers, strict=True)
            if isinstance(answer, Listing)
        ]
        observed = self._observe(listed, active, now)
        steps = plan(observed, active, now, draining=self._draining)
        list(self._pool.map(lambda step: self._carry_out(step, end), steps))
        self._errors.send(self._subscriptions.integration_id, end.earlier_by(RESERVE))
        failures = [answer for answer in answers if isinstance(answer, str)]
        if subscriptions is None:
            failures.append("Keptn has yet to say which subscriptions this plane has")
        report.cycles += 1
        report.polls += len(answers) + (subscriptions is None)
        report.polls_failed += len(failures)
        report.events_listed = sum(len(listing.events) for _, listing in listed)
        report.runs_active = len(active)
        report.steps += len(steps)
        return failures[-1] if failures else ""

    def _list(self, query: Query) -> Listing | str:
        """The open events of one type, or why there is no telling."""
        try:
            return self._control_plane.open_events(query.event_type, query.filters)
        except KeptnError as problem:
            count(Count.POLLS_FAILED)
            logger.warning("open events can't be listed", reason=str(problem))
            return str(problem)

    def _observe(
        self, listed: Sequence[tuple[Query, Listing]], active: Sequence[Run], now: float
    ) -> Observed:
        known = {run.event.id for run in active}
        found: set[str] = set()
        events: dict[str, EventRef] = {}
        for _, listing in listed:
            for raw in listing.events:
                event_id = raw.get("id") if isinstance(raw, dict) else None
                if isinstance(event_id, str):
                    found.add(event_id)
                if event_id not in known and (event := self._ours(raw)) and self._has_settled(event, listing):
                    events[event.ref.id] = event.ref
        # Kept only where no look answers: ids that outlive a listing keep the memory between them in use.
        self._seen_before = frozenset() if self._looks_supported else frozenset(found)
        self._not_before = {
            event_id: until for event_id, until in self._not_before.items() if event_id in found
        }

        def seen(run: Run) -> Seen:
            if run.event.id in found:
                return Seen.OPEN
            return Seen.ABSENT if any(query.covers(run.event) for query, _ in listed) else Seen.UNKNOWN

        failures = self._failures.receive() if any(_is_awaited(run, now) for run in active) else {}
        return Observed(seen, events, failures, self._waiting.observe(active))

    def _ours(self, raw: object) -> TriggeredEvent | None:
        """The event, if it can be handled and this plane is meant; a refusal is logged once."""
        try:
            event = read_triggered(raw)
        except RefusedEvent as refused:
            key = f"{refused.event_id} {refused}"
            if key not in self._refused and len(self._refused) < REMEMBERED:
                self._refused.add(key)
                count(Count.EVENTS_REFUSED)
                logger.error("an open event can't be handled", event_id=refused.event_id, reason=str(refused))
                self._errors.note(LogEntry.of_unreadable(raw, f"The event can't be handled: {refused}."))
            return None
        is_meant = any(subscription.takes(event.ref) for subscription in self._current)
        return event if is_meant and self._match.takes(event) else None

    def _has_settled(self, event: TriggeredEvent, listing: Listing) -> bool:
        """Whether the control plane has surely noted the task; one that answers looks says so itself."""
        if self._looks_supported or event.ref.id in self._seen_before:
            return True
        try:
            triggered_at = datetime.fromisoformat(str(event.attributes.get("time"))).timestamp()
        except ValueError:
            return False
        return listing.keptn_time is not None and listing.keptn_time - triggered_at >= SETTLED_AFTER

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
            ContainersUnavailable,
        ) as problem:
            logger.warning("put off", event_id=event_id, action=step.action.value, reason=str(problem))
        except Exception:
            logger.exception("failed", event_id=event_id, action=step.action.value)

    def _look(self, ref: EventRef, source: str) -> Look | None:
        """Ask Keptn about a task. Raises LookUnsupported, once with a line in the log, and KeptnError."""
        try:
            look = self._control_plane.look(ref, source)
        except LookUnsupported:
            if self._looks_supported:
                logger.warning(
                    "this control plane can't be asked about a task: no repair, no adoption",
                    keptn=self._control_plane.version(),
                )
            self._looks_supported = False
            raise
        self._looks_supported = True
        return look

    def _start(self, step: Step, _: Deadline) -> None:
        ref = _event_of(step)
        if self._clock.now() < self._not_before.get(ref.id, 0):
            return
        if self._looks_supported:
            try:
                look = self._look(ref, self._source)
            except LookUnsupported:
                return  # the event is taken in a later cycle, once it has settled
            decision = decide_start(look)
        else:
            look, decision = None, self._decide_start_without_look(ref)
        now = self._clock.now()
        if decision is Start.WAIT_FOR_RESUME:
            self._not_before[ref.id] = now + PAUSE_BETWEEN_LOOKS
        elif decision is Start.CLAIM:
            run = self._create(Run.claimed(ref, self._source, now, now + self._run_deadline))
            count(Count.RUNS_CLAIMED)
            self._dispatch(run)
        elif decision is Start.ADOPT and look:
            adopted = self._create(Run.adopted(ref, self._source, now, look))
            self._note(ref, adopted.outcome)
            count(Count.RUNS_ADOPTED)
            logger.error(
                "a task that this plane started is not in its ledger: it ends as errored", event_id=ref.id
            )

    def _decide_start_without_look(self, ref: EventRef) -> Start:
        return Start.WAIT_FOR_RESUME if self._control_plane.is_paused(ref) else Start.CLAIM

    def _create(self, run: Run) -> Run:
        try:
            return self._ledger.create(run)
        except LostRace as lost:
            closed = lost.current
            if closed is None or closed.state is not State.CLOSED:
                raise
            self._ledger.move(closed, closed.reopened(self._clock.now()))
            logger.warning("an event whose run was closed is open again", event_id=run.event.id)
            raise

    def _dispatch_again(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        self._dispatch(self._ledger.move(run, run.dispatched_again(self._clock.now())))

    def _dispatch(self, run: Run) -> None:
        taken_by = next((each.id for each in self._current if each.takes(run.event)), "")
        self._dispatcher.dispatch(run, self._subscriptions.integration_id, taken_by)

    def _note(self, ref: EventRef, outcome: Outcome | None) -> None:
        """Tell the Bridge's error log how a task ended that no worker has ended."""
        if outcome:
            self._errors.note(LogEntry.of(ref, outcome.message))

    def _send_started(self, step: Step, end: Deadline) -> None:
        self._replies.start(_run_of(step), end)

    def _take_back(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        self._ledger.move(run, run.taken_back(self._clock.now()))
        logger.warning(
            "the worker was lost before the task began", event_id=run.event.id, attempt=run.attempt
        )

    def _find(self, step: Step, end: Deadline) -> None:
        if outcome := self._waiting.find(_run_of(step)):
            self._end(_run_of(step), outcome, end)

    def _abandon(self, step: Step, end: Deadline) -> None:
        self._end(_run_of(step), step.outcome or Outcome.errored(""), end)

    def _end(self, run: Run, outcome: Outcome, end: Deadline) -> None:
        ended = run.completed_silently() if run.silent else run.completed(outcome, self._clock.now())
        run = self._ledger.move(run, ended)
        count(Count.RUNS_ABANDONED)
        logger.error("run abandoned", event_id=run.event.id, reason=outcome.message)
        self._note(run.event, outcome)
        if not run.silent:
            self._replies.finish(run, end)

    def _report(self, step: Step, end: Deadline) -> None:
        run = _run_of(step)
        self._replies.finish(self._ledger.move(run, run.reporting(self._clock.now())), end)

    def _repair(self, step: Step, end: Deadline) -> None:
        run = _run_of(step)
        try:
            look = self._look(run.event, run.source)
        except LookUnsupported:
            self._report_without_look(run, end)
            return
        now = self._clock.now()
        decision = decide_repair(run, look)
        if decision is Repair.CLOSE:
            self._close(run)
        elif decision is Repair.LOOK_AGAIN and look:
            self._ledger.move(run, run.looked_first(look, now))
        elif decision is Repair.COMPLETE:
            self._ledger.move(run, run.complete_as_counted(now))
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
            self._replies.repair(run, look, end)
            if run.repairs == PATIENCE:
                self._errors.note(LogEntry.of(run.event, NOT_COUNTED))

    def _report_without_look(self, run: Run, end: Deadline) -> None:
        """Send a finished again whose sender was lost: its being open is all the evidence there is."""
        if run.state is State.DONE and run.reported_at is None:
            self._replies.finish(self._ledger.move(run, run.reporting(self._clock.now())), end)

    def _prove(self, step: Step, _: Deadline) -> None:
        run = _run_of(step)
        try:
            proof = prove(self._look(run.event, run.source))
        except LookUnsupported:
            proof = Proof.ASK
        if proof is Proof.ASK and self._control_plane.fetch_event(run.event) is None:
            now = self._clock.now()
            if is_absent_for_good(run, now):
                proof = Proof.GONE
            elif run.absent_at is None or now > run.absent_at + ABSENT_FORGOTTEN:
                self._ledger.move(run, run.absent_first(now))
        if proof is Proof.GONE:
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
        closed = self._ledger.move(run, run.closed(self._clock.now()))
        if closed.was in {State.RUNNING, State.WAITING}:
            count(Count.RUNS_CANCELLED)
        elif run.state is State.DONE:
            count(Count.RUNS_FINISHED)
        logger.info("run closed", event_id=run.event.id, closed_as=closed.closed_as)


def _is_awaited(run: Run, now: float) -> bool:
    """Whether a worker should have taken the run by now, so that AWS may have given up on invoking it."""
    if run.state is State.CLAIMED:
        return now >= run.claimed_at + FAILURES_AFTER
    return run.state is State.WAITING and run.step is not None and run.step.wakes >= MOST_ATTEMPTS


def _event_of(step: Step) -> EventRef:
    assert step.event is not None
    return step.event


def _run_of(step: Step) -> Run:
    assert step.run is not None
    return step.run
