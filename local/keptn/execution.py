"""One run of a sequence in a stage: its state, its tasks, what they came to, and the data they pass on."""

import copy
from dataclasses import dataclass, field
from typing import Any

from local.keptn.events import Event, Scope, keptn_time, kind_of
from local.keptn.merge import merge
from local.keptn.shipyard import Sequence, Task

TRIGGERED = "triggered"
STARTED = "started"
WAITING = "waiting"
WAITING_FOR_APPROVAL = "waitingForApproval"
PAUSED = "paused"
FINISHED = "finished"
TIMED_OUT = "timedOut"
ABORTED = "aborted"

_PAUSABLE = (STARTED, WAITING, TRIGGERED, WAITING_FOR_APPROVAL)


@dataclass(frozen=True)
class TaskEvent:
    """A reply that the controller counted."""

    event_type: str
    source: str
    result: str
    status: str
    time: str
    properties: dict[str, Any] | None

    @classmethod
    def of(cls, event: Event, scope: Scope, at: float) -> "TaskEvent":
        """A started or finished event; only a finished one keeps its data."""
        finished = kind_of(event["type"]) == "finished"
        return cls(
            event_type=event["type"],
            source=event["source"],
            result=scope.result,
            status=scope.status,
            time=keptn_time(at),
            properties=event["data"] if finished else None,
        )

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            "eventType": self.event_type,
            "source": self.source,
            "result": self.result,
            "status": self.status,
            "time": self.time,
            "properties": self.properties,
        }


@dataclass(frozen=True)
class TaskResult:
    """What a completed task came to."""

    name: str
    triggered_id: str
    result: str
    status: str
    properties: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            "name": self.name,
            "triggeredID": self.triggered_id,
            "result": self.result,
            "status": self.status,
            "properties": self.properties,
        }


@dataclass
class CurrentTask:
    """The task that replies are counted for."""

    name: str = ""
    triggered_id: str = ""
    events: list[TaskEvent] = field(default_factory=list)

    def counts(self) -> tuple[int, int]:
        """How many started and how many finished events were counted."""
        kinds = [kind_of(event.event_type) for event in self.events]
        return kinds.count("started"), kinds.count("finished")

    def is_finished(self) -> bool:
        """As many finished as started events, and at least one: nothing else matters to Keptn."""
        started, finished = self.counts()
        return started == finished > 0

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            "name": self.name,
            "triggeredID": self.triggered_id,
            "events": [event.as_json() for event in self.events],
        }


@dataclass
class Status:
    """Where an execution stands."""

    state: str
    state_before_pause: str = ""
    previous: list[TaskResult] = field(default_factory=list)
    current: CurrentTask = field(default_factory=CurrentTask)

    def copy(self) -> "Status":
        """A copy to work on, as one read from the database."""
        current = CurrentTask(self.current.name, self.current.triggered_id, list(self.current.events))
        return Status(self.state, self.state_before_pause, list(self.previous), current)

    def pause(self) -> None:
        """Pause, unless it is over or paused already."""
        if self.state in _PAUSABLE:
            self.state_before_pause, self.state = self.state, PAUSED

    def resume(self) -> None:
        """Go on with what it did before, if it is paused."""
        if self.state == PAUSED:
            self.state = self.state_before_pause

    def set_current(self, name: str, triggered_id: str) -> None:
        """Turn to the next task. A paused execution stays paused."""
        self.current = CurrentTask(name, triggered_id)
        state = WAITING_FOR_APPROVAL if name == "approval" else STARTED
        if self.state == PAUSED:
            self.state_before_pause = state
        else:
            self.state = state

    def complete_current(self, odd_results_fail: bool) -> TaskResult:
        """Move the current task to the completed ones."""
        finished = [event for event in self.current.events if kind_of(event.event_type) == "finished"]
        result, status = aggregate(finished, odd_results_fail)
        properties: dict[str, Any] | None = None
        for event in finished:
            properties = merge(properties, event.properties)
        completed = TaskResult(self.current.name, self.current.triggered_id, result, status, properties)
        self.previous.append(completed)
        self.current = CurrentTask()
        return completed

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            "state": self.state,
            "stateBeforePause": self.state_before_pause,
            "previousTasks": [task.as_json() for task in self.previous],
            "currentTask": self.current.as_json(),
        }


@dataclass
class SequenceExecution:
    """One run of a sequence in a stage. A context with several stages has several."""

    id: str
    sequence: Sequence
    status: Status
    scope: Scope
    input: dict[str, Any]
    triggered_at: float

    def next_task(self, status: Status) -> Task | None:
        """The task after the last completed one; None after a failed or errored one, or at the end."""
        last = status.previous[-1] if status.previous else None
        if last and (last.result == "fail" or last.status == "errored"):
            return None
        done = len(status.previous)
        return self.sequence.tasks[done] if done < len(self.sequence.tasks) else None

    def next_data(self, status: Status) -> dict[str, Any]:
        """The data of the next triggered event, be it the next task's or the next stage's."""
        data: dict[str, Any] = copy.deepcopy(self.input)
        data |= {"project": self.scope.project, "stage": self.scope.stage, "service": self.scope.service}
        for task in status.previous:
            data = merge(data, task.properties)
        if status.previous:
            data |= {"result": status.previous[-1].result, "status": status.previous[-1].status}
        task_ahead = self.next_task(status)
        if task_ahead is not None and task_ahead.properties is not None:
            data[task_ahead.name] = merge(data.get(task_ahead.name), task_ahead.properties)
        if data.get("message") is not None:
            data["message"] = ""
        return data

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            "_id": self.id,
            "schemaVersion": "1",
            "sequence": self.sequence.as_json(),
            "status": self.status.as_json(),
            "scope": self.scope.as_json(),
            "inputProperties": self.input,
            "triggeredAt": keptn_time(self.triggered_at),
        }


def aggregate(finished: list[TaskEvent], odd_results_fail: bool) -> tuple[str, str]:
    """The (result, status) of a task from its finished events: the worst of them."""
    results = [event.result for event in finished]
    statuses = [event.status for event in finished]
    if "fail" in results or (odd_results_fail and not set(results) <= {"pass", "warning"}):
        result = "fail"
    else:
        result = "warning" if "warning" in results else "pass"
    if not odd_results_fail:
        return result, "errored" if "errored" in statuses else "succeeded"
    if "errored" in statuses:
        return result, "errored"
    if "aborted" in statuses:
        return result, "aborted"
    if all(status == "succeeded" for status in statuses):
        return result, "succeeded"
    return "fail", "unknown"
