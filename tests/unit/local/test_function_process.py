"""A function in a process of its own."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.function_process import Answer, FunctionProcess
from local.stack import FunctionDefinition

CODE = """\
import json, os, time


def handler(event, context):
    print(json.dumps({"level": "INFO", "message": "called"}))
    match event:
        case "context":
            return {name: getattr(context, name) for name in (
                "function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id",
            )} | {"remaining": context.get_remaining_time_in_millis()}
        case "environment":
            return dict(os.environ)
        case "log":
            print(json.dumps({"level": "ERROR", "message": "slot failed", "reason": "no Keptn"}))
            print(json.dumps({"_aws": {}}))
        case "raise":
            raise ValueError("what a pity")
        case "die":
            os._exit(3)
        case "sleep":
            time.sleep(3600)
        case "no json":
            return {1, 2}
    return event
"""

Maker = Callable[..., FunctionProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Maker]:
    (tmp_path / "code").mkdir()
    started: list[FunctionProcess] = []

    def make(code: str = CODE, timeout: int = 60) -> FunctionProcess:
        (tmp_path / "code" / "some_function.py").write_text(code)
        definition = FunctionDefinition(
            name="f",
            region="eu-west-1",
            code=tmp_path / "code",
            layer=tmp_path,
            handler="some_function.handler",
            timeout=timeout,
            memory=256,
            variables={"OURS": "1"},
        )
        started.append(FunctionProcess(definition, tmp_path / "f.log"))
        return started[-1]

    yield make
    for function in started:
        function.close()


def test_the_handler_gets_the_event_and_its_answer_comes_back(start: Maker) -> None:
    function = start()

    assert [function.invoke(event, "r") for event in ({"a": 1}, None)] == [Answer({"a": 1}), Answer(None)]


def test_the_context_says_what_lambda_says(start: Maker) -> None:
    context: dict[str, Any] = start().invoke("context", "r-1").content

    assert 50_000 < context.pop("remaining") <= 60_000
    assert context == {
        "function_name": "f",
        "memory_limit_in_mb": "256",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "aws_request_id": "r-1",
    }


def test_the_environment_is_the_functions_own(start: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test")

    environment = start().invoke("environment", "r").content

    assert environment["OURS"] == "1"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert not {"HOME", "http_proxy"} & environment.keys()


def test_a_function_that_is_configured_anew_has_another_environment(start: Maker) -> None:
    function = start()
    function.invoke("environment", "r")

    function.configure({"OURS": "2"})

    assert function.variables == {"OURS": "2"}
    assert function.invoke("environment", "r").content["OURS"] == "2"


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [("raise", "ValueError", "what a pity"), ("no json", "TypeError", "not JSON serializable")],
)
def test_what_the_handler_raises_is_an_error_and_the_process_lives_on(
    start: Maker, event: str, kind: str, message: str
) -> None:
    function = start()

    answer = function.invoke(event, "r")

    assert (answer.is_error, answer.content["errorType"]) == (True, kind)
    assert message in answer.content["errorMessage"]
    assert message in function.last_error()
    assert function.invoke("next", "r") == Answer("next")


def test_a_function_that_dies_is_started_again(start: Maker) -> None:
    function = start()

    answer = function.invoke("die", "r")

    assert (answer.is_error, answer.content["errorType"]) == (True, "Runtime.ExitError")
    assert "status 3" in answer.content["errorMessage"]
    assert function.invoke("next", "r") == Answer("next")


def test_a_function_that_cannot_be_imported_says_so_in_its_log(start: Maker) -> None:
    function = start("import nothing_of_that_name")

    assert function.invoke({}, "r").is_error
    assert function.last_error() == "ModuleNotFoundError: No module named 'nothing_of_that_name'"


def test_a_function_is_ended_at_its_timeout(start: Maker) -> None:
    answer = start(timeout=1).invoke("sleep", "r")

    assert answer.content["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in answer.content["errorMessage"]


def test_the_last_error_is_found_in_the_log(start: Maker) -> None:
    function = start()
    function.invoke("next", "r")
    assert function.last_error() == ""

    function.invoke("log", "r")

    assert function.last_error() == "slot failed: no Keptn"


def test_what_a_function_has_begun_ends_with_it(start: Maker, tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    function = start(f"""\
import pathlib, sys, threading
def handler(event, context):
    try:
        print("begun", flush=True)
        threading.Event().wait()
    finally:
        pathlib.Path({os.fspath(mark)!r}).touch()
""")
    invocation = threading.Thread(target=function.invoke, args=({}, "r"))
    invocation.start()
    while "begun" not in function.log.read_text():
        pass

    function.close()

    invocation.join()
    assert mark.exists()
