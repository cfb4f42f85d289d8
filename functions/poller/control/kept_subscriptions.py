"""What Keptn last said that this plane subscribes to, kept beside the ledger.

Keptn forgets an integration that it has not heard of for two days, as over a weekend on which the schedule
sleeps. What the Bridge's user chose must not be lost by that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from execution_plane.keptn.subscriptions import Subscription
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.notes import Notes, key_of


@dataclass(frozen=True)
class Kept:
    """A record of subscriptions.

    `said` has each one's event and filter, as Keptn has them. `template` is what the template had when the
    two were last compared.
    """

    said: Sequence[Mapping[str, Any]]
    template: Sequence[str]


class KeptSubscriptions:
    """The record of one integration. Its calls raise LedgerUnavailable."""

    def __init__(self, notes: Notes, integration: Integration) -> None:
        self._notes = notes
        self._key = key_of("subscriptions", f"{integration.name}/{integration.namespace}")
        self._known: Kept | None = None

    def read(self) -> Kept | None:
        """What was kept last, by whichever execution environment; None if nothing was."""
        if (text := self._notes.read(self._key)) is not None:
            self._known = Kept(**json.loads(text))
        return self._known

    def known(self) -> Kept | None:
        """The same, but read only once: what this execution environment knows of it."""
        return self._known or self.read()

    def write(self, kept: Kept) -> None:
        """Keep a record, if it is another one than that which is known."""
        if kept != self._known:
            self._notes.write(self._key, json.dumps(vars(kept)))
            self._known = kept


def said(raw: Sequence[object]) -> list[dict[str, Any]]:
    """What Keptn said, without its ids: it gives others to what is registered again."""
    return [
        {"event": each.get("event"), "filter": each.get("filter")} for each in raw if isinstance(each, dict)
    ]


def in_words(subscriptions: Sequence[Subscription]) -> list[str]:
    """Subscriptions as a user reads them, the same for the same ones in any order."""
    return sorted(
        subscription.event_type
        + "".join(
            f" {kind}={','.join(sorted(names))}"
            for kind in ("projects", "stages", "services")
            if (names := getattr(subscription, kind))
        )
        for subscription in subscriptions
    )
