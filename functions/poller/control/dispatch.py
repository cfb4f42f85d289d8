"""Invoking the worker, and learning of the invocations that AWS gave up on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from control.plan import Failure
from execution_plane.ledger.runs import Run
from execution_plane.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_sqs.client import SQSClient

PAYLOAD_SCHEMA = 1
MESSAGES = 10  # SQS gives no more at once
# Sources: AWS Lambda API reference, Invoke, Errors; and there, Common errors. What has a status of 4xx is
# a refusal for good, but for what is too much at once, not ready or not reached, and a request that was old.
PASSING = frozenset({402, 408, 409, 410, 429})
PASSING_CODES = frozenset(
    {"ExpiredTokenException", "RequestAbortedException", "RequestExpired", "ThrottlingException"}
)
# Others are for good as well: of what the function is made with, something is gone, wrong or not allowed.
BROKEN = frozenset(
    {
        "CodeArtifactUserFailedException",
        "EC2AccessDeniedException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "RuntimeAliasDeletedException",
        "RuntimeVersionDeletedException",
    }
)
MOST_REMEMBERED = 1_000  # invocations that failed


class DispatchFailed(Exception):
    """Lambda did not take the invocation; the run is dispatched again later."""


class DispatchRefused(DispatchFailed):
    """AWS refuses the invocation, and will do so until somebody mends the function or its permissions."""


class Dispatcher:
    """Invokes the worker for a run, asynchronously and by reference: the worker fetches the event itself."""

    def __init__(self, client: "Callable[[], LambdaClient]", function: str) -> None:
        self._client = client
        self._function = function

    def dispatch(self, run: Run, integration_id: str = "", subscription_id: str = "") -> None:
        """Invoke the worker for a run that came by a subscription of an integration.

        An invocation for a waiting run is worth something only while the run is in the version that it names.
        Raises DispatchRefused, and DispatchFailed.
        """
        payload = {
            "schema": PAYLOAD_SCHEMA,
            "event_id": run.event.id,
            "type": run.event.type,
            "project": run.event.project,
            "version": run.version,
            "integration_id": integration_id,
            "subscription_id": subscription_id,
        }
        try:
            answer = self._client().invoke(
                FunctionName=self._function, InvocationType="Event", Payload=json.dumps(payload).encode()
            )
            answer["Payload"].read()  # or the connection is given up, and each invocation makes another
        except ClientError as problem:
            if _is_for_good(problem):
                raise DispatchRefused(f"AWS refuses to invoke the worker: {problem}") from problem
            raise DispatchFailed(f"Lambda did not take the invocation of the worker: {problem}") from problem
        except BotoCoreError as problem:
            raise DispatchFailed(f"Lambda did not take the invocation of the worker: {problem}") from problem


def _is_for_good(problem: ClientError) -> bool:
    """Whether the same invocation would be refused again."""
    status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = problem.response["Error"]["Code"]
    is_refusal = 400 <= status < 500 and status not in PASSING and code not in PASSING_CODES
    return is_refusal or code in BROKEN


@dataclass(frozen=True)
class Failures:
    """The worker's invocations that failed."""

    latest: Mapping[str, Failure] = field(default_factory=dict)
    """Of each event, among those that were read just now, by the event's id."""
    known: Mapping[str, Failure] = field(default_factory=dict)
    """All that this process remembers, by their request ids."""


class FailureQueue:
    """Where Lambda leaves the worker invocations that it gave up on: throttled for hours, or failed.

    Which invocations failed is remembered: what a dead worker had may show in the ledger's index only later.
    """

    def __init__(self, client: "Callable[[], SQSClient]", queue_url: str | None) -> None:
        self._client = client
        self._queue_url = queue_url
        self._known: dict[str, Failure] = {}

    def known(self) -> Failures:
        """What is remembered."""
        return Failures(known=self._known)

    def receive(self) -> Failures:
        """Take what is there. A queue that can't be read is an empty one, and is logged.

        What is taken is gone: should the poller die before it acts, the run's lease and deadline serve.
        """
        latest: dict[str, Failure] = {}
        if not self._queue_url:
            return self.known()
        try:
            while (
                messages := self._client()
                .receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=MESSAGES, WaitTimeSeconds=0)
                .get("Messages", [])
            ):
                for event_id, failure in filter(None, (_read(message["Body"]) for message in messages)):
                    self._remember(failure)
                    earlier = latest.get(event_id)
                    if event_id and (earlier is None or (failure.version or 0) >= (earlier.version or 0)):
                        latest[event_id] = failure
                self._client().delete_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                        for index, message in enumerate(messages)
                    ],
                )
        except (ClientError, BotoCoreError) as problem:
            logger.warning("the failure queue can't be read", reason=str(problem))
        return Failures(latest, self._known)

    def _remember(self, failure: Failure) -> None:
        if failure.invocation:
            self._known[failure.invocation] = failure
        while len(self._known) > MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


def _read(body: str) -> tuple[str, Failure] | None:
    """The event id and the failure in one record of Lambda's; None for anything else that got into the queue.

    The id is empty for an invocation by a container's end, which the poller sees by itself.

    Source: AWS Lambda developer guide, "Retaining records of asynchronous invocations".
    """
    try:
        record: Any = json.loads(body)
        payload, context = record["requestPayload"], record["requestContext"]
        event_id, version = str(payload.get("event_id", "")), payload.get("version")
        condition, invocation = str(context["condition"]), str(context.get("requestId", ""))
        answer = record.get("responsePayload")
        detail = answer.get("errorMessage") if isinstance(answer, dict) else answer
    except (ValueError, KeyError, TypeError, AttributeError):
        logger.warning("the failure queue holds something that is no record of an invocation")
        return None
    reason = f"AWS gave up on invoking the worker ({condition}): {detail or 'no more is known'}"
    return event_id, Failure(reason, version if isinstance(version, int) else None, invocation)
