"""Keptn's CloudEvents: a triggered event read once, at the edge, and the replies built from it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NewType, TypeGuard
from uuid import UUID

Event = NewType("Event", dict[str, Any])
"""A CloudEvent as JSON, ready to be sent."""

TASK_EVENT = re.compile(r"sh\.keptn\.event\.(?P<task>[^.]+)\.triggered")
LONGEST_ID = 1024  # bytes; DynamoDB allows 2,048 for a key
LONGEST_LABELS = 16_384  # bytes of JSON; beyond that they are left out of replies
# Bytes of a reply's message, and of its data: the NATS behind Keptn takes 1 MiB, some 64 KiB.
LONGEST_TEXT = 49_152
LONGEST_NOTICE = 64  # bytes of the line in a text that was cut
DEEPEST = 64  # levels in a reply's data: the MongoDB behind Keptn takes 100 in a whole event

Result = Literal["pass", "warning", "fail"]
Status = Literal["succeeded", "errored"]


class RefusedEvent(Exception):
    """A listed event that no plane can handle: there is nothing it could send a reply about."""

    def __init__(self, event_id: str, reason: str) -> None:
        super().__init__(reason)
        self.event_id = event_id


@dataclass(frozen=True)
class EventRef:
    """What a reply needs to know of the triggered event it answers."""

    id: str
    type: str
    context: str
    project: str
    stage: str
    service: str
    commit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    triggered_at: float | None = None
    """When Keptn triggered it, in epoch seconds by Keptn's clock; None where it does not say."""

    @property
    def task(self) -> str:
        """The task's name: `sayhello` of `sh.keptn.event.sayhello.triggered`."""
        return self.type.split(".")[3]


@dataclass(frozen=True)
class TriggeredEvent:
    """A triggered event that can be handled, with everything that it carries."""

    ref: EventRef
    attributes: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """The event's data, as Keptn sent it."""
        data: Mapping[str, Any] = self.attributes["data"]
        return data

    def with_subscription(self, subscription_id: str) -> "TriggeredEvent":
        """The event as a distributor hands it on, with the subscription by which it came.

        It never gets into a reply: a reply is built from `ref`.
        """
        if not subscription_id:
            return self
        temporary = self.data.get("temporaryData")
        distributor = {"distributor": {"subscriptionID": subscription_id}}
        temporary = {**temporary, **distributor} if isinstance(temporary, dict) else distributor
        data = {**self.data, "temporaryData": temporary}
        return TriggeredEvent(self.ref, {**self.attributes, "data": data})


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `data` becomes `data.<task>` of the finished event."""

    result: Result
    status: Status
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def errored(cls, message: str) -> "Outcome":
        """Something broke. Errored always goes with fail: a later stage looks at the result only."""
        return cls("fail", "errored", message)


def read_triggered(raw: object) -> TriggeredEvent:
    """Check one event of Keptn's open list.

    Raises RefusedEvent where a reply could not be addressed: no id, a context that is no UUID (Keptn would
    replace it), a type that is no task's, data without project, stage or service.
    """
    if not isinstance(raw, dict):
        raise RefusedEvent("", "it is not an object")
    event_id = raw.get("id")
    if not _is_text(event_id) or len(event_id.encode()) > LONGEST_ID:
        raise RefusedEvent("", f"its id is not a text of 1 to {LONGEST_ID} bytes")
    event_type, context, data = raw.get("type"), raw.get("shkeptncontext"), raw.get("data")
    if not _is_text(event_type) or not TASK_EVENT.fullmatch(event_type):
        raise RefusedEvent(event_id, "its type is not sh.keptn.event.TASK.triggered")
    if not _is_uuid(context):
        raise RefusedEvent(event_id, "its shkeptncontext is not a UUID")
    if not isinstance(data, dict):
        raise RefusedEvent(event_id, "its data is not an object")
    for name in ("project", "stage", "service"):
        if not _is_text(data.get(name)):
            raise RefusedEvent(event_id, f"its data has no {name}")
    commit = raw.get("gitcommitid")
    ref = EventRef(
        id=event_id,
        type=event_type,
        context=context,
        project=data["project"],
        stage=data["stage"],
        service=data["service"],
        commit=commit if _is_text(commit) else "",
        labels=_labels(data.get("labels")),
        triggered_at=epoch_seconds(raw.get("time")),
    )
    return TriggeredEvent(ref, raw)


def epoch_seconds(value: object) -> float | None:
    """The moment of an event's `time`; None where it is no moment."""
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def started(ref: EventRef, source: str) -> Event:
    """The event that tells Keptn somebody works on the task; counted, so sent once."""
    return _reply(ref, source, "started", {})


def progress(ref: EventRef, source: str, message: str) -> Event:
    """A status.changed event; shown in the Bridge, without effect on the sequence."""
    return _reply(ref, source, "status.changed", {"message": cut(message)})


def finished(ref: EventRef, source: str, outcome: Outcome) -> Event:
    """The event that ends our part of the task; counted, so sent once.

    Carries `data.<task>` and never the rest of what was triggered: Keptn merges by concatenating arrays.
    """
    sent = fitting(outcome, ref.task)
    body = {ref.task: sent.data} if sent.data else {}
    return _reply(
        ref,
        source,
        "finished",
        {**body, "status": sent.status, "result": sent.result, "message": sent.message},
    )


def fitting(outcome: Outcome, task: str) -> Outcome:
    """As much of an outcome as Keptn and the ledger take: a long message's end, and no data over a limit.

    The message says what was left out.
    """
    if reason := _unfit(outcome.data):
        message = f"{outcome.message}\n(data.{task} was {reason} and is left out)".lstrip()
        return replace(outcome, message=cut(message), data={})
    return replace(outcome, message=cut(outcome.message))


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """At most `longest` bytes of UTF-8; of a longer text the end is kept, behind a line that says so.

    A first line that leaves room for more than itself stays: it says what happened.
    """
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= longest:
        return encoded.decode()
    first, line_break, _ = encoded.partition(b"\n")
    head = first + line_break if line_break and len(first) < (longest - LONGEST_NOTICE) // 2 else b""
    head += f"({len(encoded)} bytes, cut to the last {longest - len(head)})\n".encode()
    return (head + encoded[len(head) - longest :]).decode("utf-8", "ignore")


def _reply(ref: EventRef, source: str, kind: str, data: Mapping[str, Any]) -> Event:
    reply: dict[str, Any] = {
        "specversion": "1.0",
        "shkeptnspecversion": "0.2.4",
        "contenttype": "application/json",
        "type": ref.type.removesuffix("triggered") + kind,
        "source": source,
        "shkeptncontext": ref.context,
        "triggeredid": ref.id,
        # The addressing fields come last: a task may be called "project".
        "data": {**data, "project": ref.project, "stage": ref.stage, "service": ref.service},
    }
    if ref.labels:
        reply["data"]["labels"] = dict(ref.labels)
    if ref.commit:
        reply["gitcommitid"] = ref.commit
    return Event(reply)


def _unfit(data: Mapping[str, Any]) -> str:
    """Why data can't be sent or kept; empty if it can."""
    if _is_deeper(data, DEEPEST):
        return f"nested more than {DEEPEST} levels deep"
    try:
        size = len(json.dumps(data, allow_nan=False))
    except ValueError:
        return "no JSON (a number is out of range)"  # Python reads 1e999 as infinity, and Keptn refuses it
    return f"over {LONGEST_TEXT} bytes" if size > LONGEST_TEXT else ""


def _is_deeper(value: object, levels: int) -> bool:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels < 0 or any(_is_deeper(member, levels - 1) for member in members)


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a non-empty string that can be written down (JSON may hold halves of surrogate pairs)."""
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_uuid(value: object) -> TypeGuard[str]:
    if not isinstance(value, str):
        return False
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    labels = {_printable(key): _printable(text) for key, text in value.items() if isinstance(text, str)}
    return labels if len(json.dumps(labels)) <= LONGEST_LABELS else {}


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
