"""The open triggered events of every project, ready to be listed."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from local.keptn.events import Event


@dataclass(frozen=True)
class OpenEvent:
    """An open triggered event and its JSON, made once: pollers list it over and over."""

    event: Event
    time: float
    stage: str
    service: str
    json: bytes


class OpenEvents:
    """By project and type. An event is listed from its insertion until it is removed."""

    def __init__(self) -> None:
        self._projects: dict[str, dict[str, dict[str, OpenEvent]]] = {}
        self._types: dict[tuple[str, str], str] = {}
        self._contexts: dict[tuple[str, str], set[str]] = defaultdict(set)

    def insert(self, project: str, event: Event, at: float) -> None:
        """Open an event that is due at `at`. One that is open already stays as it is."""
        if (project, event["id"]) in self._types:
            return
        data = event["data"]
        stored = {**event, "data": _without_event_context(data)}
        opened = OpenEvent(
            event=stored,
            time=at,
            stage=data.get("stage", ""),
            service=data.get("service", ""),
            json=json.dumps(stored, separators=(",", ":")).encode(),
        )
        by_id = self._projects.setdefault(project, {}).setdefault(event["type"], {})
        by_id[event["id"]] = opened
        self._types[project, event["id"]] = event["type"]
        self._contexts[project, event["shkeptncontext"]].add(event["id"])

    def remove(self, project: str, event_id: str) -> None:
        """Close an event; nothing happens if it is not open."""
        event_type = self._types.pop((project, event_id), None)
        if event_type is not None:
            opened = self._projects[project][event_type].pop(event_id)
            self._contexts[project, opened.event["shkeptncontext"]].discard(event_id)

    def remove_all(self, project: str, keptn_context: str, stage: str) -> bool:
        """Close whatever a context has open in a stage; whether there was anything."""
        of_context = self._contexts.get((project, keptn_context), set())
        found = [each for each in of_context if self._opened(project, each).stage == stage]
        for event_id in found:
            self.remove(project, event_id)
        return bool(found)

    def drop(self, project: str) -> None:
        """Forget a whole project."""
        for by_id in self._projects.pop(project, {}).values():
            for event_id, opened in by_id.items():
                del self._types[project, event_id]
                self._contexts.pop((project, opened.event["shkeptncontext"]), None)

    def find(self, project: str, event_type: str, event_id: str) -> OpenEvent | None:
        """The open event of this type and id; the newest of the type if the id is empty."""
        if not event_id:
            return next(iter(self.of_type(project, event_type)), None)
        return self._projects.get(project, {}).get(event_type, {}).get(event_id)

    def _opened(self, project: str, event_id: str) -> OpenEvent:
        return self._projects[project][self._types[project, event_id]][event_id]

    def of_type(self, project: str, event_type: str, event_id: str | None = None) -> list[OpenEvent]:
        """The open events of a type, newest first, or only the one with this id."""
        by_id = self._projects.get(project, {}).get(event_type, {})
        if event_id is not None:
            return [by_id[event_id]] if event_id in by_id else []
        return sorted(by_id.values(), key=lambda opened: opened.time, reverse=True)


def _without_event_context(value: Any) -> Any:
    """Keptn's database layer nulls every `eventContext` it finds."""
    match value:
        case dict():
            return {
                key: None if key == "eventContext" else _without_event_context(each)
                for key, each in value.items()
            }
        case list():
            return [_without_event_context(each) for each in value]
        case _:
            return value
