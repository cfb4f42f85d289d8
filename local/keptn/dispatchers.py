"""What the shipyard controller holds back: sequences until it is their turn, task events until they may go.

Whatever may go on does so at once. The rest is looked at again on a tick, for as long as there is any.
"""

from collections.abc import Callable
from typing import NamedTuple

from execution_plane.clock import Clock
from local.keptn.agenda import Agenda
from local.keptn.events import Event, Scope, moment_of
from local.keptn.execution import PAUSED, STARTED, TRIGGERED, SequenceExecution
from local.keptn.records import Records


class _QueuedSequence(NamedTuple):
    execution: SequenceExecution
    event: Event


class _QueuedEvent(NamedTuple):
    event: Event
    due: float


class Dispatchers:
    """One sequence at a time goes on in each project, stage and service, and none that is paused."""

    def __init__(
        self,
        records: Records,
        agenda: Agenda,
        clock: Clock,
        interval: float,
        *,
        start: Callable[[SequenceExecution, Event], None],
        publish: Callable[[Event, float], None],
    ) -> None:
        """`interval`: seconds between two ticks, counted from now.

        `start` gets a sequence and its triggered event, `publish` a task's and when that was due.
        """
        self._records = records
        self._agenda = agenda
        self._clock = clock
        self._interval = interval
        self._start = start
        self._publish = publish
        self._origin = clock.now()
        self._sequences: dict[str, _QueuedSequence] = {}
        self._events: dict[str, _QueuedEvent] = {}
        self._expects_tick = False

    def add_sequence(self, execution: SequenceExecution, event: Event) -> None:
        """Start a sequence if it is its turn; else it is `waiting`, unless it is paused."""
        queued = _QueuedSequence(execution, event)
        scope = execution.scope
        if self._is_paused(queued):
            self._sequences[event["id"]] = queued
        elif self._is_blocked(queued):
            self._sequences[event["id"]] = queued
            self._records.states.on_waiting(scope.project, scope.keptn_context)
        else:
            self._start(execution, event)
        self._expect_tick()

    def add_event(self, event: Event, due: float) -> None:
        """Publish a task's triggered event if it is due and may go. It is listed in either case."""
        if due <= self._clock.now() and self._may_go(event, due):
            self._publish(event, due)
        else:
            self._events[event["id"]] = _QueuedEvent(event, due)
        self._expect_tick()

    def drop_sequences(self, project: str, keptn_context: str, stage: str) -> None:
        """Have no sequence of a context wait any longer, or none in one stage of it."""
        for event_id, (execution, _) in list(self._sequences.items()):
            scope = execution.scope
            is_its = (scope.project, scope.keptn_context) == (project, keptn_context)
            if is_its and stage in ("", scope.stage):
                del self._sequences[event_id]

    def drop_events(self, keptn_context: str) -> None:
        """Have no task event of a context wait any longer."""
        for event_id, (event, _) in list(self._events.items()):
            if event["shkeptncontext"] == keptn_context:
                del self._events[event_id]

    def _expect_tick(self) -> None:
        if (self._sequences or self._events) and not self._expects_tick:
            self._expects_tick = True
            now = self._clock.now()
            following = self._origin + ((now - self._origin) // self._interval + 1) * self._interval
            # Rounding may have made that the tick that just was.
            self._agenda.add(following if following > now else following + self._interval, self._tick)

    def _tick(self) -> None:
        self._expects_tick = False
        now = self._clock.now()
        for event_id, (event, due) in list(self._events.items()):
            if not self._is_open(event):
                del self._events[event_id]
            elif due <= now and self._may_go(event, now):
                del self._events[event_id]
                self._publish(event, due)
        for event_id, sequence in sorted(self._sequences.items(), key=lambda item: moment_of(item[1].event)):
            if not self._is_open(sequence.event):
                del self._sequences[event_id]
            elif not self._is_paused(sequence) and not self._is_blocked(sequence):
                del self._sequences[event_id]
                self._start(*sequence)
        self._expect_tick()

    def _is_paused(self, sequence: _QueuedSequence) -> bool:
        execution = sequence.execution
        return execution.status.state == PAUSED or self._records.is_paused(execution.scope)

    def _is_blocked(self, sequence: _QueuedSequence) -> bool:
        """Whether another context's sequence is started, or was triggered before this one's event came."""
        scope = sequence.execution.scope
        came = moment_of(sequence.event)
        others = [each for each in self._records.at(scope) if each.scope.keptn_context != scope.keptn_context]
        return any(
            each.status.state == STARTED or (each.status.state == TRIGGERED and each.triggered_at < came)
            for each in others
        )

    def _may_go(self, event: Event, at: float) -> bool:
        """Whether nothing else is started where this task is: after a pause there may be.

        What waits here itself, and was due before `at`, does not count.
        """
        scope = Scope.of(event)
        if self._records.is_paused(scope):
            return False
        for other in self._records.at(scope):
            current = other.status.current.triggered_id
            if other.status.state == STARTED and current != event["id"]:
                waiting = self._events.get(current)
                if waiting is None or waiting.due >= at:
                    return False
        return True

    def _is_open(self, event: Event) -> bool:
        return self._records.open.find(Scope.of(event).project, event["type"], event["id"]) is not None
