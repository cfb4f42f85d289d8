"""The stack's life: a custom resource whose deletion lets the plane end what it has begun.

It always answers CloudFormation, and always SUCCESS: a Keptn that is down must not keep a stack from being
deleted.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from control.integration import describe, leave
from control.looks import Looks
from deletion.finalizer import DELETED, Finalizer
from deletion.last_containers import LastContainers
from execution_plane.clock import Clock, Deadline, SystemClock
from execution_plane.containers import Containers
from execution_plane.ledger.replies import Replies
from execution_plane.parts import Parts, aws_client
from execution_plane.settings import IntegrationSettings
from execution_plane.telemetry import invocation, logger, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ANSWER_SECONDS = 10.0  # kept of the function's time for the answer to CloudFormation
UNREGISTER_SECONDS = 20.0  # kept of it for leaving the Bridge, when nothing is left to report
SIDE_BY_SIDE = 16
PHYSICAL_ID = "keptn-lambda-executor"


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(request: dict[str, Any], context: "LambdaContext") -> None:
    """Serve one request of CloudFormation's: on Delete, report the active runs; then answer."""
    invocation.begin("lifecycle", context)
    clock = SystemClock()
    deadline = Deadline.from_context(clock, context)
    try:
        if request["RequestType"] == "Delete":
            take_leave(deadline.earlier_by(ANSWER_SECONDS), clock)
    except Exception:
        logger.exception("the plane could not take leave")
    finally:
        answer(request)


def take_leave(deadline: Deadline, clock: Clock) -> None:
    """Report what is open, then unregister. Raises InvalidSetting and KeptnError."""
    parts = Parts.from_environment()
    replies = Replies(parts.control_plane, parts.ledger, clock, patient=False)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        finalizer = Finalizer(
            ledger=parts.ledger,
            looks=Looks(parts.control_plane),
            replies=replies,
            containers=LastContainers(Containers(partial(aws_client, "ecs")), DELETED.message, clock, pool),
            clock=clock,
            pool=pool,
        )
        reported = finalizer.finish(deadline.earlier_by(UNREGISTER_SECONDS))
    logger.info("the plane takes leave", runs=reported)
    shown = IntegrationSettings.from_environment()
    if shown.is_registered:
        leave(parts.control_plane, describe(shown), deadline)


def answer(request: dict[str, Any]) -> None:
    """Tell CloudFormation that all is well (AWS CloudFormation user guide, "Custom resource response
    objects").
    """
    body = {
        "Status": "SUCCESS",
        "PhysicalResourceId": request.get("PhysicalResourceId", PHYSICAL_ID),
        **{name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # An empty content type is what the pre-signed URL was signed for.
    requests.put(
        request["ResponseURL"], json=body, headers={"Content-Type": ""}, timeout=5
    ).raise_for_status()
