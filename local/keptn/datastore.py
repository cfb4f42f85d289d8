"""The event history: what Keptn's mongodb-datastore stores of what passes by."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain

from local.keptn.events import PREFIX, Event

_SUBSCRIBED = "distributor"
_PROJECT_DELETED = f"{PREFIX}project.delete.finished"


class InvalidFilter(Exception):
    """A filter names neither a project nor a Keptn context."""


@dataclass(frozen=True)
class Page:
    """Some events, newest first. `next_key` is None on the last page."""

    events: list[Event]
    total: int
    next_key: int | None


@dataclass(frozen=True)
class Query:
    """What `GET /event` filters by: equality, all of them together. Times are compared as strings."""

    project: str = ""
    keptn_context: str = ""
    event_type: str = ""
    stage: str = ""
    service: str = ""
    event_id: str = ""
    source: str = ""
    from_time: str = ""
    before_time: str = ""
    root: bool = False

    def matches(self, event: Event) -> bool:
        """Whether the event is one of those asked for."""
        data = event["data"] if isinstance(event["data"], dict) else {}
        wanted = (
            (self.project, data.get("project")),
            (self.keptn_context, event.get("shkeptncontext")),
            (self.event_type, event["type"]),
            (self.stage, data.get("stage")),
            (self.service, data.get("service")),
            (self.event_id, event["id"]),
            (self.source, event["source"]),
        )
        return (
            all(not value or value == given for value, given in wanted)
            and (not self.from_time or event["time"] > self.from_time)
            and (not self.before_time or event["time"] < self.before_time)
        )


class Datastore:
    """All `sh.keptn.event.` events by project, and apart from them those without one."""

    def __init__(self, notes_subscription: bool = True) -> None:
        """`notes_subscription`: whether events are stored as the Go SDK hands them on."""
        self._notes_subscription = notes_subscription
        self._projects: dict[str, list[Event]] = defaultdict(list)
        self._contexts: dict[str, list[Event]] = defaultdict(list)
        self._responses: set[tuple[str, str]] = set()

    def store(self, event: Event) -> None:
        """Take an event off the bus.

        The real one drops all of a project's collections when it sees `project.delete.finished`, whoever
        sent it.
        """
        if not event["type"].startswith(PREFIX):
            return
        data = event["data"]
        project = data.get("project") if isinstance(data, dict) else ""
        project = project if isinstance(project, str) else ""
        if event["type"] == _PROJECT_DELETED:
            self.drop(project)
            return
        stored = _with_subscription(event) if self._notes_subscription else event
        self._projects[project].append(stored)
        self._contexts[event["shkeptncontext"]].append(stored)
        if event.get("triggeredid"):
            self._responses.add((event["shkeptncontext"], event["triggeredid"]))

    def drop(self, project: str) -> None:
        """Forget a project's events."""
        for event in self._projects.pop(project, ()):
            self._contexts.pop(event["shkeptncontext"], None)
            self._responses.discard((event["shkeptncontext"], event.get("triggeredid", "")))

    def has_response(self, keptn_context: str, triggered_id: str) -> bool:
        """Whether any event answers a triggered one; even a `status.changed` does."""
        return (keptn_context, triggered_id) in self._responses

    def of_context(self, keptn_context: str) -> list[Event]:
        """The events of a context, oldest first."""
        return list(self._contexts.get(keptn_context, ()))

    def query(self, query: Query, size: int, offset: int) -> Page:
        """A page of the events that match. This endpoint's paging works."""
        found = self._newest_first([event for event in self._candidates(query) if query.matches(event)])
        if query.root:
            roots = {events[0]["id"] for events in self._contexts.values() if events}
            found = [event for event in found if event["id"] in roots]
        end = offset + size
        return Page(found[offset:end], len(found), end if end < len(found) else None)

    def query_by_type(
        self, event_type: str, filter_text: str, from_time: str, exclude_invalidated: bool, limit: int
    ) -> list[Event]:
        """The newest events of a type that match a filter: `data.project:p AND data.stage:a,b`.

        A pair whose value has a colon is silently ignored, as the real one does.

        Raises InvalidFilter.
        """
        pairs = [pair.strip().split(":") for pair in filter_text.split(" AND ")]
        wanted = {pair[0]: pair[1].split(",") for pair in pairs if len(pair) == 2}
        if "data.project" not in wanted and "shkeptncontext" not in wanted:
            raise InvalidFilter("filter must contain data.project or shkeptncontext")
        index, key = (
            (self._contexts, "shkeptncontext")
            if "shkeptncontext" in wanted
            else (self._projects, "data.project")
        )
        found = [
            event
            for event in chain.from_iterable(index.get(each, ()) for each in wanted[key])
            if event["type"] == event_type
            and all(_at(event, path) in values for path, values in wanted.items())
            and (not from_time or event["time"] > from_time)
        ]
        if exclude_invalidated:
            invalidated = f"{event_type.rpartition('.')[0]}.invalidated"
            gone = {e.get("triggeredid") for e in chain(*self._projects.values()) if e["type"] == invalidated}
            found = [event for event in found if event["id"] not in gone]
        return self._newest_first(found)[:limit]

    def _candidates(self, query: Query) -> list[Event]:
        if query.keptn_context:
            return self._contexts.get(query.keptn_context, [])
        return self._projects.get(query.project, [])

    @staticmethod
    def _newest_first(events: list[Event]) -> list[Event]:
        return sorted(events, key=lambda event: str(event["time"]))[::-1]


def _with_subscription(event: Event) -> Event:
    """The event with the subscription that the SDK notes in it, which has no id.

    It adds none to temporary data that somebody else's is in already.
    """
    data = event["data"]
    if not isinstance(data, dict):
        return event
    temporary = data.get("temporaryData", {_SUBSCRIBED: None})
    if not isinstance(temporary, dict) or _SUBSCRIBED not in temporary:
        return event
    noted = {**temporary, _SUBSCRIBED: {"subscriptionID": ""}}
    return {**event, "data": {**data, "temporaryData": noted}}


def _at(event: Event, path: str) -> object:
    value: object = event
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
