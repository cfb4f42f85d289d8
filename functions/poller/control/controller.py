"""The controller: observe what Keptn lists and what the ledger holds, plan, and carry the plan out.

It is level-triggered. Whatever was lost, doubled, late or half done is found again in a later cycle, because
Keptn's list and the ledger still differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from control.acting import RESERVE, Actor
from control.dispatch import DispatchRefused
from control.health import TickHealth
from control.observing import Observation, Observer
from control.plan import plan
from control.ports import Ports
from execution_plane.clock import Deadline
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.runs import Run
from execution_plane.settings import PollerSettings
from execution_plane.telemetry import logger

if TYPE_CHECKING:
    from execution_plane.keptn.subscriptions import Subscription

MOST_VALUES = 10  # of events left to others that a tick's report shows
BUSY_FOR = 30.0  # seconds for which a plane on which something moved is asked for more as often as it may be
SLOWEST = 10.0  # seconds between two cycles of a busy plane while Keptn is in trouble


class EveryPollFailed(Exception):
    """No request for open events succeeded in a whole slot; the text is the last one's failure."""


@dataclass
class TickReport:
    """What was done in a slot; how many events are open or left to others, and runs active, is as of its last
    cycle.

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

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to see or to do."""
        return not (self.events_listed or self.runs_active or self.steps or self.polls_failed)


@dataclass(frozen=True)
class _Cycle:
    """What a cycle came to; `seconds` for which Keptn was waited for, and why its last list failed, if so."""

    seconds: float
    failure: str
    is_busy: bool


class Controller:
    """Brings Keptn's open list and the ledger together, one cycle at a time.

    It keeps nothing that matters between cycles: several of it may run at once.
    """

    def __init__(self, ports: Ports, settings: PollerSettings) -> None:
        self._ports = ports
        self._observer = Observer(ports, settings)
        self._actor = Actor(ports, settings, self._dispatch)
        self._current: Sequence[Subscription] | None = None
        self._draining = settings.drain
        self._clock = ports.clock
        self._health = TickHealth()

    def cycle_until(self, slot: Deadline, busy: float, end: Deadline) -> TickReport:
        """Cycle once, and on a busy plane each `busy` seconds until the slot ends; nothing is begun close to
        `end`. What takes Keptn long is asked for less often: it has at least as long for others.

        Raises EveryPollFailed, and LedgerUnavailable.
        """
        report = TickReport()
        self._health = TickHealth(had_failing_lists=self._health.had_failing_lists)
        failure, between = "", busy
        while True:
            begun = self._clock.monotonic()
            done = self.cycle(end, report, is_first=not report.cycles)
            failure = done.failure or failure
            between = min(2 * between, SLOWEST) if done.failure else busy
            pause = begun + max(between, 2 * done.seconds) - self._clock.monotonic()
            is_over = slot.remaining() <= pause or end.remaining() <= RESERVE + pause
            if not busy or not done.is_busy or is_over:
                break
            self._clock.sleep(max(0.0, pause))
        self._health.tell()
        if report.polls and report.polls == report.polls_failed:
            raise EveryPollFailed(f"no request for open events succeeded: {failure}")
        return report

    def cycle(self, end: Deadline, report: TickReport, *, is_first: bool = True) -> _Cycle:
        """Observe, plan and act once; a slot's first cycle has the heartbeat. Raises LedgerUnavailable."""
        active = self._ports.ledger.active()
        if is_first:
            self._current = self._ports.subscriptions.current()
        seen = self._observer.observe(active, self._current or ())
        self._health.note(seen, active)
        decisions = plan(seen.observed, active, seen.at)
        self._actor.act(decisions, end)
        self._ports.errors.send(self._ports.subscriptions.integration_id, end.earlier_by(RESERVE))
        failures = list(seen.failures)
        is_known = self._current is not None
        if not is_known:
            failures.append(
                "no task is taken until Keptn says which subscriptions this plane has, as "
                f"Subscriptions=bridge wants it: {self._ports.subscriptions.trouble}"
            )
        report.cycles += 1
        report.polls += seen.polls + (not is_known)
        report.polls_failed += len(failures)
        report.events_listed = seen.listed
        report.events_left = len(seen.left)
        report.values_left = sorted(set(seen.left))[:MOST_VALUES]
        report.runs_active = len(active)
        report.steps += len(decisions)
        return _Cycle(seen.seconds, failures[-1] if failures else "", self._is_busy(active, seen))

    def _is_busy(self, active: Sequence[Run], seen: Observation) -> bool:
        """Whether something moved just now: a run, by the ledger, or a task that Keptn has triggered.

        Such a task may be one that Keptn has yet to note: it is not claimed until then.
        """
        moments = [run.moved_at for run in active]
        if not self._draining:
            moments += [event.triggered_at or 0.0 for event in seen.observed.events.values()]
        return any(seen.at < moment + BUSY_FOR for moment in moments)

    def _dispatch(self, run: Run) -> None:
        taken_by = next((each.id for each in self._current or () if each.takes(run.event)), "")
        try:
            self._ports.dispatcher.dispatch(run, self._ports.subscriptions.integration_id, taken_by)
        except DispatchRefused as refusal:
            self._note_refusal(run, str(refusal))
            raise

    def _note_refusal(self, run: Run, reason: str) -> None:
        """Say at once, wherever somebody may look, that no worker can be invoked.

        After some such refusals, the plan ends the run.
        """
        self._ports.ledger.move(run, run.not_dispatched(reason))
        logger.error("no worker can be invoked", event_id=run.event.id, reason=reason)
        self._ports.errors.note(LogEntry.of(run.event, reason))
