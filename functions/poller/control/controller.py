"""The controller: observe what Keptn lists and what the ledger holds, plan, and carry the plan out.

It is level-triggered. Whatever was lost, doubled, late or half done is found again in a later cycle, because
Keptn's list and the ledger still differ.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from control.acting import RESERVE, Actor
from control.dispatch import Dispatcher, FailureQueue
from control.looks import Looks
from control.observing import Observer
from control.paused import PausedTasks
from control.plan import plan
from control.waiting import WaitingRuns
from execution_plane.clock import Clock, Deadline
from execution_plane.containers import Containers
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import EventMatch, SubscriptionSource
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import Ledger

if TYPE_CHECKING:
    from execution_plane.keptn.subscriptions import Subscription

SIDE_BY_SIDE = 32  # requests at a time
MOST_VALUES = 10  # of events left to others that a tick's report shows


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
        pool = pool or ThreadPoolExecutor(SIDE_BY_SIDE)
        looks = Looks(control_plane)
        paused = PausedTasks(control_plane, looks)
        waiting = WaitingRuns(ledger=ledger, containers=containers, dispatch=self._dispatch, clock=clock)
        self._observer = Observer(
            control_plane=control_plane,
            looks=looks,
            paused=paused,
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
            paused=paused,
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
        self._errors = errors
        self._clock = clock

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
        seen = self._observer.observe(active, self._current)
        steps = plan(seen.observed, active, seen.at)
        self._actor.act(steps, end)
        self._errors.send(self._subscriptions.integration_id, end.earlier_by(RESERVE))
        failures = list(seen.failures)
        if subscriptions is None:
            failures.append(
                "no task is taken until Keptn says which subscriptions this plane has, as "
                f"Subscriptions=bridge wants it: {self._subscriptions.trouble}"
            )
        report.cycles += 1
        report.polls += seen.polls + (subscriptions is None)
        report.polls_failed += len(failures)
        report.events_listed = seen.listed
        report.events_left = len(seen.left)
        report.values_left = sorted(set(seen.left))[:MOST_VALUES]
        report.runs_active = len(active)
        report.steps += len(steps)
        return failures[-1] if failures else ""

    def _dispatch(self, run: Run) -> None:
        taken_by = next((each.id for each in self._current if each.takes(run.event)), "")
        self._dispatcher.dispatch(run, self._subscriptions.integration_id, taken_by)
