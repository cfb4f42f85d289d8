"""What the shipyard controller's database holds."""

from collections import defaultdict
from dataclasses import dataclass, field

from local.keptn.events import Event, Scope, unix_nanoseconds
from local.keptn.execution import SequenceExecution
from local.keptn.open_events import OpenEvents
from local.keptn.sequence_states import SequenceStates
from local.keptn.shipyard import Shipyard

EventContextInfo = dict[str, str]
"""`eventId, keptnContext, time`, the time in nanoseconds since the epoch."""


@dataclass
class Records:
    """Shipyards, executions, open triggered events, sequence states and what is paused."""

    shipyards: dict[str, Shipyard] = field(default_factory=dict)
    open: OpenEvents = field(default_factory=OpenEvents)
    states: SequenceStates = field(default_factory=SequenceStates)
    paused: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By context, the stages that are paused; the empty name stands for all."""
    last_events: dict[tuple[str, str, str], dict[str, EventContextInfo]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By project, stage and service: the last event of each type that was about one of its tasks."""
    _executions: dict[str, dict[str, list[SequenceExecution]]] = field(default_factory=dict)
    _places: dict[tuple[str, str, str], list[SequenceExecution]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add_project(self, project: str, shipyard: Shipyard) -> None:
        """A new project; sequences that were triggered before there was one are forgotten."""
        self.states.drop(project)
        self.shipyards[project] = shipyard
        self._executions[project] = {}

    def drop_project(self, project: str) -> None:
        """Forget a project with all that is open in it."""
        self.shipyards.pop(project, None)
        self._executions.pop(project, None)
        for by_place in (self._places, self.last_events):
            for place in [each for each in by_place if each[0] == project]:
                del by_place[place]
        self.open.drop(project)
        self.states.drop(project)

    def on_task_event(self, event: Event, now: float) -> None:
        """A task was triggered, or a reply to one was counted."""
        scope = Scope.of(event)
        self.states.on_event(event, now)
        self.last_events[scope.project, scope.stage, scope.service][scope.event_type] = {
            "eventId": event["id"],
            "keptnContext": scope.keptn_context,
            "time": unix_nanoseconds(now),
        }

    def add(self, execution: SequenceExecution) -> bool:
        """Keep a new execution; false if there is one for the same triggered id."""
        scope = execution.scope
        known = self._executions[scope.project].setdefault(scope.keptn_context, [])
        if any(each.scope.triggered_id == scope.triggered_id for each in known):
            return False
        known.append(execution)
        self._places[scope.project, scope.stage, scope.service].append(execution)
        return True

    def at(self, scope: Scope) -> list[SequenceExecution]:
        """The executions in a scope's project, stage and service, oldest first."""
        return self._places.get((scope.project, scope.stage, scope.service), [])

    def executions(self, project: str, keptn_context: str = "", stage: str = "") -> list[SequenceExecution]:
        """The executions of a project, or of a context or stage in it, oldest first."""
        by_context = self._executions.get(project, {})
        contexts = [by_context.get(keptn_context, [])] if keptn_context else by_context.values()
        return [
            execution
            for executions in contexts
            for execution in executions
            if stage in ("", execution.scope.stage)
        ]

    def waiting_for(self, project: str, keptn_context: str, triggered_id: str) -> SequenceExecution | None:
        """The execution whose current task this is, whatever its state; for an empty id, the first one."""
        for execution in self._executions.get(project, {}).get(keptn_context, ()):
            if triggered_id in ("", execution.status.current.triggered_id):
                return execution
        return None

    def is_paused(self, scope: Scope) -> bool:
        """Whether the context of this scope, or its stage, is paused."""
        paused = self.paused.get(scope.keptn_context, ())
        return "" in paused or scope.stage in paused
