"""The course of a sequence: its tasks one after the other, its end, and what that triggers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from execution_plane.clock import Clock
from local.keptn import durations, events
from local.keptn.agenda import Agenda
from local.keptn.datastore import Datastore
from local.keptn.dispatchers import Dispatchers
from local.keptn.events import Event, NewId, Scope
from local.keptn.execution import FINISHED, STARTED, TIMED_OUT, SequenceExecution, Status
from local.keptn.records import Records
from local.keptn.release import Release
from local.keptn.resources import ResourceService
from local.keptn.shipyard import Task
from local.keptn.timing import ResourceLines, Timing

START_TIMEOUT = 600.0
"""Seconds from a task event's time in which Keptn wants any response to it."""
WATCH_INTERVAL = 60.0
"""Seconds between two looks for tasks that were not started."""

LISTED_LATER = 40e-6
"""Seconds between the times of a task's event as it is sent and as it is listed: Keptn looks twice."""


@dataclass(frozen=True)
class Surroundings:
    """What a course needs of the world."""

    clock: Clock
    release: Release
    datastore: Datastore
    resources: ResourceService
    lines: ResourceLines
    new_id: NewId
    timing: Timing


class Course:
    """Moves executions on. Whatever takes time goes on the agenda."""

    def __init__(
        self, records: Records, agenda: Agenda, around: Surroundings, trigger: Callable[[Event], None]
    ) -> None:
        self._records = records
        self._agenda = agenda
        self._around = around
        self._trigger = trigger
        self._watch_origin = around.clock.now()
        self.dispatchers = Dispatchers(
            records,
            agenda,
            around.clock,
            around.timing.dispatch_interval,
            start=self._start,
            publish=self._publish,
        )

    def after_reading(self, project: str, then: Callable[[], None]) -> None:
        """Go on once the controller has read a file of a project, in line with all who read there."""
        over = self._around.lines.join(project)
        if over > self._around.clock.now():
            self._agenda.add(over, then)
        else:
            then()

    def _start(self, execution: SequenceExecution, event: Event) -> None:
        scope = Scope.of(event)
        execution.status.state = STARTED
        self._records.states.on_started(scope.project, scope.keptn_context)
        self.proceed(execution, execution.status.copy(), scope)

    def proceed(self, execution: SequenceExecution, status: Status, scope: Scope) -> None:
        """Trigger the next task, or end the sequence; `scope` is that of the event that led here."""
        task = execution.next_task(status)
        if task is not None:
            self._trigger_task(execution, status, scope, task)
            return
        if self._around.release.last_task_stays_current:
            execution.status.state = FINISHED
        else:
            status.state = FINISHED
            execution.status = status
        if self.complete(execution, scope):
            self._trigger_next_stages(execution, status, scope)

    def complete(self, execution: SequenceExecution, scope: Scope) -> bool:
        """Close all that its context has open in the stage, and send the sequence's finished event.

        Where nothing is open any more, as after an abort, Keptn takes that for an error and sends none;
        gives whether it was sent.
        """
        is_open = self._records.open.remove_all(scope.project, scope.keptn_context, scope.stage)
        if is_open:
            self.send_finished(scope, execution.sequence.name, execution.scope.triggered_id)
        return is_open

    def end_context(self, scope: Scope) -> None:
        """A sequence ended and triggered no other."""
        self._records.states.on_finished(scope.project, scope.keptn_context)
        self.forget_context(scope.keptn_context)

    def forget_context(self, keptn_context: str) -> None:
        """Whatever was paused in a context is so no longer, and what still waited to be sent never is."""
        self._records.paused.pop(keptn_context, None)
        self.dispatchers.drop_events(keptn_context)

    def send_finished(self, scope: Scope, sequence: str, triggered_id: str) -> None:
        """Send the `<stage>.<sequence>.finished` event of this scope."""
        now = self._around.clock.now()
        event_type = f"{events.PREFIX}{scope.stage}.{sequence}.finished"
        event = self._event(event_type, scope, scope.event_data(), now)
        event["triggeredid"] = triggered_id
        self._records.states.on_event(event, now)
        self._around.datastore.store(event)

    def _trigger_task(self, execution: SequenceExecution, status: Status, scope: Scope, task: Task) -> None:
        now = self._around.clock.now()
        due = now + _delay(task)
        event = self._event(f"{events.PREFIX}{task.name}.triggered", scope, execution.next_data(status), due)
        if execution.scope.git_commit_id:
            event["gitcommitid"] = execution.scope.git_commit_id
        listed = {**event, "time": events.rfc3339(due + LISTED_LATER)}
        self._records.open.insert(scope.project, listed, due)
        self._records.on_task_event(event, now)
        turn = partial(self._turn_to, execution, status, task, event, due)
        if self._around.timing.dispatch_gap:
            self._agenda.add(now + self._around.timing.dispatch_gap, turn)
        else:
            turn()

    def _turn_to(
        self, execution: SequenceExecution, status: Status, task: Task, event: Event, due: float
    ) -> None:
        """Overwrite the execution with the copy made before the gap: what happened in it is lost."""
        status.set_current(task.name, event["id"])
        execution.status = status
        self.dispatchers.add_event(event, due)

    def _publish(self, event: Event, due: float) -> None:
        """Send out a task's triggered event, with this moment's time; it has been listed all the while."""
        scope = Scope.of(event)
        self._around.datastore.store({**event, "time": events.rfc3339(self._around.clock.now())})
        elapsed = max(due + START_TIMEOUT, self._around.clock.now()) - self._watch_origin
        tick = self._watch_origin + (elapsed // WATCH_INTERVAL + 1) * WATCH_INTERVAL
        self._agenda.add(tick, partial(self._time_out, event, scope))

    def _time_out(self, event: Event, scope: Scope) -> None:
        """End a sequence whose task nobody has answered. After any answer there is no timeout at all."""
        records = self._records
        answered = self._around.datastore.has_response(scope.keptn_context, event["id"])
        if answered or not records.open.find(scope.project, scope.event_type, event["id"]):
            return
        records.open.remove(scope.project, event["id"])
        execution = records.waiting_for(scope.project, scope.keptn_context, event["id"])
        if execution is None:
            return
        records.states.on_timed_out(scope.project, scope.keptn_context)
        self.forget_context(scope.keptn_context)
        execution.status.state = TIMED_OUT
        message = (
            f"sequence timed out while waiting for task {scope.event_type} to receive a correlating "
            ".started or .finished event"
        )
        self.complete(execution, replace(scope.with_outcome("fail", "errored"), message=message))

    def _trigger_next_stages(self, execution: SequenceExecution, status: Status, scope: Scope) -> None:
        shipyard = self._records.shipyards[scope.project]
        last_task = status.previous[-1].name if status.previous else ""
        following = shipyard.triggered_by(scope.stage, execution.sequence.name, scope.result, last_task)
        if not following:
            self.end_context(scope)
        for stage, sequence in following:
            data = {**execution.next_data(status), "stage": stage}
            trigger = partial(self._trigger_stage, scope, stage, sequence, data)
            self.after_reading(scope.project, trigger)

    def _trigger_stage(self, scope: Scope, stage: str, sequence: str, data: dict[str, Any]) -> None:
        if scope.project not in self._records.shipyards:
            return
        now = self._around.clock.now()
        event = self._event(f"{events.PREFIX}{stage}.{sequence}.triggered", scope, data, now)
        # What is sent out lacks the commit id, so the controller reads it once more.
        commit = self._around.resources.head(scope.project, stage)
        listed = {**event, "gitcommitid": commit} if commit else event
        self._records.open.insert(scope.project, listed, now)
        self._around.datastore.store(event)
        self._trigger(event)

    def _event(self, event_type: str, scope: Scope, data: dict[str, Any], at: float) -> Event:
        """An event of the controller's own: it has no content type of either spelling."""
        return {
            "data": data,
            "id": self._around.new_id(),
            "shkeptncontext": scope.keptn_context,
            "shkeptnspecversion": "latest",
            "source": events.CONTROLLER,
            "specversion": "1.0",
            "time": events.rfc3339(at),
            "type": event_type,
        }


def _delay(task: Task) -> float:
    """Keptn logs a `triggeredAfter` that it cannot read, and goes on without it."""
    try:
        return durations.seconds(task.triggered_after) if task.triggered_after else 0.0
    except durations.InvalidDuration:
        return 0.0
