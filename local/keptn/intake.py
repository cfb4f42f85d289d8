"""What the API does to an event before it hands it on: check it, rewrite it, and little else."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from local.keptn.events import Event, NewId, is_sequence_type, is_task_type, kind_of, rfc3339

VALIDATED_LIMIT = 64 * 1024
"""Bytes of an event's JSON, if events are validated."""
PUBLISHED_LIMIT = 1024 * 1024
"""Bytes that NATS takes."""

_FALLBACK_SOURCE = "https://github.com/keptn/keptn/api"
_KEPT = ("triggeredid", "gitcommitid", "extensions")
_ACCEPTED_TYPES = ("sh.keptn.log.error", "sh.keptn.events.problem")


class MissingField(Exception):
    """A required attribute is not there (422, with go-openapi's own code 602)."""


class InvalidEvent(Exception):
    """Event validation refuses the event (400)."""


def require_fields(body: dict[str, Any]) -> None:
    """Check what the API always checks.

    Raises MissingField for the first attribute that is missing.
    """
    for name in ("data", "source", "type"):
        if body.get(name) is None:
            raise MissingField(f"{name} in body is required")


def rewrite(body: dict[str, Any], now: float, new_id: NewId) -> Event:
    """The event as it is published: another id and time, whatever was sent, and few attributes kept."""
    event: Event = {
        "contenttype": "application/json",
        "data": body["data"],
        "id": new_id(),
        "shkeptncontext": keptn_context(body.get("shkeptncontext") or "", new_id),
        "source": _source(body["source"]),
        "specversion": "1.0",
        "time": rfc3339(now),
        "type": body["type"],
    }
    return event | {name: body[name] for name in _KEPT if body.get(name)}


def keptn_context(given: str, new_id: NewId) -> str:
    """The context of an event: the one given if it is a UUID, else one made from its first 16 bytes."""
    if not given:
        return new_id()
    try:
        uuid.UUID(given)
    except ValueError:
        return str(uuid.UUID(bytes=given.encode().ljust(16)[:16], version=4))
    return given


def validate(event: dict[str, Any]) -> None:
    """Event validation (optional since 0.19; the chart leaves it off).

    It goes by the number of dots, so it takes `<task>.status.changed` for a sequence and refuses it.

    Raises InvalidEvent.
    """
    event_type = event["type"]
    data = event["data"] if isinstance(event["data"], dict) else {}
    if event_type in _ACCEPTED_TYPES:
        return
    if event_type == "sh.keptn.event.monitoring.configure":
        _want(data, "project", "type")
    elif is_task_type(event_type):
        _validate_task(event, data)
    elif is_sequence_type(event_type):
        _validate_sequence(event_type, data)
    else:
        raise InvalidEvent("unknown event type")


def _validate_task(event: dict[str, Any], data: dict[str, Any]) -> None:
    kind = kind_of(event["type"])
    if kind not in ("started", "finished", "invalidated"):
        raise InvalidEvent(f"unknown event type action: {kind}")
    if kind == "invalidated":
        return
    _want(data, "project", "stage", "service")
    if not event.get("triggeredid"):
        raise InvalidEvent("mandatory field 'triggeredid' missing")
    if kind == "finished":
        _want(data, "result", "status")


def _validate_sequence(event_type: str, data: dict[str, Any]) -> None:
    kind = kind_of(event_type)
    if kind != "triggered":
        raise InvalidEvent(f"unknown event type action: {kind}")
    _want(data, "project", "stage", "service")
    if data["stage"] != event_type.split(".")[3]:
        raise InvalidEvent("stage name in event data and in event type does not match")


def _want(data: dict[str, Any], *names: str) -> None:
    for name in names:
        if not data.get(name):
            raise InvalidEvent(f"mandatory field '{name}' missing")


def _source(given: str) -> str:
    try:
        urlsplit(given)
    except ValueError:
        return _FALLBACK_SOURCE
    return given or _FALLBACK_SOURCE
