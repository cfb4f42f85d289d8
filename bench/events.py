"""Triggered events as a control plane lists them."""

import json
from typing import Any
from uuid import UUID

EVENT_TYPE = "sh.keptn.event.bench.triggered"


def triggered_events(number: int, size: int) -> list[dict[str, Any]]:
    """So many open events, each of at least `size` bytes of JSON and hardly more; an event's id is its
    context.
    """
    return [_triggered(str(UUID(int=index + 1)), size) for index in range(number)]


def _triggered(event_id: str, size: int) -> dict[str, Any]:
    values: dict[str, str] = {}
    event = {
        "id": event_id,
        "shkeptncontext": event_id,
        "type": EVENT_TYPE,
        "source": "shipyard-controller",
        "specversion": "1.0",
        "shkeptnspecversion": "0.2.4",
        "contenttype": "application/json",
        "time": "2026-09-21T12:00:00.000Z",
        "data": {
            "project": "podtato",
            "stage": "dev",
            "service": "head",
            "sayhello": {"location": "the bench"},
            "values": values,
        },
    }
    # Many small values: they take more memory than one long text of as many bytes.
    length = len(json.dumps(event))
    while length < size:
        name = f"value{len(values)}"
        values[name] = f"{event_id[-4:]}-{len(values)}"
        length += len(json.dumps({name: values[name]}))
    return event
