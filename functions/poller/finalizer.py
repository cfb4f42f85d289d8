"""The end of a plane whose stack is deleted: its runs are reported, its steps stopped, and it leaves the
Bridge.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from control.integration import describe, leave
from deletion.finalizer import Finalizer
from execution_plane.clock import Clock, Deadline, SystemClock
from execution_plane.settings import IntegrationSettings
from execution_plane.shared_clients import SharedClients, all_steps, aws_client
from execution_plane.telemetry import invocation, logger, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RETURN_SECONDS = 5.0  # kept of the function's time for its return to the lifecycle function
UNREGISTER_SECONDS = 20.0  # kept of it for leaving the Bridge, when nothing is left to report
SIDE_BY_SIDE = 16


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(_request: dict[str, Any], context: "LambdaContext") -> None:
    """Serve the lifecycle function; a second invocation does what the first has left.

    Raises InvalidSetting and KeptnError: the invocation fails, and the lifecycle function logs why.
    """
    invocation.begin("finalizer", context)
    clock = SystemClock()
    take_leave(Deadline.from_context(clock, context).earlier_by(RETURN_SECONDS), clock)


def take_leave(deadline: Deadline, clock: Clock) -> None:
    """Report what is open, then unregister. Raises InvalidSetting and KeptnError."""
    clients = SharedClients.from_environment()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        finalizer = Finalizer(clients.control_plane, clients.ledger, all_steps(aws_client), clock, pool)
        reported = finalizer.finish(deadline.earlier_by(UNREGISTER_SECONDS))
    logger.info("the plane's runs are reported", runs=reported)
    shown = IntegrationSettings.from_environment()
    if shown.is_registered:
        leave(clients.control_plane, describe(shown), deadline)
