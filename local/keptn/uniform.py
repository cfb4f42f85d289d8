"""Integrations as they registered themselves, their subscriptions, and their error log."""

import hashlib
from dataclasses import dataclass
from typing import Any

from execution_plane.clock import Clock
from local.keptn.events import NewId, keptn_time, rfc3339

INTEGRATION_TTL = 48 * 3600.0
"""Seconds without a heartbeat after which an integration is forgotten (the chart's default)."""
LOG_TTL = 120 * 3600.0

Integration = dict[str, Any]
Subscription = dict[str, Any]
LogEntry = dict[str, Any]


NO_DOCUMENT = "mongo: no documents in result"
LOG_FIELDS = ("integrationid", "message", "shkeptncontext", "task", "triggeredid", "gitcommitid")


class NotRegistered(Exception):
    """There is no such integration, or no such subscription of it."""


class IncompleteIntegration(Exception):
    """A first registration lacks a name, namespace or hostname."""


@dataclass(frozen=True)
class LogQuery:
    """What `GET /log` filters by; times in Keptn's format."""

    integration_id: str = ""
    from_time: str = ""
    before_time: str = ""

    def matches(self, entry: LogEntry) -> bool:
        """Whether an entry is one of those asked for."""
        return (
            (not self.integration_id or entry["integrationid"] == self.integration_id)
            and (not self.from_time or entry["time"] > self.from_time)
            and (not self.before_time or entry["time"] < self.before_time)
        )


class Uniform:
    """All integrations and log entries. Nothing here has any effect on what is listed as open."""

    def __init__(self, clock: Clock, new_id: NewId) -> None:
        self._clock = clock
        self._new_id = new_id
        self._integrations: dict[str, Integration] = {}
        self._seen: dict[str, float] = {}
        self._log: list[tuple[float, LogEntry]] = []

    def register(self, given: Integration) -> tuple[str, bool]:
        """Register an integration; gives its id and whether it is new.

        One with the same name and namespace keeps its id, and its subscriptions if it has any. With neither,
        the lookup has no filter: every integration matches, and all are merged into the first.

        Raises IncompleteIntegration.
        """
        integration = _integration(given)
        metadata = integration["metadata"]
        name, namespace = integration["name"], metadata["kubernetesmetadata"]["namespace"]
        known = self.integrations(name=name, namespace=namespace)
        if known:
            return self._register_again(known, integration), False
        if not (name and namespace and metadata["hostname"]):
            raise IncompleteIntegration(
                "incomplete integration ID. At least 'name','namespace' and 'nodename' must be set"
            )
        raw = f"{name}-{namespace}-{metadata['hostname']}".encode()
        integration_id = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        integration["id"] = integration_id
        for subscription in integration["subscriptions"]:
            subscription["id"] = self._new_id()
        self._integrations[integration_id] = integration
        self._see(integration_id)
        return integration_id, True

    def ping(self, integration_id: str) -> Integration:
        """Note a heartbeat; gives the whole integration with its subscriptions.

        Raises NotRegistered.
        """
        integration = self.get(integration_id)
        self._see(integration_id)
        return integration

    def get(self, integration_id: str, otherwise: str = "uniform integration not found") -> Integration:
        """One integration.

        Raises NotRegistered, whose text is `otherwise`.
        """
        self._forget_silent()
        if integration_id not in self._integrations:
            raise NotRegistered(otherwise)
        return self._integrations[integration_id]

    def integrations(
        self,
        *,
        integration_id: str = "",
        name: str = "",
        namespace: str = "",
        hostname: str = "",
        project: str = "",
        stage: str = "",
        service: str = "",
    ) -> list[Integration]:
        """The integrations that match everything that is given."""
        self._forget_silent()
        filters = (("projects", project), ("stages", stage), ("services", service))
        return [
            each
            for each in self._integrations.values()
            if integration_id in ("", each["id"])
            and name in ("", each["name"])
            and namespace in ("", each["metadata"]["kubernetesmetadata"]["namespace"])
            and hostname in ("", each["metadata"]["hostname"])
            and all(
                any(value in (subscription["filter"][key] or ()) for subscription in subscriptions_of(each))
                for key, value in filters
                if value
            )
        ]

    def unregister(self, integration_id: str) -> None:
        """Forget an integration, known or not."""
        self._integrations.pop(integration_id, None)
        self._seen.pop(integration_id, None)

    def put_subscription(self, integration_id: str, given: Subscription, subscription_id: str = "") -> str:
        """Add a subscription, or replace the one with this id; gives its id.

        Raises NotRegistered.
        """
        integration = self.get(integration_id, NO_DOCUMENT)
        subscription = _subscription(given) | {"id": subscription_id or self._new_id()}
        others = [each for each in subscriptions_of(integration) if each["id"] != subscription["id"]]
        integration["subscriptions"] = [*others, subscription]
        return str(subscription["id"])

    def subscription(self, integration_id: str, subscription_id: str) -> Subscription:
        """One subscription.

        Raises NotRegistered.
        """
        for subscription in subscriptions_of(self.get(integration_id, NO_DOCUMENT)):
            if subscription["id"] == subscription_id:
                return dict(subscription)
        raise NotRegistered(NO_DOCUMENT)

    def delete_subscription(self, integration_id: str, subscription_id: str) -> None:
        """Remove a subscription.

        Raises NotRegistered; and for an unknown integration leaves a junk one behind, as the real one does.
        """
        if integration_id not in self._integrations:
            junk = {"id": integration_id, "subscriptions": None}
            self._integrations[integration_id] = _integration({}) | junk
            raise NotRegistered(NO_DOCUMENT)
        integration = self._integrations[integration_id]
        others = [each for each in subscriptions_of(integration) if each["id"] != subscription_id]
        if others != integration["subscriptions"]:
            integration["subscriptions"] = others

    def log(self, entries: list[LogEntry]) -> None:
        """Keep log entries; one without a time gets this moment's."""
        now = self._clock.now()
        for entry in entries:
            texts = {name: entry.get(name) or "" for name in LOG_FIELDS}
            self._log.append((now, {**texts, "time": entry.get("time") or keptn_time(now)}))

    def logs(self, query: LogQuery) -> list[LogEntry]:
        """The log entries that match, newest first."""
        oldest = self._clock.now() - LOG_TTL
        found = [entry for at, entry in self._log if at >= oldest and query.matches(entry)]
        return sorted(found, key=lambda entry: str(entry["time"]))[::-1]

    def _register_again(self, known: list[Integration], given: Integration) -> str:
        kept = known[0]
        for other in known[1:]:
            adopted = [each for each in subscriptions_of(other) if each not in subscriptions_of(kept)]
            kept["subscriptions"] = subscriptions_of(kept) + adopted
            self.unregister(other["id"])
        if not kept["subscriptions"]:
            # Keptn stores these without giving them ids.
            kept["subscriptions"] = given["subscriptions"]
        for version in ("integrationversion", "distributorversion"):
            kept["metadata"][version] = given["metadata"][version]
        self._see(kept["id"])
        return str(kept["id"])

    def _see(self, integration_id: str) -> None:
        self._seen[integration_id] = self._clock.now()
        self._integrations[integration_id]["metadata"]["lastseen"] = rfc3339(self._clock.now())

    def _forget_silent(self) -> None:
        oldest = self._clock.now() - INTEGRATION_TTL
        for integration_id in [each for each, seen in self._seen.items() if seen < oldest]:
            self.unregister(integration_id)


def subscriptions_of(integration: Integration) -> list[Subscription]:
    """An integration's subscriptions; it may have null in their place."""
    return integration["subscriptions"] or []


def _integration(given: dict[str, Any]) -> Integration:
    metadata = given.get("metadata") or {}
    kubernetes = metadata.get("kubernetesmetadata") or {}
    return {
        "id": "",
        "name": given.get("name") or "",
        "metadata": {
            **{
                key: metadata.get(key) or ""
                for key in ("hostname", "integrationversion", "distributorversion", "location")
            },
            "kubernetesmetadata": {
                key: kubernetes.get(key) or "" for key in ("namespace", "podname", "deploymentname")
            },
            "lastseen": "0001-01-01T00:00:00Z",
        },
        "subscriptions": [_subscription(each) for each in given.get("subscriptions") or ()],
    }


def _subscription(given: dict[str, Any]) -> Subscription:
    chosen = given.get("filter") or {}
    return {
        "id": given.get("id") or "",
        "event": given.get("event") or "",
        # A list that was not given comes back as null.
        "filter": {key: chosen.get(key) for key in ("projects", "stages", "services")},
    }
