"""This plane as an integration of Keptn's: registered, alive, and steered from the Bridge."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from control.kept_subscriptions import Kept, KeptSubscriptions, in_words, said
from execution_plane import VERSION
from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import Subscription
from execution_plane.keptn.transport import KeptnError, KeptnNotFound
from execution_plane.keptn.uniform import (
    Integration,
    LogEntry,
    UnsupportedSubscription,
    read_subscription,
    subscription_as_json,
)
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.settings import IntegrationSettings
from execution_plane.telemetry import logger

LEAST_SECONDS = 6.0  # before the deadline, below which leaving is not begun
SETTLED_AFTER = 10.0  # seconds in which a poller that was under way has registered the plane, or never will
IGNORED = "only a task's triggered event, without wildcards, can be polled for"


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
        kept: KeptSubscriptions,
        errors: ErrorLog,
    ) -> None:
        """`first` are the template's subscriptions; `is_steered` says whether the Bridge may change them.

        What the Bridge's user should know of them goes to `errors`.
        """
        self._kept = kept
        self._errors = errors
        self._is_compared = False
        self._trouble = ""
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

    @property
    def trouble(self) -> str:
        """Why the last heartbeat failed; empty if it did not."""
        return self._trouble

    def current(self) -> Sequence[Subscription] | None:
        """One heartbeat, and the subscriptions that its answer has.

        Where it fails, those of an earlier one; None if there was none yet.
        """
        self._trouble = ""
        try:
            self._beat()
        except (KeptnError, LedgerUnavailable) as problem:
            self._trouble = str(problem)
            logger.warning("no heartbeat", reason=self._trouble)
        return self._known if self._is_steered else self._first

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
        self._keep(subscriptions)

    def _keep(self, subscriptions: Sequence[object]) -> None:
        """Keep what Keptn said for a day on which it has forgotten this plane.

        In a new execution environment, tell if a template that was changed meanwhile says something else.
        """
        try:
            kept = self._kept.known()
            template = list(kept.template) if kept else []
            if self._is_steered and not self._is_compared:
                template = in_words(self._first)
                if kept is None or list(kept.template) != template:
                    self._compare(in_words(self._known or ()), template)
                self._is_compared = True
            self._kept.write(Kept(said(subscriptions), template))
        except LedgerUnavailable as problem:
            logger.warning("the subscriptions can't be kept", reason=str(problem))

    def _compare(self, bridge: Sequence[str], template: Sequence[str]) -> None:
        if bridge == template:
            return
        logger.warning(
            "the template's subscriptions have no effect: those in the Bridge rule, and differ",
            bridge=bridge,
            template=template,
        )
        self._errors.note(
            LogEntry(
                f"This integration's subscriptions rule, and differ from its template's. "
                f"Here: {'; '.join(bridge) or 'none'}. In the template: {'; '.join(template)}. "
                "Change them here, or deploy the template with Subscriptions=template."
            )
        )

    def _register(self) -> str:
        """Make sure that Keptn knows this plane in its present version; gives its id.

        Raises KeptnError, and LedgerUnavailable if Keptn has forgotten it and nobody knows what it had.

        An integration all of whose subscriptions were deleted in the Bridge must not get the template's
        again. Keptn would take them (docs/keptn-api.md, 5.1), so it is offered those that it has.
        """
        found = found_in(self._control_plane, self._integration)
        if len(found) == 1 and self._integration.is_current_in(found[0]):
            return str(found[0].get("id"))
        if found:
            offered = [each for known in found for each in known.get("subscriptions") or ()]
        else:
            kept = self._kept.read()
            offered = list(kept.said) if kept else [subscription_as_json(each) for each in self._first]
        integration_id = self._control_plane.register(self._integration.as_json(offered))
        logger.info("registered", integration=integration_id, version=self._integration.version)
        return integration_id

    def _read(self, raw: object) -> Subscription | None:
        """A subscription that can be served; of any other, one line in the log."""
        try:
            return read_subscription(raw)
        except UnsupportedSubscription as unsupported:
            if str(unsupported) not in self._ignored:
                self._ignored.add(str(unsupported))
                logger.warning(f"a subscription is ignored: {IGNORED}", event=str(unsupported))
                self._errors.note(LogEntry(f"The subscription to {unsupported} is ignored: {IGNORED}."))
            return None


def leave(control_plane: ControlPlane, integration: Integration, deadline: Deadline) -> None:
    """Unregister, and look again later: the last poller may have been about to register the plane.

    It does so in its slot's first cycle only, which began before its function was deleted. Nothing is asked
    of Keptn that could not end in time. Raises KeptnError.
    """
    is_settled = False
    while deadline.remaining() >= LEAST_SECONDS:
        found = found_in(control_plane, integration)
        if is_settled and not found:
            return
        for registered in found:
            if deadline.remaining() < LEAST_SECONDS:
                break
            control_plane.unregister(str(registered.get("id")))
        else:
            if deadline.remaining() < SETTLED_AFTER + LEAST_SECONDS:
                return
            deadline.clock.sleep(SETTLED_AFTER)
            is_settled = True
    logger.error("no time left to unregister")


def found_in(control_plane: ControlPlane, integration: Integration) -> list[Mapping[str, Any]]:
    """What Keptn has of a plane; more than one where an old Keptn made a double. Raises KeptnError."""
    listed = control_plane.registered(integration.name, integration.namespace)
    return [each for each in listed if integration.is_described_by(each)]


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
