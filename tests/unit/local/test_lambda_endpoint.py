"""Lambda's API on a laptop, as the real client sees it."""

import json
from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from local.aws_server import local_client
from local.function_process import Answer
from local.lambda_endpoint import Invocation, LambdaEndpoint

WAIT = 10.0


class Echo:
    """A function that answers with its event once it may."""

    name = "echo"

    def __init__(self) -> None:
        self.may_answer = Event()
        self.may_answer.set()
        self.variables: Mapping[str, str] = {"DRAIN": "false"}

    def configure(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def invoke(self, event: Any, request_id: str) -> Answer:
        assert self.may_answer.wait(WAIT)
        return Answer({"errorMessage": "as told"}, is_error=True) if event == "fail" else Answer(event)


Ended = SimpleQueue[tuple[Invocation, Answer]]


@pytest.fixture
def ended() -> Ended:
    return SimpleQueue()


@pytest.fixture
def endpoint(ended: Ended) -> Iterator[LambdaEndpoint]:
    with LambdaEndpoint(on_end=lambda *end: ended.put(end)) as running:
        yield running


@pytest.fixture
def function(endpoint: LambdaEndpoint) -> Echo:
    function = Echo()
    endpoint.add(function, deliveries=2)
    return function


@pytest.fixture
def client(endpoint: LambdaEndpoint) -> Iterator[Any]:
    client = local_client("lambda", endpoint.url, "us-east-1")
    yield client
    client.close()


def test_an_invocation_that_waits_gets_the_answer(client: Any, function: Echo) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'{"a": [1]}')

    assert (answer["StatusCode"], json.loads(answer["Payload"].read())) == (200, {"a": [1]})
    assert "FunctionError" not in answer


def test_an_error_of_the_function_is_told_as_such(client: Any, function: Echo) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'"fail"')

    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read()) == {"errorMessage": "as told"}


def test_an_asynchronous_invocation_is_taken_at_once_and_delivered_later(
    client: Any, function: Echo, ended: Ended
) -> None:
    function.may_answer.clear()
    answer = client.invoke(FunctionName="echo", InvocationType="Event", Payload=b'{"a": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert ended.empty()

    function.may_answer.set()
    invocation, result = ended.get(timeout=WAIT)
    assert (invocation.function, invocation.event, result) == ("echo", {"a": 1}, Answer({"a": 1}))


def test_an_asynchronous_invocation_is_delivered_as_often_as_wanted_under_one_id(
    client: Any, function: Echo, ended: Ended
) -> None:
    answer = client.invoke(FunctionName="echo", InvocationType="Event", Payload=b"{}")

    deliveries = [ended.get(timeout=WAIT)[0] for _ in range(2)]
    assert [each.delivery for each in deliveries] == [1, 2]
    assert {each.request_id for each in deliveries} == {answer["ResponseMetadata"]["RequestId"]}


def test_a_function_that_fails_keeps_nothing_from_the_next(client: Any, function: Echo, ended: Ended) -> None:
    for payload in (b'"fail"', b'"next"'):
        client.invoke(FunctionName="echo", InvocationType="Event", Payload=payload)

    answers = [ended.get(timeout=WAIT)[1] for _ in range(4)]
    assert [each.is_error for each in answers] == [True, True, False, False]


def test_a_function_is_also_known_by_its_arn(client: Any, function: Echo) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:echo:live"

    assert client.invoke(FunctionName=arn, Payload=b"1")["Payload"].read() == b"1"


def test_an_unknown_function_is_refused_as_lambda_does(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found: nobody"):
        client.invoke(FunctionName="nobody", Payload=b"{}")


def test_a_payload_that_is_no_json_is_refused(client: Any, function: Echo, ended: Ended) -> None:
    with pytest.raises(ClientError, match="Could not parse the payload"):
        client.invoke(FunctionName="echo", InvocationType="Event", Payload=b"{")
    assert ended.empty()


def test_a_connection_serves_one_request_after_another(endpoint: LambdaEndpoint, function: Echo) -> None:
    with requests.Session() as session:
        answers = [
            session.post(f"{endpoint.url}/2015-03-31/functions/{name}/invocations", data="[1]", timeout=WAIT)
            for name in ("nobody", "echo", "echo")
        ]

    assert [answer.status_code for answer in answers] == [404, 200, 200]
    assert answers[2].json() == [1]


def test_a_functions_environment_is_told_and_replaced(client: Any, function: Echo) -> None:
    def variables() -> Any:
        return client.get_function_configuration(FunctionName="echo")["Environment"]["Variables"]

    assert variables() == {"DRAIN": "false"}

    client.update_function_configuration(FunctionName="echo", Environment={"Variables": {"DRAIN": "true"}})

    assert variables() == function.variables == {"DRAIN": "true"}
