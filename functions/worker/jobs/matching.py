"""Which actions of a job config an event is for."""

from collections.abc import Mapping

from execution_plane.jsonpath import JsonPathError
from jobs import compiled
from jobs.event_time import EventTime
from jobs.model import Action, EventFilter, JobConfig
from jobs.schema import shown


def event_root(event: Mapping[str, object]) -> dict[str, object]:
    """What `$` is in a job config: these eight attributes of a triggered event, and no others.

    `$.type` and `$.source` are texts, as documented; in the job executor's last release they are pointers.
    """
    texts = {name: event.get(name, "") for name in ("id", "shkeptncontext", "specversion", "gitcommitid")}
    return {
        **texts,
        "type": event.get("type"),
        "source": event.get("source"),
        "time": EventTime.parse(event.get("time")),
        "data": event.get("data"),
    }


def matching_actions(config: JobConfig, event: Mapping[str, object]) -> tuple[Action, ...]:
    """The actions for a triggered event, in file order, each once however many of its filters match."""
    root = event_root(event)
    return tuple(
        action for action in config.actions if any(_matches(wanted, root) for wanted in action.events)
    )


def names(pattern: str, event_type: object) -> bool:
    """Whether the name in an action's event, an unanchored pattern, is for events of the type."""
    return bool(compiled.pattern(pattern).search(str(event_type or "").encode(errors="replace").decode()))


def _matches(wanted: EventFilter, root: Mapping[str, object]) -> bool:
    return not mismatch(wanted, root)


def mismatch(wanted: EventFilter, root: Mapping[str, object]) -> str:
    """Why an event, as `event_root` has it, is none that is wanted; empty if it is."""
    if not names(wanted.name, root["type"]):
        return f"{wanted.name} does not occur in the event's type"
    if not wanted.property:
        return ""
    path = compiled.path(wanted.property)
    if path.is_list:
        return f"{wanted.property} leads to several values, which never match"
    try:
        value = path.evaluate(root)
    except JsonPathError as problem:
        return f"{wanted.property} leads nowhere: {problem}"
    if not isinstance(value, str):
        return f"{wanted.property} is no text"
    return "" if value == wanted.match else f"{wanted.property} is {shown(value)}, not {shown(wanted.match)}"
