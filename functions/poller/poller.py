"""One poll, on a busy plane as many as its slot has time for; then say what was done."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import execution_plane.cold_start  # noqa: F401 - what it sets
from control.controller import Controller, TickReport
from control.dispatch import Dispatcher, FailureQueue
from control.integration import RegisteredPlane, describe
from control.kept_subscriptions import KeptSubscriptions
from control.looks import Looks
from control.ports import Ports
from control.pulse import Pulse
from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import FixedSubscriptions, SubscriptionSource, from_settings
from execution_plane.ledger.replies import Replies
from execution_plane.settings import IntegrationSettings, PollerSettings
from execution_plane.shared_clients import SharedClients, all_steps, aws_client
from execution_plane.telemetry import invocation, logger, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SIDE_BY_SIDE = 32  # requests at a time


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(request: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Serve one tick or timer.

    Raises InvalidSetting, SecretUnreadable, LedgerUnavailable and EveryPollFailed: the invocation fails, and
    AWS's own error metric and alarm see it. Nothing is lost by that; the next slot finds everything again.
    """
    invocation.begin("poller", context)
    try:
        settings, clock, pulse, controller = build()
        end = Deadline.from_context(clock, context)
        report = serve(request, pulse, controller, settings.poll_interval_busy, end)
    except Exception as problem:
        logger.error("slot failed", reason=str(problem), kind=type(problem).__name__)
        raise
    if report is None:
        logger.info("too late: the slot has ended, and nothing is polled")
        return {}
    say = logger.debug if report.is_idle else logger.info  # idle polls would cost less than their lines
    say("slot done", **asdict(report))
    return asdict(report)


def serve(
    request: Mapping[str, Any], pulse: Pulse, controller: Controller, busy: float, end: Deadline
) -> TickReport | None:
    """Poll for the slot of a tick or timer; None if that has ended. Raises EveryPollFailed, and
    LedgerUnavailable.
    """
    slot, clock = pulse.slot(request), end.clock
    if slot is None:
        return None
    return controller.cycle_until(Deadline.after(clock, slot.ends - clock.now()), busy, end)


@cache
def build() -> tuple[PollerSettings, Clock, Pulse, Controller]:
    """Build what serves slots, once per execution environment. Raises InvalidSetting."""
    settings, clients = PollerSettings.from_environment(), SharedClients.from_environment()
    errors = ErrorLog(clients.control_plane)
    pulse = Pulse(
        partial(aws_client, "sqs"),
        settings.timer_queue_url,
        interval=settings.poll_interval,
        period=settings.schedule_period,
        clock=clients.clock,
    )
    subscriptions = _subscriptions(settings, clients, errors)
    return settings, clients.clock, pulse, assemble(settings, clients, aws_client, subscriptions, errors)


def assemble(
    settings: PollerSettings,
    clients: SharedClients,
    client: Callable[[str], Any],
    subscriptions: SubscriptionSource,
    errors: ErrorLog,
    pool: Executor | None = None,
) -> Controller:
    """The controller of one plane, as its function, benchmarks and tests have it.

    `client` makes a boto3 client by a service's name, when it is first wanted.
    """
    ports = Ports(
        control_plane=clients.control_plane,
        looks=Looks(clients.control_plane),
        ledger=clients.ledger,
        replies=Replies(clients.control_plane, clients.ledger, clients.clock, patient=False),
        dispatcher=Dispatcher(partial(client, "lambda"), settings.worker_function),
        failures=FailureQueue(partial(client, "sqs"), settings.failure_queue_url),
        steps=all_steps(client, probes=True),
        subscriptions=subscriptions,
        errors=errors,
        clock=clients.clock,
        pool=pool or ThreadPoolExecutor(SIDE_BY_SIDE),
    )
    return Controller(ports, settings)


def _subscriptions(settings: PollerSettings, clients: SharedClients, errors: ErrorLog) -> SubscriptionSource:
    """The template's subscriptions, for a plane that is registered: to begin with. Raises InvalidSetting."""
    shown, first = IntegrationSettings.from_environment(), from_settings(settings)
    if not shown.is_registered:
        return FixedSubscriptions(first)
    integration = describe(shown)
    return RegisteredPlane(
        clients.control_plane,
        integration,
        first,
        is_steered=shown.is_steered,
        kept=KeptSubscriptions(clients.notes, integration),
        errors=errors,
    )
