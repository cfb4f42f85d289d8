"""This plane as an integration of Keptn's: registered, alive, and steered from the Bridge."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from execution_plane import VERSION
from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.subscriptions import Subscription
from execution_plane.keptn.transport import KeptnError, KeptnNotFound
from execution_plane.keptn.uniform import (
    Integration,
    UnsupportedSubscription,
    read_subscription,
    subscription_as_json,
)
from execution_plane.settings import IntegrationSettings
from execution_plane.telemetry import logger

LEAST_SECONDS = 6.0  # before the deadline, below which leaving is not begun


class RegisteredPlane:
    """Registers the plane when it must, and asks for its subscriptions with each heartbeat.

    The id is kept in memory only: another execution environment finds it again by name and namespace.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        integration: Integration,
        first: Sequence[Subscription],
        *,
        is_steered: bool,
    ) -> None:
        """`first` are the template's subscriptions; `is_steered` says whether the Bridge may change them."""
        self._control_plane = control_plane
        self._integration = integration
        self._first = first
        self._is_steered = is_steered
        self._id = ""
        self._known: Sequence[Subscription] | None = None
        self._ignored: set[str] = set()

    @property
    def integration_id(self) -> str:
        """Keptn's id of the integration; empty while it is not registered."""
        return self._id

    def current(self) -> Sequence[Subscription] | None:
        """One heartbeat, and the subscriptions that its answer has.

        Where it fails, those of an earlier one; None if there was none yet.
        """
        try:
            self._beat()
        except KeptnError as problem:
            logger.warning("no heartbeat", reason=str(problem))
        return self._known if self._is_steered else self._first

    def leave(self, deadline: Deadline) -> None:
        """Unregister; nothing is asked of Keptn that could not end in time. Raises KeptnError."""
        if deadline.remaining() >= LEAST_SECONDS:
            for found in self._found():
                if deadline.remaining() < LEAST_SECONDS:
                    break
                self._control_plane.unregister(str(found.get("id")))
            else:
                return
        logger.error("no time left to unregister")

    def _beat(self) -> None:
        self._id = self._id or self._register()
        try:
            subscriptions = self._control_plane.heartbeat(self._id)
        except KeptnNotFound:
            logger.warning(
                "Keptn has forgotten this integration; it is registered anew", integration=self._id
            )
            self._id = ""
            self._id = self._register()
            return
        self._known = tuple(
            subscription for raw in subscriptions if (subscription := self._read(raw)) is not None
        )

    def _register(self) -> str:
        """Make sure that Keptn knows this plane in its present version; gives its id. Raises KeptnError.

        An integration all of whose subscriptions were deleted in the Bridge must not get the template's
        again. Keptn would take them (reference 5.1), so it is offered those that it has.
        """
        found = self._found()
        if len(found) == 1 and self._integration.is_current_in(found[0]):
            return str(found[0].get("id"))
        kept = self._first if self._known is None else self._known
        offered = [subscription_as_json(each) for each in kept]
        if found:
            offered = [each for known in found for each in known.get("subscriptions") or ()]
        integration_id = self._control_plane.register(self._integration.as_json(offered))
        logger.info("registered", integration=integration_id, version=self._integration.version)
        return integration_id

    def _found(self) -> list[Mapping[str, Any]]:
        """What Keptn has of this plane; more than one where an old Keptn made a double."""
        found = self._control_plane.registered(self._integration.name, self._integration.namespace)
        return [each for each in found if self._integration.is_described_by(each)]

    def _read(self, raw: object) -> Subscription | None:
        """A subscription that can be served; of any other, one line in the log."""
        try:
            return read_subscription(raw)
        except UnsupportedSubscription as unsupported:
            if str(unsupported) not in self._ignored:
                self._ignored.add(str(unsupported))
                logger.warning(
                    "a subscription is ignored: only a task's triggered event, without wildcards, can be "
                    "polled for",
                    event=str(unsupported),
                )
            return None


def describe(shown: IntegrationSettings, environ: Mapping[str, str] = os.environ) -> Integration:
    """What the Bridge shows of this plane. Function and log group are Lambda's own variables."""
    return Integration(
        name=shown.name,
        namespace=shown.namespace,
        location=shown.location,
        version=VERSION,
        function=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        log_group=environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
    )
