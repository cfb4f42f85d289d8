"""The stack's life: a custom resource whose deletion lets the plane end what it has begun.

It always answers CloudFormation, and always SUCCESS: a Keptn that is down must not keep a stack from being
deleted. What is done before that is the finalizer's, in the plane's network; this function is in no VPC, for
the answer goes to Amazon S3.
"""

import json
import os
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock, Deadline, SystemClock
from execution_plane.telemetry import invocation, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ANSWER_SECONDS = 10.0  # kept of the function's time for the answer to CloudFormation
FINALIZER_SECONDS = 200.0  # for which the finalizer is waited for: its own time, and what its start takes
PAUSE = 5.0  # seconds before a finalizer that was not ready is invoked again
NOT_READY = {
    "ResourceConflictException",  # it is being made ready
    "ResourceNotReadyException",  # nobody has invoked it for weeks, and its network was taken from it
    "TooManyRequestsException",
}
"""Errors of Lambda's Invoke with which a function certainly has not begun, and soon may."""
PHYSICAL_ID = "keptn-lambda-executor"


class NotFinalized(Exception):
    """The finalizer did not come to its end; the text says what to look at."""


@logger.inject_lambda_context
def handler(request: dict[str, Any], context: "LambdaContext") -> None:
    """Serve one request of CloudFormation's: on Delete, wait for the finalizer; then answer."""
    invocation.begin("lifecycle", context)
    clock = SystemClock()
    try:
        if request["RequestType"] == "Delete":
            finalize(Deadline.from_context(clock, context).earlier_by(ANSWER_SECONDS), clock)
    except Exception as problem:
        logger.error(
            "the deleted plane could not end its work", reason=str(problem), kind=type(problem).__name__
        )
    finally:
        answer(request)


def finalize(deadline: Deadline, clock: Clock) -> None:
    """Invoke the finalizer and wait for its end. Raises NotFinalized.

    It is invoked again only where it certainly has not begun; else it may still be at work.
    """
    name = os.environ["FINALIZER_FUNCTION_NAME"]
    seconds = min(FINALIZER_SECONDS, deadline.remaining())
    config = Config(
        connect_timeout=3,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,  # nothing is sent while it works
    )
    client = boto3.client("lambda", config=config)
    while True:
        try:
            told = client.invoke(FunctionName=name, Payload=b"{}")
            break
        except ClientError as refusal:
            code = refusal.response["Error"]["Code"]
            if code not in NOT_READY or deadline.remaining() < seconds + PAUSE:
                raise NotFinalized(
                    f"{name} could not be invoked: {refusal}; check that function, the policies of this "
                    "one's role, and PermissionsBoundaryArn"
                ) from None
            clock.sleep(PAUSE)
        except BotoCoreError as problem:
            raise NotFinalized(f"{name} gave no answer: {problem}; see what it says in this log") from None
    if "FunctionError" in told:
        message = json.load(told["Payload"]).get("errorMessage")
        raise NotFinalized(f"{name} failed: {message}; see what it says in this log")


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
