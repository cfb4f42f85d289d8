"""Invoking the worker, and the records of invocations that AWS gave up on."""

import contextlib
import json
import socket
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from control.dispatch import (
    MOST_REMEMBERED,
    Dispatcher,
    DispatchFailed,
    DispatchRefused,
    FailureQueue,
    Failures,
)
from control.plan import Failure
from execution_plane.keptn.events import EventRef
from execution_plane.ledger.runs import Run
from tests.support.listener import Listener, read_request
from tests.support.world import accepted

REF = EventRef(
    "event",
    "sh.keptn.event.sayhello.triggered",
    "08735340-6f9e-4b32-97ff-3b6c292bc509",
    "p",
    "s",
    "v",
    labels={"a": "b"},
)
RUN = Run.claimed(REF, "plane", now=0.0, deadline=3600.0)


class Lambda:
    """Lambda's one method that we use."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.invoked: list[dict[str, Any]] = []
        self._failure = failure

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        if self._failure:
            raise self._failure
        self.invoked.append(arguments)
        return accepted()


def test_the_worker_is_invoked_asynchronously_and_by_reference() -> None:
    client = Lambda()

    dispatcher = Dispatcher(lambda: client, "worker")  # type: ignore[arg-type, return-value]
    dispatcher.dispatch(RUN, "integration", "subscription")

    (invoked,) = client.invoked
    assert (invoked["FunctionName"], invoked["InvocationType"]) == ("worker", "Event")
    assert json.loads(invoked["Payload"]) == {
        "schema": 1,
        "event_id": "event",
        "type": "sh.keptn.event.sayhello.triggered",
        "project": "p",
        "version": RUN.version,
        "integration_id": "integration",
        "subscription_id": "subscription",
    }


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke"),
        ReadTimeoutError(endpoint_url="https://lambda"),
    ],
)
def test_an_invocation_that_lambda_does_not_take_is_told(failure: Exception) -> None:
    with pytest.raises(DispatchFailed, match="did not take"):
        Dispatcher(lambda: Lambda(failure), "worker").dispatch(RUN)  # type: ignore[arg-type, return-value]


def refusal(code: str, status: int) -> ClientError:
    error: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "Invoke")


PASSING = {
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserPendingException",
    "DurableExecutionAlreadyStartedException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "ServiceException",
    "ServiceQuotaExceededException",
    "SnapStartNotReadyException",
    "SnapStartRegenerationFailureException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
}


def test_each_error_that_lambda_documents_of_invoke_passes_or_is_one_for_good() -> None:
    """By AWS's own model of its API, which botocore carries; an error that is new there needs a decision."""
    model = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    documented = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}

    assert {code for code, status in documented.items() if not is_for_good(code, status)} == PASSING


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDeniedException", 403, True),
        ("UnrecognizedClientException", 403, True),
        ("ExpiredTokenException", 403, False),
        ("ThrottlingException", 400, False),
        ("RequestExpired", 400, False),
        ("ServiceUnavailable", 503, False),
        ("InternalFailure", 500, False),
    ],
)
def test_so_does_each_error_that_is_common_to_aws(code: str, status: int, expected: bool) -> None:
    assert is_for_good(code, status) is expected


def is_for_good(code: str, status: int) -> bool:
    """Whether a run whose invocation is refused so is not dispatched again and again."""
    with pytest.raises(DispatchFailed) as failed:
        Dispatcher(lambda: Lambda(refusal(code, status)), "worker").dispatch(RUN)  # type: ignore[arg-type, return-value]
    return isinstance(failed.value, DispatchRefused)


def accepting(connection: socket.socket) -> None:
    """Take invocations for as long as the connection lasts."""
    with contextlib.suppress(ConnectionError):
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


def test_many_invocations_share_a_connection(aws: None) -> None:
    with Listener(accepting) as listener:
        client = boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{listener.port}")
        dispatcher = Dispatcher(lambda: client, "worker")

        for _ in range(5):
            dispatcher.dispatch(RUN)
        client.close()

    assert listener.connections == 1


@pytest.fixture
def sqs(aws: None) -> Any:
    return boto3.client("sqs")


@pytest.fixture
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="failures")["QueueUrl"])


def record(event_id: str = "event", condition: str = "RetriesExhausted", **parts: Any) -> str:
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-09-21T12:00:00.000Z",
            "requestContext": {"requestId": "1", "functionArn": "arn", "condition": condition},
            "requestPayload": {"schema": 1, "event_id": event_id},
            **parts,
        }
    )


def test_a_record_gives_the_event_and_the_reason(sqs: Any, url: str) -> None:
    error = {"errorMessage": "Unable to import module 'worker'", "errorType": "Runtime.ImportModuleError"}
    sqs.send_message(QueueUrl=url, MessageBody=record(responsePayload=error))
    sqs.send_message(QueueUrl=url, MessageBody=record("other", "EventAgeExceeded"))

    failures = FailureQueue(lambda: sqs, url).receive().latest

    assert failures["event"] == Failure(
        "AWS gave up on invoking the worker (RetriesExhausted): Unable to import module 'worker'",
        invocation="1",
    )
    assert "EventAgeExceeded" in failures["other"].reason


@pytest.mark.parametrize("versions", [(1, 4, 2), (4, 1), (None, 4), (4, None)])
def test_of_several_failures_the_latest_counts(sqs: Any, url: str, versions: tuple[int | None, ...]) -> None:
    for version in versions:
        payload = {"schema": 1, "event_id": "event", "version": version}
        sqs.send_message(QueueUrl=url, MessageBody=record(requestPayload=payload))

    assert FailureQueue(lambda: sqs, url).receive().latest["event"].version == 4


def test_an_invocation_that_failed_is_known_from_then_on_by_its_request_id(sqs: Any, url: str) -> None:
    """Also one by a container's end, whose payload names no event."""
    for number, payload in enumerate(({"event_id": "event"}, {"detail": {"taskArn": "arn"}})):
        context = {"requestId": f"request-{number}", "condition": "RetriesExhausted"}
        sqs.send_message(QueueUrl=url, MessageBody=record(requestContext=context, requestPayload=payload))
    queue = FailureQueue(lambda: sqs, url)

    assert queue.receive().latest.keys() == {"event"}
    assert queue.receive().latest == {}
    assert queue.receive().known.keys() == {"request-0", "request-1"}


def test_no_more_than_the_latest_failures_are_remembered(sqs: Any, url: str) -> None:
    queue = FailureQueue(lambda: sqs, url)
    for number in range(MOST_REMEMBERED + 5):
        queue._remember(Failure("it failed", invocation=str(number)))

    assert len(queue.known().known) == MOST_REMEMBERED
    assert str(MOST_REMEMBERED + 4) in queue.known().known


def test_what_was_received_is_gone(sqs: Any, url: str) -> None:
    queue = FailureQueue(lambda: sqs, url)
    for number in range(25):
        sqs.send_message(QueueUrl=url, MessageBody=record(f"event-{number}"))

    assert len(queue.receive().latest) == 25
    assert queue.receive().latest == {}
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "7",
        "null",
        '{"requestPayload": null}',
        '{"requestPayload": {"event_id": "x"}}',
        record(requestContext=None),
        record(requestPayload=[]),
    ],
)
def test_what_is_no_record_is_taken_away_and_stops_nothing(sqs: Any, url: str, body: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message(QueueUrl=url, MessageBody=record("good"))

    assert list(FailureQueue(lambda: sqs, url).receive().latest) == ["good"]


@pytest.mark.parametrize("answer", [None, {}, {"errorMessage": None}, "killed", ["killed"], 7])
def test_a_record_with_an_odd_answer_still_gives_the_event(sqs: Any, url: str, answer: object) -> None:
    sqs.send_message(QueueUrl=url, MessageBody=record(responsePayload=answer))

    assert list(FailureQueue(lambda: sqs, url).receive().latest) == ["event"]


def test_a_queue_that_is_not_there_is_an_empty_one(sqs: Any, url: str) -> None:
    assert FailureQueue(lambda: sqs, f"{url}-gone").receive() == Failures()


def test_without_a_queue_nothing_is_asked() -> None:
    def no_client() -> Any:
        raise AssertionError("a client was made")

    assert FailureQueue(no_client, None).receive() == Failures()
