"""The controller: observe what Keptn lists and what the ledger holds, plan, and carry the plan out.

It is level-triggered. Whatever was lost, doubled, late or half done is found again in a later cycle, because
Keptn's list and the ledger still differ.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from control.acting import RESERVE, Actor
from control.dispatch import Dispatcher, DispatchRefused, FailureQueue
from control.health import TickHealth
from control.looks import Looks
from control.observing import Observation, Observer
from control.pace import Pace
from control.plan import plan
from control.probes import TaskProbes
from control.shift import Shift
from control.waiting import WaitingRuns
from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import EventMatch, SubscriptionSource
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import Ledger
from execution_plane.ledger.watch import Watch
from execution_plane.steps import Steps
from execution_plane.telemetry import logger

if TYPE_CHECKING:
    from execution_plane.keptn.subscriptions import Subscription

SIDE_BY_SIDE = 32  # requests at a time
MOST_VALUES = 10  # of events left to others that a tick's report shows
SLACK = 0.5  # seconds after its window's end at which a poller's last cycle may begin


class EveryPollFailed(Exception):
    """No request for open events succeeded in a whole tick; the text is the last one's failure."""


@dataclass
class TickReport:
    """What a tick did; how many events are open or left to others, and runs active, is as of its last cycle.

    `values_left` are those that the match found in the events that are left to others.
    """

    cycles: int = 0
    polls: int = 0
    polls_failed: int = 0
    events_listed: int = 0
    events_left: int = 0
    values_left: Sequence[str] = ()
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
        steps: Steps,
        subscriptions: SubscriptionSource,
        errors: ErrorLog,
        match: EventMatch,
        source: str,
        run_deadline: float,
        draining: bool,
        clock: Clock,
        watch: Watch | None = None,
        pool: Executor | None = None,
    ) -> None:
        """By `watch`, pollers of different ticks hear of each other; without it, this one hears of none."""
        pool = pool or ThreadPoolExecutor(SIDE_BY_SIDE)
        looks = Looks(control_plane)
        probes = TaskProbes(control_plane=control_plane, looks=looks, source=source, clock=clock, pool=pool)
        waiting = WaitingRuns(ledger=ledger, steps=steps, dispatch=self._dispatch, clock=clock)
        self._observer = Observer(
            control_plane=control_plane,
            looks=looks,
            probes=probes,
            failures=failures,
            waiting=waiting,
            errors=errors,
            match=match,
            clock=clock,
            pool=pool,
        )
        self._actor = Actor(
            control_plane=control_plane,
            looks=looks,
            ledger=ledger,
            replies=replies,
            waiting=waiting,
            dispatch=self._dispatch,
            errors=errors,
            source=source,
            run_deadline=run_deadline,
            draining=draining,
            clock=clock,
            pool=pool,
        )
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._subscriptions = subscriptions
        self._current: Sequence[Subscription] = ()
        self._heard_at = 0.0
        self._without_run: frozenset[str] = frozenset()
        self._draining = draining
        self._watch = watch
        self._errors = errors
        self._clock = clock
        self._health = TickHealth()

    def cycle_until(self, window: Deadline, pace: Pace, end: Deadline) -> TickReport:
        """Cycle at a pace until the window is over, or, on a busy plane, until the next tick's poller has
        begun; nothing is begun close to `end`.

        Raises EveryPollFailed, and LedgerUnavailable.
        """
        report, self._health = TickReport(), TickHealth()
        failure = ""
        shift = Shift(self._watch, pace, self._clock)
        shift.begin()
        due = self._clock.monotonic()
        while True:
            failure = self.cycle(end, report, pace) or failure
            now = self._clock.monotonic()
            due = max(due + pace.seconds, now)
            pause = due - now
            if not pace.seconds or end.remaining() <= RESERVE + pause:
                break
            beyond_window = due > window.at + SLACK
            if beyond_window and not pace.is_busy:
                break
            self._clock.sleep(pause)
            if not shift.goes_on(beyond_window=beyond_window):
                break
        self._health.tell()
        if report.polls and report.polls == report.polls_failed:
            raise EveryPollFailed(f"no request for open events succeeded: {failure}")
        return report

    def cycle(self, end: Deadline, report: TickReport, pace: Pace | None = None) -> str:
        """Observe, plan and act once; returns the last poll's failure, or nothing.

        Raises LedgerUnavailable.
        """
        active = self._ledger.active()
        is_known = self._subscribe(pace.between_heartbeats if pace else 0.0)
        seen = self._observer.observe(active, self._current)
        self._health.note(seen, active)
        steps = plan(seen.observed, active, seen.at)
        if pace:
            self._set_pace(pace, active, seen)
        self._actor.act(steps, end)
        self._errors.send(self._subscriptions.integration_id, end.earlier_by(RESERVE))
        failures = list(seen.failures)
        if not is_known:
            failures.append(
                "no task is taken until Keptn says which subscriptions this plane has, as "
                f"Subscriptions=bridge wants it: {self._subscriptions.trouble}"
            )
        report.cycles += 1
        report.polls += seen.polls + (not is_known)
        report.polls_failed += len(failures)
        report.events_listed = seen.listed
        report.events_left = len(seen.left)
        report.values_left = sorted(set(seen.left))[:MOST_VALUES]
        report.runs_active = len(active)
        report.steps += len(steps)
        return failures[-1] if failures else ""

    def _subscribe(self, new_enough: float) -> bool:
        """Learn what is subscribed to, if that is older than so many seconds; whether it is known."""
        now = self._clock.monotonic()
        if not self._current or now - self._heard_at >= new_enough:
            self._heard_at = now
            subscriptions = self._subscriptions.current()
            self._current = subscriptions or ()
            return subscriptions is not None
        return True

    def _set_pace(self, pace: Pace, active: "Sequence[Run]", seen: Observation) -> None:
        """A task that is under way, or was never seen before, is work; one whose replies were sent is not.

        Others may keep that one open for days.
        """
        pace.answered(seen.seconds, failed=bool(seen.failures))
        without_run = frozenset(seen.observed.events)
        is_new = not self._draining and not without_run <= self._without_run
        self._without_run = without_run
        if is_new or any(run.state is not State.DONE for run in active):
            pace.work()

    def _dispatch(self, run: Run) -> None:
        taken_by = next((each.id for each in self._current if each.takes(run.event)), "")
        try:
            self._dispatcher.dispatch(run, self._subscriptions.integration_id, taken_by)
        except DispatchRefused as refusal:
            self._note_refusal(run, str(refusal))
            raise

    def _note_refusal(self, run: Run, reason: str) -> None:
        """Say at once, wherever somebody may look, that no worker can be invoked.

        After some such refusals, the plan ends the run.
        """
        self._ledger.move(run, run.not_dispatched(reason))
        logger.error("no worker can be invoked", event_id=run.event.id, reason=reason)
        self._errors.note(LogEntry.of(run.event, reason))
