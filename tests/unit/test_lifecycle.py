"""The stack's life: CloudFormation is answered whatever becomes of the finalizer, which is waited for."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

import lifecycle
from execution_plane.clock import Deadline, SystemClock
from local.http_server import HttpServer
from tests.support.clock import SimulatedClock
from tests.support.lambda_context import Context

NAME = "plane-FinalizerFunction"


class CloudFormation:
    """The pre-signed URL that takes a custom resource's answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[str | None, dict[str, Any]]] = []
        self.server = HttpServer(self._take)

    def _take(self, request: Request) -> Response:
        assert request.method == "PUT"
        self.answers.append((request.headers.get("Content-Type"), json.loads(request.get_data())))
        return Response()

    def request(self, kind: str, **changes: str) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": f"{self.server.url}/answer?signature=x",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "ActiveRuns",
            **changes,
        }


class Lambda:
    """Lambda's API, with what it answers to each invocation in turn; the last goes for all that follow."""

    def __init__(self) -> None:
        self.answers: list[Callable[[], Response]] = [lambda: Response("null")]
        self.invoked: list[str] = []
        self.server = HttpServer(self._answer)

    def _answer(self, request: Request) -> Response:
        assert request.headers.get("X-Amz-Invocation-Type", "RequestResponse") == "RequestResponse"
        self.invoked.append(request.path.split("/")[3])
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()


def invoked_now() -> Any:
    return Context("lifecycle")


def refusal(status: int, code: str) -> Callable[[], Response]:
    body = json.dumps({"Type": "User", "Message": f"says {code}"})
    return lambda: Response(body, status, {"x-amzn-ErrorType": code}, content_type="application/json")


def failure(message: str) -> Callable[[], Response]:
    body = json.dumps({"errorMessage": message, "errorType": "KeptnError", "stackTrace": ["line"]})
    return lambda: Response(body, 200, {"X-Amz-Function-Error": "Unhandled"})


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    running = CloudFormation()
    with running.server:
        yield running


@pytest.fixture
def lambda_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    running = Lambda()
    with running.server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", running.server.url)
        monkeypatch.setenv("FINALIZER_FUNCTION_NAME", NAME)
        yield running


@pytest.mark.parametrize(("kind", "invoked"), [("Create", []), ("Update", []), ("Delete", [NAME])])
def test_only_a_deletion_has_the_plane_finalized_before_cloudformation_is_answered(
    cloudformation: CloudFormation, lambda_api: Lambda, kind: str, invoked: list[str]
) -> None:
    answered_meanwhile: list[int] = []

    def finalized() -> Response:
        answered_meanwhile.append(len(cloudformation.answers))
        return Response("null")

    lambda_api.answers = [finalized]

    lifecycle.handler(cloudformation.request(kind), invoked_now())

    assert lambda_api.invoked == invoked
    assert answered_meanwhile == [0 for _ in invoked]
    assert cloudformation.answers == [
        (
            "",
            {
                "Status": "SUCCESS",
                "PhysicalResourceId": "keptn-lambda-executor",
                "StackId": "stack",
                "RequestId": "request",
                "LogicalResourceId": "ActiveRuns",
            },
        )
    ]


def test_it_loads_nothing_that_only_the_plane_needs() -> None:
    """So that nothing that could fail there keeps CloudFormation from its answer."""
    environment = os.environ | {"PYTHONPATH": ":".join(filter(None, sys.path))}
    code = "import sys, lifecycle; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.split())
    assert "execution_plane.clock" in loaded
    planes = {
        "control",
        "deletion",
        "execution_plane.keptn",
        "execution_plane.ledger",
        "execution_plane.shared_clients",
    }
    assert loaded & planes == set()


def test_the_physical_id_stays_what_it_was(cloudformation: CloudFormation) -> None:
    lifecycle.handler(cloudformation.request("Update", PhysicalResourceId="as it was"), invoked_now())

    ((_, answer),) = cloudformation.answers
    assert answer["PhysicalResourceId"] == "as it was"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            refusal(403, "AccessDeniedException"),
            "could not be invoked: .*AccessDeniedException.*says Acc.*; check that function, the policies of",
        ),
        (refusal(404, "ResourceNotFoundException"), "could not be invoked: .*says ResourceNotFoundException"),
        (
            failure("no connection; check KeptnApiUrl"),
            "failed: no connection; check KeptnApiUrl; see what it",
        ),
        (failure("Task timed out after 180.00 seconds"), "failed: Task timed out after 180.00 seconds"),
    ],
)
def test_cloudformation_hears_of_success_and_the_log_of_what_went_wrong(
    cloudformation: CloudFormation,
    lambda_api: Lambda,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[], Response],
    sentence: str,
) -> None:
    lambda_api.answers = [answer]
    with pytest.raises(lifecycle.NotFinalized, match=f"^{NAME} {sentence}"):
        lifecycle.finalize(Deadline.after(SystemClock(), 60.0), SystemClock())

    lifecycle.handler(cloudformation.request("Delete"), invoked_now())

    ((_, told),) = cloudformation.answers
    assert told["Status"] == "SUCCESS"
    assert "the deleted plane could not end its work" in caplog.text
    assert lambda_api.invoked == [NAME, NAME], "once each: it may have begun"


def test_a_finalizer_that_was_idle_for_weeks_is_invoked_until_it_is_ready(lambda_api: Lambda) -> None:
    clock = SimulatedClock()
    lambda_api.answers = [
        refusal(502, "ResourceNotReadyException"),
        refusal(409, "ResourceConflictException"),
        refusal(429, "TooManyRequestsException"),
        lambda: Response("null"),
    ]

    lifecycle.finalize(Deadline.after(clock, 290.0), clock)

    assert len(lambda_api.invoked) == 4


def test_a_finalizer_that_is_never_ready_is_invoked_while_it_could_still_be_waited_for(
    lambda_api: Lambda,
) -> None:
    clock = SimulatedClock()
    deadline = Deadline.after(clock, 290.0)
    lambda_api.answers = [refusal(502, "ResourceNotReadyException")]

    with pytest.raises(lifecycle.NotFinalized, match="ResourceNotReadyException"):
        lifecycle.finalize(deadline, clock)

    assert len(lambda_api.invoked) > 10
    assert deadline.remaining() >= lifecycle.FINALIZER_SECONDS


def test_a_finalizer_that_does_not_answer_is_given_up_in_time_and_not_invoked_again(
    lambda_api: Lambda,
) -> None:
    over = threading.Event()

    def hang() -> Response:
        over.wait(10)
        return Response("null")

    lambda_api.answers = [hang]
    begun = SystemClock().monotonic()

    with pytest.raises(lifecycle.NotFinalized, match=r"gave no answer: Read timeout.*; see what it says"):
        lifecycle.finalize(Deadline.after(SystemClock(), 0.5), SystemClock())

    assert SystemClock().monotonic() - begun < 5
    over.set()
    assert lambda_api.invoked == [NAME]
