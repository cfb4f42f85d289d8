"""The shipyard controller: it runs sequences by counting what executors report.

Everything that Keptn does after it has answered happens in `settle()`, in order, when its time has come.
"""

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from local.keptn import events
from local.keptn.agenda import Agenda
from local.keptn.course import Course, Surroundings
from local.keptn.events import Event, InvalidScope, Scope
from local.keptn.execution import FINISHED, TIMED_OUT, TRIGGERED, SequenceExecution, Status, TaskEvent
from local.keptn.open_events import OpenEvent
from local.keptn.records import Records
from local.keptn.shipyard import Sequence, SequenceNotFound


class Ignored(NamedTuple):
    """An event that changed nothing, and why."""

    event: Event
    reason: str


class ShipyardController:
    """Handles events and commands. Not thread safe: its owner holds the lock."""

    def __init__(self, around: Surroundings) -> None:
        self.records = Records()
        self.ignored: list[Ignored] = []
        self._around = around
        self._agenda = Agenda()
        self._course = Course(self.records, self._agenda, around, self.accept)
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def accept(self, event: Event) -> None:
        """Take an event to be handled once the reply delay is over."""
        due = self._around.clock.now() + self._around.timing.reply_delay
        self._agenda.add(due, partial(self._handle, event))

    def settle(self) -> bool:
        """Do everything that is due, in order; whether there was anything."""
        acted = False
        while action := self._agenda.take(self._around.clock.now()):
            action()
            acted = True
        return acted

    def next_due(self) -> float | None:
        """When there is next something to settle, in seconds since the epoch."""
        return self._agenda.next_due()

    def control(self, project: str, keptn_context: str, command: str, stage: str) -> None:
        """Pause, resume or abort. Another command, or an unknown context, does nothing."""
        if command == "pause":
            self._pause(project, keptn_context, stage)
        elif command == "resume":
            self._resume(project, keptn_context, stage)
        elif command == "abort":
            self._abort(project, keptn_context, stage)

    def counts(self, triggered_id: str) -> tuple[int, int]:
        """How many started and finished events were counted for a task; dropped ones are not."""
        started, finished = self._counts.get(triggered_id, (0, 0))
        return started, finished

    def is_busy(self, project: str, stage: str, service: str) -> bool:
        """Whether a sequence is under way there, be it paused or waiting itself, or may come to be so again.

        One that is aborted in the gap before its task is dispatched goes on with that, and holds up others.
        """
        executions = self.records.at(Scope(project, stage, service))
        return any(
            each.status.state not in (FINISHED, TIMED_OUT)
            or self.records.states.is_aborted(project, each.scope.keptn_context)
            for each in executions
        )

    def listing(self, project: str, event_type: str, event_id: str | None = None) -> list[OpenEvent]:
        """The open events of a type, newest first, without those that are not due yet."""
        listed = self.records.open.of_type(project, event_type, event_id)
        if self._around.release.hides_future_events:
            now = self._around.clock.now()
            return [opened for opened in listed if opened.time <= now]
        return listed

    def _handle(self, event: Event) -> None:
        kind = events.kind_of(event["type"])
        try:
            if kind == "triggered" and events.is_sequence_type(event["type"]):
                self._on_sequence_triggered(event, Scope.of(event))
            elif kind in ("started", "finished") and events.is_task_type(event["type"]):
                self._on_reply(event, Scope.of(event))
            else:
                self._ignore(event, "of no interest to the shipyard controller")
        except InvalidScope as error:
            self._ignore(event, str(error))

    def _on_sequence_triggered(self, event: Event, scope: Scope) -> None:
        find = partial(self._find_sequence, event, scope)
        if scope.project in self.records.shipyards:
            self._course.after_reading(scope.project, find)
        else:
            find()

    def _find_sequence(self, event: Event, scope: Scope) -> None:
        name = scope.event_type.split(".")[4]
        shipyard = self.records.shipyards.get(scope.project)
        if shipyard is None:
            reason = f"could not retrieve shipyard.yaml for project {scope.project}: Resource not found"
            self._refuse_sequence(event, scope, name, f"Unable to retrieve Shipyard file: {reason}")
            return
        try:
            sequence = shipyard.sequence(scope.stage, name)
        except SequenceNotFound as error:
            self._refuse_sequence(event, scope, name, f"Unable to start sequence {name}: {error}")
            return
        add = partial(self._add_sequence, event, scope, sequence)
        if scope.git_commit_id:
            add()
        else:
            self._course.after_reading(scope.project, add)

    def _add_sequence(self, event: Event, scope: Scope, sequence: Sequence) -> None:
        if scope.project not in self.records.shipyards:
            self._ignore(event, "project not found")
            return
        now = self._around.clock.now()
        if not scope.git_commit_id and (commit := self._around.resources.head(scope.project, scope.stage)):
            event = {**event, "gitcommitid": commit}
        execution = SequenceExecution(
            id=self._around.new_id(),
            sequence=sequence,
            status=Status(TRIGGERED),
            scope=replace(Scope.of(event), triggered_id=event["id"]),
            input=event["data"],
            triggered_at=now,
        )
        self.records.open.insert(scope.project, event, now)
        if not self.records.add(execution):
            self._ignore(event, "sequence with the same triggeredID already exists")
            return
        if self.records.is_paused(execution.scope):
            execution.status.pause()
        self.records.states.on_sequence_triggered(event, sequence.name, now)
        self._course.dispatchers.add_sequence(execution, event)

    def _refuse_sequence(self, event: Event, scope: Scope, name: str, message: str) -> None:
        """A sequence that can't start is finished, and its stage errored; there is no execution of it."""
        self.records.states.on_sequence_triggered(event, name, self._around.clock.now())
        self._course.end_context(scope)
        self._course.send_finished(
            replace(scope.with_outcome("fail", "errored"), message=message), name, event["id"]
        )

    def _on_reply(self, event: Event, scope: Scope) -> None:
        """Count a started or finished event; when the counts are even, the task is done.

        Neither its source nor its id matters, and the execution may long be over.
        """
        execution = self.records.waiting_for(scope.project, scope.keptn_context, scope.triggered_id)
        if execution is None:
            self._ignore(event, "sequence not found")
            return
        now = self._around.clock.now()
        self.records.on_task_event(event, now)
        current = execution.status.current
        current.events.append(TaskEvent.of(event, scope, now))
        self._counts[current.triggered_id][events.kind_of(scope.event_type) == "finished"] += 1
        if current.is_finished():
            self._complete_task(execution, event, scope)

    def _complete_task(self, execution: SequenceExecution, event: Event, scope: Scope) -> None:
        status = execution.status.copy()
        completed = status.complete_current(self._around.release.odd_results_fail)
        triggered = events.with_kind(scope.event_type, "triggered")
        opened = self.records.open.find(scope.project, triggered, scope.triggered_id)
        if opened is None:
            # A wrong task in the type, or an aborted sequence: Keptn logs an error and leaves it at that.
            self._ignore(event, "no matching task '.triggered' event found")
            return
        self.records.open.remove(scope.project, opened.event["id"])
        self._course.proceed(execution, status, scope.with_outcome(completed.result, completed.status))

    def _pause(self, project: str, keptn_context: str, stage: str) -> None:
        self.records.states.on_paused(project, keptn_context, stage)
        self.records.paused[keptn_context].add(stage)
        for execution in self.records.executions(project, keptn_context, stage):
            execution.status.pause()

    def _resume(self, project: str, keptn_context: str, stage: str) -> None:
        self.records.states.on_resumed(project, keptn_context, stage)
        if stage:
            self.records.paused[keptn_context].discard(stage)
        else:
            self.records.paused.pop(keptn_context, None)
        for execution in self.records.executions(project, keptn_context, stage):
            execution.status.resume()

    def _abort(self, project: str, keptn_context: str, stage: str) -> None:
        """End every execution of the context, whatever its state, and tell nobody who works for it."""
        self.records.states.on_aborted(project, keptn_context)
        self._course.forget_context(keptn_context)
        self._course.dispatchers.drop_sequences(project, keptn_context, stage)
        for execution in self.records.executions(project, keptn_context, stage):
            self.records.open.remove(project, execution.status.current.triggered_id)
            execution.status.state = FINISHED
            self._course.complete(execution, execution.scope.with_outcome("pass", "aborted"))

    def _ignore(self, event: Event, reason: str) -> None:
        self.ignored.append(Ignored(event, reason))
