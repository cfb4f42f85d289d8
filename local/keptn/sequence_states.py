"""The materialized view behind `GET /sequence/{project}`: one overall state per Keptn context."""

from typing import Any

from local.keptn.events import Event, Scope, is_sequence_type, keptn_time, moment_of
from local.keptn.execution import ABORTED, FINISHED, PAUSED, STARTED, TIMED_OUT, TRIGGERED, WAITING

SequenceState = dict[str, Any]
"""`name, service, project, time, shkeptncontext, state, stages[{name, state, latestEvent, …}]`."""


class SequenceStates:
    """By project and context, in the order in which they were triggered.

    The view is not the truth: pausing, resuming and aborting rewrite even a finished sequence's state, and a
    late reply turns a finished stage back to `triggered`.
    """

    def __init__(self) -> None:
        self._projects: dict[str, dict[str, SequenceState]] = {}

    def of_project(self, project: str) -> list[SequenceState]:
        """All states of a project, oldest first; empty if there is no such project."""
        return list(self._projects.get(project, {}).values())

    def get(self, project: str, keptn_context: str) -> SequenceState | None:
        """The state of one context."""
        return self._projects.get(project, {}).get(keptn_context)

    def find(self, keptn_context: str) -> SequenceState | None:
        """The state of a context in whichever project it is."""
        return next((each[keptn_context] for each in self._projects.values() if keptn_context in each), None)

    def is_aborted(self, project: str, keptn_context: str) -> bool:
        """Whether the last that is said of a context is that somebody aborted it."""
        state = self._projects.get(project, {}).get(keptn_context)
        return state is not None and state["state"] == ABORTED

    def drop(self, project: str) -> None:
        """Forget a project."""
        self._projects.pop(project, None)

    def on_sequence_triggered(self, event: Event, sequence: str, now: float) -> None:
        """A sequence was triggered, in a new context or a known one."""
        scope = Scope.of(event)
        states = self._projects.setdefault(scope.project, {})
        if scope.keptn_context in states:
            self.on_event(event, now)
            return
        states[scope.keptn_context] = {
            "name": sequence,
            "service": scope.service,
            "project": scope.project,
            "time": keptn_time(moment_of(event)),
            "shkeptncontext": scope.keptn_context,
            "state": TRIGGERED,
            "stages": [{"name": scope.stage, "state": ""}],
        }

    def on_event(self, event: Event, now: float) -> None:
        """An event about a task, or about a sequence's end, came in."""
        scope = Scope.of(event)
        state = self.get(scope.project, scope.keptn_context)
        if state is None:
            return
        latest = {"type": scope.event_type, "id": event["id"], "time": keptn_time(now)}
        stage = next((each for each in state["stages"] if each["name"] == scope.stage), None)
        if stage is None:
            stage = {"name": scope.stage}
            state["stages"].append(stage)
        stage["state"] = scope.status if is_sequence_type(scope.event_type) else TRIGGERED
        stage["latestEvent"] = latest
        if scope.result == "fail" or scope.status == "errored":
            stage["latestFailedEvent"] = latest

    def on_started(self, project: str, keptn_context: str) -> None:
        """A sequence was dispatched."""
        self._set(project, keptn_context, STARTED)

    def on_waiting(self, project: str, keptn_context: str) -> None:
        """A sequence has to wait for another one; a context that is finished stays so."""
        state = self.get(project, keptn_context)
        if state and state["state"] != FINISHED:
            state["state"] = WAITING

    def on_finished(self, project: str, keptn_context: str) -> None:
        """A sequence ended and triggered no other; the context is finished once every stage is."""
        state = self.get(project, keptn_context)
        if state and all(stage["state"] != TRIGGERED for stage in state["stages"]):
            state["state"] = FINISHED

    def on_timed_out(self, project: str, keptn_context: str) -> None:
        """A task was not started in time."""
        self._set(project, keptn_context, TIMED_OUT)

    def on_aborted(self, project: str, keptn_context: str) -> None:
        """Somebody aborted the context."""
        self._set(project, keptn_context, ABORTED)

    def on_paused(self, project: str, keptn_context: str, stage: str) -> None:
        """Somebody paused the context, or one stage of it."""
        self._set(project, keptn_context, PAUSED, stage)

    def on_resumed(self, project: str, keptn_context: str, stage: str) -> None:
        """Somebody resumed the context, or one stage of it."""
        self._set(project, keptn_context, STARTED, stage)

    def _set(self, project: str, keptn_context: str, to: str, stage: str = "") -> None:
        state = self.get(project, keptn_context)
        if state is None:
            return
        if not stage:
            state["state"] = to
        for each in state["stages"]:
            if each["name"] == stage:
                each["state"] = to
