"""Keptn's uniform: what an integration says of itself, its subscriptions, and its error log.

Source of the shapes: docs/keptn-api.md, 5; the keys of `metadata` are all lowercase.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from execution_plane.keptn.events import TASK_EVENT, EventRef
from execution_plane.keptn.subscriptions import Subscription
from execution_plane.settings import TASK_TYPE

HOSTNAME = "AWS Lambda"
"""In place of a Kubernetes node: Keptn makes an integration's id of name, namespace and this."""


class UnsupportedSubscription(Exception):
    """A subscription to something that is no task's triggered event, or is nothing readable."""


@dataclass(frozen=True)
class Integration:
    """This plane as the Bridge shows it.

    Keptn knows an integration by name and namespace: without them, it would merge all that there are.
    """

    name: str
    namespace: str
    location: str
    version: str
    function: str = ""
    log_group: str = ""

    def as_json(self, subscriptions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The body of a registration."""
        return {
            "name": self.name,
            "metadata": {
                "hostname": HOSTNAME,
                "integrationversion": self.version,
                "distributorversion": self.version,
                "location": self.location,
                "kubernetesmetadata": {
                    "namespace": self.namespace,
                    "deploymentname": self.function,
                    "podname": self.log_group,
                },
            },
            "subscriptions": list(subscriptions),
        }

    def is_described_by(self, registered: object) -> bool:
        """Whether something that Keptn has registered is this plane, in whatever version."""
        return _text(registered, "name") == self.name and self.namespace == _text(
            registered, "metadata", "kubernetesmetadata", "namespace"
        )

    def is_current_in(self, registered: object) -> bool:
        """Whether what is registered of this plane has its version."""
        return _text(registered, "metadata", "integrationversion") == self.version


def subscription_as_json(subscription: Subscription) -> dict[str, Any]:
    """A subscription in a registration."""
    chosen = {
        "projects": list(subscription.projects),
        "stages": list(subscription.stages),
        "services": list(subscription.services),
    }
    return {"event": subscription.event_type, "filter": chosen}


def read_subscription(raw: object) -> Subscription:
    """A subscription as Keptn has it; a filter or list that is null, or of empty names, lets everything pass.

    Keptn's own connectors join a list's names by commas, take an empty text for no filter, and else split it
    (go-utils, pkg/sdk/connector/eventmatcher).
    Raises UnsupportedSubscription, with the event's type as its text where there is one.
    """
    event_type = _text(raw, "event")
    if not isinstance(raw, dict) or not TASK_TYPE.fullmatch(event_type):
        raise UnsupportedSubscription(event_type or repr(raw))
    chosen = raw.get("filter") or {}
    projects, stages, services = (
        tuple(
            name for name in ",".join(str(each or "") for each in chosen.get(names) or ()).split(",") if name
        )
        for names in ("projects", "stages", "services")
    )
    return Subscription(event_type, projects, stages, services, _text(raw, "id"))


@dataclass(frozen=True)
class LogEntry:
    """One line of an integration's error log; the Bridge links it to its task if it has a context, a task and
    a triggered id. The commit makes no other entry of it.
    """

    message: str
    context: str = ""
    task: str = ""
    triggered_id: str = ""
    commit: str = field(default="", compare=False)

    @classmethod
    def of(cls, ref: EventRef, message: str) -> "LogEntry":
        """What is to be said of a task."""
        return cls(message, ref.context, ref.task, ref.id, ref.commit)

    @classmethod
    def of_unreadable(cls, event: object, message: str) -> "LogEntry":
        """What is to be said of an event that can't be handled, tied to its task as far as it names one."""
        of_task = TASK_EVENT.fullmatch(_text(event, "type"))
        return cls(
            message,
            _text(event, "shkeptncontext"),
            of_task["task"] if of_task else "",
            _text(event, "id"),
            _text(event, "gitcommitid"),
        )

    @classmethod
    def from_json(cls, raw: object) -> "LogEntry":
        """An entry as Keptn has it."""
        names = ("message", "shkeptncontext", "task", "triggeredid", "gitcommitid")
        return cls(*(_text(raw, name) for name in names))

    def as_json(self, integration_id: str) -> dict[str, str]:
        """The entry as Keptn takes it; without a time, it is now."""
        return {
            "integrationid": integration_id,
            "message": self.message,
            "shkeptncontext": self.context,
            "task": self.task,
            "triggeredid": self.triggered_id,
            "gitcommitid": self.commit,
        }


def _text(value: object, *keys: str) -> str:
    """The text at the end of a way through objects; empty if there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
