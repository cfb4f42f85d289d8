"""Tasks that another Lambda function does, over real HTTP: the endpoint answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.events import Outcome
from execution_plane.settings import Allowlists
from jobs.model import Task
from runners.lambda_function import LambdaFunctionRunner, read_answer
from runs.work import TaskCancelled
from tests.support.clock import SimulatedClock
from tests.unit.runners.task_contexts import SAYHELLO, task_context

TASK = Task(0, name="Load", lambda_name="load-test", given=frozenset({"name", "lambda"}))


class Endpoint:
    """Lambda, with one function; keeps what it was invoked with."""

    def __init__(self) -> None:
        self.invocations: list[tuple[str, str, Any]] = []
        self.answer: Any = None
        self.headers: dict[str, str] = {}
        self.status = 200
        self.refusals: list[Response] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = make_server("127.0.0.1", 0, Request.application(self._serve), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _serve(self, request: Request) -> Response:
        kind = request.headers["X-Amz-Invocation-Type"]
        self.invocations.append((request.path, kind, json.loads(request.get_data())))
        self.may_answer.wait()
        if self.refusals:
            return self.refusals.pop(0)
        return Response(json.dumps(self.answer), self.status, self.headers)

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def run(
        self,
        task: Task = TASK,
        seconds: float = 20.0,
        allowed: tuple[str, ...] = ("load-test",),
        clock: Clock | None = None,
        still_wanted: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        what = replace(task_context(seconds, users=3), still_wanted=still_wanted)
        if clock:
            what = replace(what, deadline=Deadline.after(clock, seconds))
        return LambdaFunctionRunner(lambda: Allowlists(lambdas=frozenset(allowed)), self._client).run(
            task, what
        )

    def _client(self, config: Config) -> Any:
        return boto3.client("lambda", endpoint_url=self.url, config=config)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


def test_the_function_gets_the_whole_event_and_its_answer_is_the_outcome(endpoint: Endpoint) -> None:
    endpoint.answer = {"result": "warning", "message": "3 of 100 failed", "data": {"failed": 3}}

    outcome = endpoint.run()

    assert outcome == Outcome("warning", "succeeded", "3 of 100 failed", {"failed": 3})
    ((path, kind, given),) = endpoint.invocations
    assert (path, kind) == ("/2015-03-31/functions/load-test/invocations", "RequestResponse")
    assert (given["type"], given["data"]["users"]) == (SAYHELLO, 3)


def test_an_object_without_a_result_is_the_data_of_a_pass(endpoint: Endpoint) -> None:
    endpoint.answer = {"requests": 100}

    assert endpoint.run() == Outcome("pass", "succeeded", "", {"requests": 100})


def test_a_function_that_fails_is_errored_with_its_own_words(endpoint: Endpoint) -> None:
    endpoint.answer = {"errorMessage": "no target", "errorType": "ValueError", "stackTrace": []}
    endpoint.headers = {"X-Amz-Function-Error": "Unhandled"}

    outcome = endpoint.run()

    assert (outcome.result, outcome.status) == ("fail", "errored")
    assert outcome.message == "The Lambda function load-test failed: ValueError: no target"


def test_a_function_that_is_not_allowed_is_not_invoked(endpoint: Endpoint) -> None:
    outcome = endpoint.run(allowed=("another",))

    assert outcome.status == "errored"
    assert "AllowedLambdas: another" in outcome.message
    assert endpoint.invocations == []


def test_an_answer_that_comes_too_late_is_errored_and_the_function_invoked_once(endpoint: Endpoint) -> None:
    endpoint.may_answer.clear()

    outcome = endpoint.run(seconds=1.2)

    assert outcome.message.startswith("The Lambda function load-test had not answered at the task's deadline")
    assert len(endpoint.invocations) == 1


def test_a_function_is_not_invoked_when_the_time_is_over(endpoint: Endpoint) -> None:
    assert endpoint.run(seconds=0.0).status == "errored"
    assert endpoint.invocations == []


def test_a_function_that_lambda_refuses_to_invoke_is_errored(endpoint: Endpoint) -> None:
    endpoint.status = 404
    endpoint.headers = {"x-amzn-ErrorType": "ResourceNotFoundException"}
    endpoint.answer = {"Message": "Function not found"}

    outcome = endpoint.run()

    assert outcome.status == "errored"
    assert "ResourceNotFoundException" in outcome.message


def refusal(status: int, code: str, **headers: str) -> Response:
    return Response('{"Message": "not now"}', status, {"x-amzn-ErrorType": code, **headers})


@pytest.mark.parametrize(
    ("refusals", "least", "most"),
    [
        ([refusal(429, "TooManyRequestsException")], 0.5, 1.0),
        ([refusal(429, "TooManyRequestsException", **{"Retry-After": "9"})], 9.5, 10.0),
        ([refusal(502, "EC2ThrottledException"), refusal(409, "ResourceConflictException")], 1.5, 3.0),
        ([refusal(409, "SnapStartNotReadyException")] * 4, 7.5, 15.0),
    ],
)
def test_a_function_that_is_put_off_is_invoked_later(
    endpoint: Endpoint, refusals: list[Response], least: float, most: float
) -> None:
    endpoint.refusals = list(refusals)
    endpoint.answer = {"result": "pass"}
    clock = SimulatedClock()
    begun = clock.now()

    assert endpoint.run(clock=clock, seconds=60).result == "pass"
    assert least <= clock.now() - begun <= most
    assert len(endpoint.invocations) == len(refusals) + 1


def test_a_function_that_is_throttled_until_the_deadline_is_errored_with_that_reason(
    endpoint: Endpoint,
) -> None:
    endpoint.refusals = [refusal(429, "TooManyRequestsException") for _ in range(100)]
    clock = SimulatedClock()
    end = clock.now() + 60

    outcome = endpoint.run(clock=clock, seconds=60)

    assert "could not be invoked: An error occurred (TooManyRequestsException)" in outcome.message
    assert clock.now() < end
    assert 5 <= len(endpoint.invocations) <= 10


def test_a_function_that_is_put_off_is_not_invoked_when_its_run_is_no_longer_wanted(
    endpoint: Endpoint,
) -> None:
    endpoint.refusals = [refusal(429, "TooManyRequestsException", **{"Retry-After": "50"})]

    with pytest.raises(TaskCancelled):
        endpoint.run(clock=SimulatedClock(), seconds=600, still_wanted=lambda: False)

    assert len(endpoint.invocations) == 1


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"null", Outcome("pass", "succeeded")),
        (b"", Outcome("pass", "succeeded")),
        (b"{}", Outcome("pass", "succeeded")),
        (b'{"result": "fail"}', Outcome("fail", "succeeded")),
        (b'{"result": "pass", "message": null, "data": null}', Outcome("pass", "succeeded")),
    ],
)
def test_answers_that_are_outcomes(payload: bytes, expected: Outcome) -> None:
    assert read_answer("f", payload, is_error=False) == expected


@pytest.mark.parametrize(
    "payload",
    [
        b'"pass"',
        b"[1]",
        b"true",
        b"not json",
        b'{"a": NaN}',
        b'{"result": "good"}',
        b'{"result": ["pass"]}',
        b'{"result": "pass", "message": 3}',
        b'{"result": "pass", "data": []}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_outcome_is_errored(payload: bytes) -> None:
    assert read_answer("f", payload, is_error=False).status == "errored"


def test_fields_without_a_meaning_are_named_in_one_log_line(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    given = frozenset({"name", "lambda", "cmd", "resources", "maxPollDuration"})

    endpoint.run(Task(0, name="Load", lambda_name="load-test", given=given))

    (line,) = [vars(record) for record in caplog.records if "meaning" in record.message]
    assert (line["fields"], line["kind"], line["task"]) == ("cmd, resources", "lambda", "Load")
