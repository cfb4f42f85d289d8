"""Which events are ours: by type, project, stage, service, and one match on the event itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from execution_plane import jsonpath
from execution_plane.keptn.events import EventRef, TriggeredEvent
from execution_plane.settings import Match, PollerSettings

ROOT_KEYS = ("id", "shkeptncontext", "time", "source", "data", "specversion", "type", "gitcommitid")
"""What a JSONPath sees of an event: the same as in a job config (docs/keptn-api.md, 10.2)."""


@dataclass(frozen=True)
class Subscription:
    """One event type and its filters; an empty filter lets everything pass."""

    event_type: str
    projects: Sequence[str] = ()
    stages: Sequence[str] = ()
    services: Sequence[str] = ()
    id: str = ""
    """Keptn's; empty for one that is known from the template only."""

    def takes(self, ref: EventRef) -> bool:
        """Whether the event passes: values of a filter are alternatives, filters must all pass."""
        return (
            ref.type == self.event_type
            and (not self.projects or ref.project in self.projects)
            and (not self.stages or ref.stage in self.stages)
            and (not self.services or ref.service in self.services)
        )


class SubscriptionSource(Protocol):
    """Who says what is ours."""

    @property
    def integration_id(self) -> str:
        """The id under which Keptn knows this plane; empty while it is not registered."""
        ...

    @property
    def trouble(self) -> str:
        """Why Keptn did not say the subscriptions when it was last asked; empty if it did."""
        ...

    def current(self) -> Sequence[Subscription] | None:
        """The subscriptions as of now, asked for once a cycle; None while none are known."""
        ...


@dataclass(frozen=True)
class FixedSubscriptions:
    """Subscriptions that are the template's, of a plane that is not registered."""

    subscriptions: Sequence[Subscription]
    integration_id: str = ""
    trouble: str = ""

    def current(self) -> Sequence[Subscription]:
        """Always the same."""
        return self.subscriptions


@dataclass(frozen=True)
class Query:
    """One request for open events: a type, and what Keptn is asked to narrow it to."""

    event_type: str
    filters: Mapping[str, str]

    def __str__(self) -> str:
        """As a log and an alarm name it: the type, and what it is narrowed to."""
        return ", ".join([self.event_type, *(f"{name} {value}" for name, value in self.filters.items())])

    def covers(self, ref: EventRef) -> bool:
        """Whether the event would be listed if it were open."""
        return ref.type == self.event_type and all(
            getattr(ref, name) == value for name, value in self.filters.items()
        )


class EventMatch:
    """The plane's match: takes an event when the JSONPath's value is one of those that are wanted.

    Or, for a catch-all beside other planes, when it is none of those that they want.
    """

    def __init__(self, match: Match | None) -> None:
        self._path: jsonpath.JsonPath | None = jsonpath.compile(match.path) if match else None
        self._wanted = match.wanted if match else ()
        self._left_to_others = match.others if match else ()

    def takes(self, event: TriggeredEvent) -> bool:
        """Whether the event is for this plane; a path that leads nowhere is no match of any value."""
        if self._path is None:
            return True
        value = self.value(event)
        return value not in self._left_to_others if self._left_to_others else value in self._wanted

    def value(self, event: TriggeredEvent) -> str | None:
        """What is compared: a text, or a number or truth value as JSON writes it; None for all else."""
        if self._path is None:
            return None
        root: dict[str, Any] = {key: event.attributes[key] for key in ROOT_KEYS if key in event.attributes}
        try:
            value = self._path.evaluate(root)
        except jsonpath.JsonPathError:
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, float) and value.is_integer():
            return str(
                int(value)
            )  # Go, in which Keptn is written, has no other numbers, and writes 7 for 7.0
        return json.dumps(value) if isinstance(value, bool | int | float) else None


def from_settings(settings: PollerSettings) -> tuple[Subscription, ...]:
    """The subscriptions that the template's parameters describe."""
    return tuple(
        Subscription(event_type, settings.projects, settings.stages, settings.services)
        for event_type in settings.event_types
    )


def queries(subscriptions: Iterable[Subscription], active: Iterable[EventRef]) -> tuple[Query, ...]:
    """One request for each event type: narrow enough to be short, wide enough for every subscription and
    active run.

    Keptn narrows by one value each of project, stage and service.
    """
    wanted: dict[str, list[tuple[Sequence[str], Sequence[str], Sequence[str]]]] = {}
    for subscription in subscriptions:
        scope = (subscription.projects, subscription.stages, subscription.services)
        wanted.setdefault(subscription.event_type, []).append(scope)
    for ref in active:
        wanted.setdefault(ref.type, []).append(((ref.project,), (ref.stage,), (ref.service,)))
    return tuple(Query(event_type, _common_filters(scopes)) for event_type, scopes in wanted.items())


def _common_filters(scopes: Iterable[tuple[Sequence[str], ...]]) -> dict[str, str]:
    columns = zip(*scopes, strict=True)
    return {
        name: values[0]
        for name, column in zip(("project", "stage", "service"), map(list, columns), strict=True)
        if len(values := list(set().union(*column))) == 1 and all(column)
    }
