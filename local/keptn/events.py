"""Keptn's CloudEvents as the control plane sees them: plain dicts, their types and their times."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]
"""A CloudEvent in Keptn's JSON: `type`, `source`, `id`, `time`, `shkeptncontext`, `data` and so on."""

NewId = Callable[[], str]

PREFIX = "sh.keptn.event."
CONTROLLER = "shipyard-controller"


class InvalidScope(Exception):
    """An event's data lacks its project, stage or service, or has something of another type there.

    The controller ignores such an event.
    """


def kind_of(event_type: str) -> str:
    """The last part: `triggered`, `started`, `finished`; `changed` for `status.changed`."""
    return event_type.rpartition(".")[2]


def with_kind(event_type: str, kind: str) -> str:
    """The same type with another kind."""
    return f"{event_type.rpartition('.')[0]}.{kind}"


def is_task_type(event_type: str) -> bool:
    """Keptn counts parts only: five make a task."""
    return event_type.count(".") == 4


def is_sequence_type(event_type: str) -> bool:
    """Six parts make a sequence, so Keptn takes `<task>.status.changed` for one."""
    return event_type.count(".") == 5


def rfc3339(seconds: float) -> str:
    """Go's RFC3339Nano in UTC: as many digits as needed, none for a whole second."""
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def moment_of(event: Event) -> float:
    """An event's time in seconds since the epoch."""
    return datetime.fromisoformat(event["time"]).timestamp()


def keptn_time(seconds: float) -> str:
    """The format of Keptn's own timestamps: exactly three digits."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def unix_nanoseconds(seconds: float) -> str:
    """A time as Keptn keeps it with projects and services."""
    return str(int(seconds * 1_000_000_000))


@dataclass(frozen=True)
class Scope:
    """What the controller reads from an event, and keeps of it with an execution."""

    project: str
    stage: str
    service: str
    labels: dict[str, Any] = field(default_factory=dict)
    result: str = ""
    status: str = ""
    message: str = ""
    keptn_context: str = ""
    triggered_id: str = ""
    git_commit_id: str = ""
    event_type: str = ""

    @classmethod
    def of(cls, event: Event) -> "Scope":
        """The scope of an event.

        Raises InvalidScope without a project, stage and service, and where something is of another type.
        """
        data = event.get("data")
        if not isinstance(data, dict):
            raise InvalidScope("event data is not an object")
        project, stage, service = (_text(data, name) for name in ("project", "stage", "service"))
        for name, value in (("project", project), ("stage", stage), ("service", service)):
            if not value:
                raise InvalidScope(f"event does not contain a {name}")
        return cls(
            project=project,
            stage=stage,
            service=service,
            labels=_labels(data),
            result=_text(data, "result"),
            status=_text(data, "status"),
            message=_text(data, "message"),
            keptn_context=event.get("shkeptncontext", ""),
            triggered_id=event.get("triggeredid", ""),
            git_commit_id=event.get("gitcommitid", ""),
            event_type=event["type"],
        )

    def with_outcome(self, result: str, status: str) -> "Scope":
        """The same scope with an aggregated outcome."""
        return replace(self, result=result, status=status)

    def event_data(self) -> dict[str, Any]:
        """The data of an event about this scope; Keptn leaves empty fields out."""
        data = {
            "project": self.project,
            "stage": self.stage,
            "service": self.service,
            "labels": self.labels,
            "status": self.status,
            "result": self.result,
            "message": self.message,
        }
        return {key: value for key, value in data.items() if value}

    def as_json(self) -> dict[str, Any]:
        """As `sequence-execution` shows it."""
        return {
            **self.event_data(),
            "keptnContext": self.keptn_context,
            "triggeredId": self.triggered_id,
            "gitcommitid": self.git_commit_id,
            "eventType": self.event_type,
        }


def _text(data: dict[str, Any], name: str) -> str:
    """A text of the data; null counts as empty, and whatever else it is spoils the whole event."""
    value = data.get(name)
    if not isinstance(value, str | None):
        raise InvalidScope(f"event data has a {name} that is no text")
    return value or ""


def _labels(data: dict[str, Any]) -> dict[str, str]:
    labels = data.get("labels") or {}
    if not isinstance(labels, dict):
        raise InvalidScope("event data has labels that are no object")
    return {name: _text(labels, name) for name in labels}
