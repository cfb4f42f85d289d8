"""One cycle's observations: what Keptn lists, what AWS gave up on, and how steps fare."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace

from control.dispatch import Failures
from control.plan import Observed, Seen
from control.ports import Ports
from control.probes import TaskProbes
from execution_plane.keptn.control_plane import Listing
from execution_plane.keptn.events import EventRef, RefusedEvent, read_triggered
from execution_plane.keptn.subscriptions import EventMatch, Query, Subscription, queries
from execution_plane.keptn.transport import KeptnError
from execution_plane.keptn.uniform import LogEntry
from execution_plane.ledger.runs import MOST_ATTEMPTS, Run, State
from execution_plane.settings import PollerSettings
from execution_plane.telemetry import Count, count, logger

# Seconds for which a run is here, and since the last time, before the failure queue is worth reading: a busy
# plane polls each second, and most of its tasks are over before.
FAILURES_EVERY = 5.0
SETTLED_AFTER = 3.0  # seconds of an event's age by which a control plane without looks has noted its task
LONGEST_VALUE = 64  # characters of a value that the log shows
REMEMBERED = 10_000  # refused events that are not logged again


@dataclass(frozen=True)
class Observation:
    """What was observed at a moment; how many lists were asked for, why some failed, how much was in the
    others.

    `left` has, for each event that this plane's match leaves to others, the value that was found in it.
    `lists` has each list that was asked for, and why it failed or nothing.
    """

    at: float
    seconds: float
    """For which Keptn was waited for."""
    observed: Observed
    polls: int
    failures: Sequence[str]
    listed: int
    left: Sequence[str]
    lists: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Listed:
    """What is kept of a listed event: its id, where it has one, and more where it is new.

    An open list may come to tens of megabytes.
    """

    id: str = ""
    ref: EventRef | None = None
    """If it can be handled, and this plane is meant."""
    left: str | None = None
    """What the match found in it, if only that leaves it to others."""


class Observer:
    """Observes Keptn, the failure queue and steps; it changes nothing but the failure queue."""

    def __init__(self, ports: Ports, settings: PollerSettings) -> None:
        self._ports = ports
        self._probes = TaskProbes(ports, settings.source)
        self._match = EventMatch(settings.match)
        self._seen_before: frozenset[str] = frozenset()
        self._refused: set[str] = set()
        self._failures_read_at: float | None = None

    def observe(self, active: Sequence[Run], subscriptions: Sequence[Subscription]) -> Observation:
        """List what is open, of the types that are subscribed to and of those that active runs have."""
        asked = queries(subscriptions, (run.event for run in active))
        known = {run.event.id for run in active}

        def keep(raw: object) -> _Listed:
            return self._kept(raw, known, subscriptions)

        begun = self._ports.clock.monotonic()
        # The first goes ahead of the others: Keptn lets an address log in but twice at once.
        answers = [self._list(query, keep) for query in asked[:1]]
        answers += self._ports.pool.map(lambda query: self._list(query, keep), asked[1:])
        now, seconds = self._ports.clock.now(), self._ports.clock.monotonic() - begun
        listed = [
            (query, answer)
            for query, answer in zip(asked, answers, strict=True)
            if isinstance(answer, Listing)
        ]
        left = [each.left for _, listing in listed for each in listing.events if each.left is not None]
        failures = [answer for answer in answers if isinstance(answer, str)]
        observed = self._observed(listed, active, now)
        if left:
            logger.debug("events are left to other planes", events=len(left), values=sorted(set(left)))
        keptn_time = max((answer.keptn_time or now for _, answer in listed), default=now)
        looks = self._probes.observe(observed.events, keptn_time, is_all=not failures)
        return Observation(
            at=now,
            seconds=seconds,
            observed=replace(observed, looks=looks),
            polls=len(answers),
            failures=failures,
            listed=sum(len(listing.events) for _, listing in listed),
            left=left,
            lists={
                str(query): answer if isinstance(answer, str) else ""
                for query, answer in zip(asked, answers, strict=True)
            },
        )

    def _list(self, query: Query, keep: Callable[[object], _Listed]) -> Listing | str:
        """The open events of one type, or why there is no telling."""
        try:
            return self._ports.control_plane.open_events(query.event_type, query.filters, keep)
        except KeptnError as problem:
            count(Count.POLLS_FAILED)
            logger.warning("open events can't be listed", reason=str(problem))
            return str(problem)

    def _observed(
        self,
        listed: Sequence[tuple[Query, Listing]],
        active: Sequence[Run],
        now: float,
    ) -> Observed:
        found = {each.id for _, listing in listed for each in listing.events}
        events = {
            each.id: each.ref
            for _, listing in listed
            for each in listing.events
            if each.ref and self._has_settled(each.ref, listing)
        }
        # Kept only where no look answers: ids that outlive a listing keep the memory between them in use.
        self._seen_before = frozenset() if self._ports.looks.are_supported else frozenset(found)

        def seen(run: Run) -> Seen:
            if run.event.id in found:
                return Seen.OPEN
            return Seen.ABSENT if any(query.covers(run.event) for query, _ in listed) else Seen.UNKNOWN

        failures = self._failed(active, now)
        return Observed(seen, events, failures.latest, failures.known, self._ports.steps.observe(active, now))

    def _failed(self, active: Sequence[Run], now: float) -> Failures:
        """The worker's invocations that failed; the queue is read no more often than it is worth."""
        read_at, at = self._failures_read_at, self._ports.clock.monotonic()
        is_due = read_at is None or at >= read_at + FAILURES_EVERY
        if not is_due or not any(_is_awaited(run, now) for run in active):
            return self._ports.failures.known()
        self._failures_read_at = at
        return self._ports.failures.receive()

    def _kept(self, raw: object, known: Container[str], subscriptions: Sequence[Subscription]) -> _Listed:
        """What is kept of a listed event; one that has no run and can't be handled is logged once."""
        event_id = raw.get("id") if isinstance(raw, dict) else None
        listed = _Listed(event_id if isinstance(event_id, str) else "")
        if listed.id in known:
            return listed
        try:
            event = read_triggered(raw)
        except RefusedEvent as refused:
            key = f"{refused.event_id} {refused}"
            if key not in self._refused and len(self._refused) < REMEMBERED:
                self._refused.add(key)
                count(Count.EVENTS_REFUSED)
                logger.error("an open event can't be handled", event_id=refused.event_id, reason=str(refused))
                self._ports.errors.note(
                    LogEntry.of_unreadable(raw, f"The event can't be handled: {refused}.")
                )
            return listed
        if not any(subscription.takes(event.ref) for subscription in subscriptions):
            return listed
        if self._match.takes(event):
            return _Listed(listed.id, event.ref)
        value = self._match.value(event)
        left = "(no text, number or truth value)" if value is None else value[:LONGEST_VALUE]
        return _Listed(listed.id, left=left)

    def _has_settled(self, ref: EventRef, listing: Listing) -> bool:
        """Whether the control plane has surely noted the task; one that answers looks says so itself."""
        if self._ports.looks.are_supported or ref.id in self._seen_before:
            return True
        triggered_at, now = ref.triggered_at, listing.keptn_time
        return triggered_at is not None and now is not None and now - triggered_at >= SETTLED_AFTER


def _is_awaited(run: Run, now: float) -> bool:
    """Whether a worker has the run, or should have, for so long that AWS may have given up on it."""
    if run.state in {State.CLAIMED, State.RUNNING}:
        return now >= run.claimed_at + FAILURES_EVERY
    is_often_woken = run.step is not None and run.step.wakes >= MOST_ATTEMPTS
    return run.state is State.WAITING and (bool(run.invocation) or is_often_woken)
