"""A shipyard file: the stages of a project, their sequences and tasks, and what triggers what."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml


class SequenceNotFound(Exception):
    """A shipyard has no such stage, or the stage no such sequence; says so as Keptn does."""


class InvalidShipyard(Exception):
    """The shipyard is not YAML, breaks the schema, or has a version or stage that Keptn refuses."""


@dataclass(frozen=True)
class Task:
    """A task; `triggered_after` is a Go duration."""

    name: str
    triggered_after: str = ""
    properties: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        delay = {"triggeredAfter": self.triggered_after} if self.triggered_after else {}
        return {"name": self.name, **delay, "properties": self.properties}


@dataclass(frozen=True)
class Trigger:
    """An event that starts a sequence; without a selector, `pass` and `warning` do."""

    event: str
    match: dict[str, str] | None = None

    def fires(self, finished: str, result: str, last_task: str) -> bool:
        """Whether `<stage>.<sequence>.finished` with this result fires it.

        Keptn looks at the result only: `errored` with `pass` still triggers the next stage.
        """
        if self.event != finished:
            return False
        if self.match is None:
            return result in ("pass", "warning")
        return result in (self.match.get("result"), self.match.get(f"{last_task}.result"))


@dataclass(frozen=True)
class Sequence:
    """A sequence of tasks."""

    name: str
    tasks: tuple[Task, ...]
    triggered_on: tuple[Trigger, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {"name": self.name, "tasks": [task.as_json() for task in self.tasks]}


@dataclass(frozen=True)
class Stage:
    """A stage and its sequences."""

    name: str
    sequences: tuple[Sequence, ...] = ()


@dataclass(frozen=True)
class Shipyard:
    """A whole shipyard."""

    version: str
    stages: tuple[Stage, ...] = field(default_factory=tuple)

    def sequence(self, stage: str, name: str) -> Sequence:
        """The sequence of a stage. Every stage has a built-in `evaluation` sequence.

        Raises SequenceNotFound.
        """
        plan = next((each for each in self.stages if each.name == stage), None)
        if plan is None:
            raise SequenceNotFound(f"no stage with name {stage}")
        found = next((each for each in plan.sequences if each.name == name), None)
        if found is None and name == "evaluation":
            return Sequence("evaluation", (Task("evaluation"),))
        if found is None:
            raise SequenceNotFound(f"no task sequence with name {name} found in stage {stage}")
        if not found.tasks:
            raise SequenceNotFound(f"task sequence {name} does not contain any tasks")
        return found

    def parents(self, name: str) -> list[str]:
        """The other stages whose sequences' ends trigger one of this stage, each once."""
        triggers = [
            trigger.event.split(".")
            for stage in self.stages
            if stage.name == name
            for sequence in stage.sequences
            for trigger in sequence.triggered_on
        ]
        return list(dict.fromkeys(parts[0] for parts in triggers if len(parts) == 3 and parts[0] != name))

    def triggered_by(self, stage: str, sequence: str, result: str, last_task: str) -> list[tuple[str, str]]:
        """The (stage, sequence) pairs that the end of a sequence triggers."""
        finished = f"{stage}.{sequence}.finished"
        return [
            (each.name, candidate.name)
            for each in self.stages
            for candidate in each.sequences
            for trigger in candidate.triggered_on
            if trigger.fires(finished, result, last_task)
        ]


def read(text: str) -> Shipyard:
    """Read a shipyard file.

    Raises InvalidShipyard.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidShipyard(f"could not unmarshal provided shipyard content: {error}") from error
    root = _object(
        document, "shipyard", required={"apiVersion": str, "kind": str, "metadata": dict, "spec": dict}
    )
    _object(root["metadata"], "metadata", required={"name": str})
    spec = _object(root["spec"], "spec", required={"stages": list})
    if not re.fullmatch(r"(spec\.keptn\.sh/)?0\.([2-9]|\d\d+)(\.\d+)?", root["apiVersion"]):
        raise InvalidShipyard(f"Invalid shipyard APIVersion {root['apiVersion']}. Expected >= 0.2")
    if not spec["stages"]:
        raise InvalidShipyard("Shipyard must contain at least one stage")
    return Shipyard(root["apiVersion"].rpartition("/")[2], tuple(_stage(each) for each in spec["stages"]))


def is_entity_name(name: str) -> bool:
    """Whether Keptn takes this for a project or stage: lower case, digits and hyphens."""
    return re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]|[a-z]", name) is not None


def _stage(value: Any) -> Stage:
    stage = _object(value, "stage", required={"name": str, "sequences": list})
    if not is_entity_name(stage["name"]):
        raise InvalidShipyard(f"Stage {stage['name']} contains upper case letter(s) or special character(s)")
    return Stage(stage["name"], tuple(_sequence(each) for each in stage["sequences"]))


def _sequence(value: Any) -> Sequence:
    sequence = _object(
        value, "sequence", required={"name": str, "tasks": list}, optional={"triggeredOn": list}
    )
    return Sequence(
        sequence["name"],
        tuple(_task(each) for each in sequence["tasks"]),
        tuple(_trigger(each) for each in sequence.get("triggeredOn") or ()),
    )


def _task(value: Any) -> Task:
    task = _object(
        value, "task", required={"name": str}, optional={"triggeredAfter": str, "properties": dict}
    )
    return Task(task["name"], task.get("triggeredAfter") or "", task.get("properties"))


def _trigger(value: Any) -> Trigger:
    trigger = _object(value, "triggeredOn", required={"event": str}, optional={"selector": dict})
    if trigger.get("selector") is None:
        return Trigger(trigger["event"])
    match = _object(trigger["selector"], "selector", required={"match": dict})["match"]
    for key, expected in match.items():
        if not isinstance(expected, str):
            raise InvalidShipyard(f"selector.match.{key} must be a string")
    return Trigger(trigger["event"], match)


def _object(
    value: Any,
    where: str,
    required: dict[str, type] | None = None,
    optional: dict[str, type] | None = None,
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidShipyard(f"{where} must be an object")
    required, optional = required or {}, optional or {}
    for name in required:
        if value.get(name) is None:
            raise InvalidShipyard(f"{where}.{name} is required")
    for name, given in value.items():
        expected = required.get(name) or optional.get(name)
        if expected is None:
            raise InvalidShipyard(f"{where} has no property {name}")
        if given is not None and not isinstance(given, expected):
            raise InvalidShipyard(f"{where}.{name} must be of type {expected.__name__}")
    return value
