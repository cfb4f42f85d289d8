"""The real handlers, over real HTTP, with moto's AWS: the main job, and what a bad parameter says."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

import poller
import worker
from execution_plane import shared_clients
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.ledger.table import Ledger, LedgerUnavailable
from execution_plane.settings import InvalidSetting, variable
from local.aws import create_table
from local.keptn.faults import Delay
from local.keptn.resources import Place
from local.keptn.server import KeptnServer
from local.keptn.uniform import LogQuery
from runners.http import exchange
from tests.conftest import TEMPLATE
from tests.support.clock import START, SimulatedClock
from tests.support.http_target import LedNetwork
from tests.support.lambda_context import Context
from tests.support.listener import Listener, read_request
from tests.support.world import SAYHELLO, SHIPYARD, accepted

EVENTS = Path(__file__).parents[2] / "events"
TICK, TIMER = ((EVENTS / f"{name}.json").read_text() for name in ("tick", "timer"))
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.fixture
def server() -> Iterator[KeptnServer]:
    with KeptnServer() as listening:
        listening.keptn.create_project("podtato", SHIPYARD, ("head",))
        yield listening


class Queue:
    """Lambda's queue of asynchronous invocations."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, InvocationType) == ("worker", "Event")
        self.payloads.append(json.loads(Payload))
        return accepted()


@pytest.fixture
def queue(server: KeptnServer, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A deployed plane for APAC; gives its queue."""
    invocations = Queue()
    create_table(dynamodb, "ledger", TEMPLATE)
    secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString=server.token)["ARN"]
    for name, value in {
        "KeptnApiUrl": server.url,
        "KeptnApiTokenSecretArn": secret,
        "LedgerTableName": "ledger",
        "EventTypes": SAYHELLO,
        "MatchProperty": "$.data.sayhello.location",
        "MatchValue": "APAC",
        "PollIntervalSeconds": "0",
        "PollIntervalBusySeconds": "0",
        "WorkerFunctionName": "worker",
        "PlaneSource": "keptn-lambda-executor/1/eu-west-1/apac",
    }.items():
        monkeypatch.setenv(variable(name), value)
    monkeypatch.setattr(shared_clients, "_clients", {"lambda": invocations})
    poller.build.cache_clear()
    worker.build.cache_clear()
    yield invocations
    poller.build.cache_clear()
    worker.build.cache_clear()


def tick() -> dict[str, Any]:
    report: dict[str, Any] = poller.handler({}, Context())
    return report


def trigger(server: KeptnServer, location: str) -> str:
    keptn = server.keptn
    known = {event["id"] for event in keptn.open_events(SAYHELLO)}
    service = keptn.free_service("podtato", "dev", "head")
    keptn.trigger("podtato", "dev", service, "sequence1", {"sayhello": {"location": location}})
    assert keptn.wait_for(lambda: len(keptn.open_events(SAYHELLO)) > len(known))
    return next(str(event["id"]) for event in keptn.open_events(SAYHELLO) if event["id"] not in known)


def test_a_tick_and_an_invocation_say_hello(server: KeptnServer, queue: Queue, dynamodb: Any) -> None:
    ours, theirs = trigger(server, "APAC"), trigger(server, "EU")

    report = tick()
    (payload,) = queue.payloads
    answer = worker.handler(payload, Context())

    assert (report["cycles"], report["polls"], report["events_listed"], report["steps"]) == (1, 1, 2, 1)
    assert (report["events_left"], report["values_left"]) == (1, ["EU"])
    assert answer == {"event_id": ours, "what": "done: succeeded, pass"}
    assert server.keptn.wait_for(lambda: server.keptn.counts(ours) == (1, 1))
    assert server.keptn.counts(theirs) == (0, 0)
    kinds = [
        event["type"].partition("sayhello.")[2] for event in server.keptn.received if "triggeredid" in event
    ]
    assert kinds == ["started", "status.changed", "status.changed", "finished"]
    assert server.keptn.received[-1]["data"]["message"] == "Hello, world from APAC!"
    assert server.keptn.received[-1]["data"]["sayhello"] == {"greeted": "APAC"}
    assert Ledger(dynamodb, "ledger").get(theirs) is None


def test_what_no_job_config_handles_is_in_the_bridges_error_log(server: KeptnServer, queue: Queue) -> None:
    nobody = "apiVersion: v2\nactions: [{events: [{name: other}], tasks: [{function: other}]}]\n"
    server.keptn.add_resource("podtato", "job/config.yaml", nobody)
    task = trigger(server, "APAC")
    tick()

    worker.handler(queue.payloads[0], Context())

    (entry,) = server.keptn.uniform.logs(LogQuery())
    assert entry["message"].startswith(
        f"No action of job/config.yaml of project podtato handles a {SAYHELLO}: "
    )
    assert server.keptn.counts(task) == (0, 0)


CALL = """\
apiVersion: v2
actions:
  - events: [{name: sayhello}]
    tasks:
      - name: Tell
        http: {url: "http://localhost:PORT/$(WHERE)", body: "{}", headers: {X-Token: $(TOKEN)}}
        env:
          - {name: WHERE, value: $.data.sayhello.location, valueFrom: event}
          - {name: TOKEN, value: hooks/token, valueFrom: secretKey}
"""


def call(server: KeptnServer, queue: Queue, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> str:
    """The message of a task that calls the listener, whose host is allowed and is this machine."""
    boto3.client("secretsmanager").create_secret(Name="keptn/hooks", SecretString='{"token": "s3cr3t!"}')
    allowlists = json.dumps({"ALLOWED_HOSTS": f"localhost:{listener.port}"})
    boto3.client("ssm").put_parameter(Name="allowlists", Value=allowlists, Type="String")
    monkeypatch.setenv("ALLOWLISTS_PARAMETER", "allowlists")
    monkeypatch.setenv("SECRET_PREFIX", "keptn/")
    config = CALL.replace("PORT", str(listener.port)).encode()
    server.keptn.resources.write(Place("podtato", "dev", "head"), {"job/config.yaml": config})
    trigger(server, "APAC")
    tick()
    worker.handler(queue.payloads[0], Context())
    finished = [each for each in server.keptn.received if each["type"].endswith(".sayhello.finished")]
    return str(finished[0]["data"]["message"])


def test_a_task_that_is_a_call_is_finished_with_its_answer(
    server: KeptnServer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nheard of s3cr3t!")

    with Listener(answer) as listener:
        monkeypatch.setattr(exchange, "Network", lambda: LedNetwork(listener.port))
        message = call(server, queue, monkeypatch, listener)

    assert message == f"POST http://localhost:{listener.port}/APAC was answered with 200 OK:\nheard of ***"
    assert b"\r\nX-Token: s3cr3t!\r\n" in requests[0]


def test_a_task_can_not_call_the_worker_itself_by_a_name_that_is_allowed(
    server: KeptnServer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener(read_request) as listener:
        message = call(server, queue, monkeypatch, listener)

    assert re.search(
        r"localhost is at (127\.0\.0\.1|::1), which no task may call: it is this machine", message
    )
    assert listener.connections == 0


def test_a_doubled_invocation_does_nothing(server: KeptnServer, queue: Queue) -> None:
    trigger(server, "APAC")
    tick()
    worker.handler(queue.payloads[0], Context())
    received = len(server.keptn.received)

    assert worker.handler(queue.payloads[0], Context())["what"] == "nothing to do"
    assert len(server.keptn.received) == received


def test_an_idle_cycle_costs_one_list_one_heartbeat_and_one_query(
    server: KeptnServer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much was done before, and whatever else the plane could ask."""
    monkeypatch.setattr("control.plan.CLOSED_AFTER", 0.0)
    failures = boto3.client("sqs").create_queue(QueueName="failures")["QueueUrl"]
    monkeypatch.setenv("FAILURE_QUEUE_URL", failures)
    monkeypatch.setenv("REGISTRATION", "enabled")
    task = trigger(server, "APAC")
    tick()
    worker.handler(queue.payloads[0], Context())
    assert server.keptn.wait_for(lambda: server.keptn.counts(task) == (1, 1))
    tick()
    asked_of_aws: list[str] = []
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        asked_of_aws.append(operation)
        return make_call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    listing = server.faults.add(Delay(0), "/event/triggered/", "GET")
    heartbeat = server.faults.add(Delay(0), "/ping", "PUT")
    anything_else = server.faults.add(Delay(0))

    report = tick()

    assert (report["cycles"], report["runs_active"], report["events_listed"]) == (1, 0, 0)
    assert asked_of_aws == ["Query"]
    assert (listing.seen, heartbeat.seen, anything_else.seen) == (1, 1, 0)


@pytest.fixture
def timers(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a tick puts into the timers' queue: the function gives the batches that SQS was sent."""
    url = boto3.client("sqs").create_queue(QueueName="timers")["QueueUrl"]
    monkeypatch.setenv("TIMER_QUEUE_URL", url)
    monkeypatch.setenv("POLL_INTERVAL_SECONDS", "5")
    monkeypatch.setattr(shared_clients, "SystemClock", SimulatedClock)
    batches: list[Any] = []
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "SendMessageBatch":
            batches.append(parameters["Entries"])
        return make_call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    return batches


def test_a_tick_polls_once_and_sets_the_minutes_timers_by_two_calls(timers: list[Any]) -> None:
    report = poller.handler(json.loads(TICK), Context())

    assert report["cycles"] == 1
    assert [len(batch) for batch in timers] == [10, 1]
    entries = [entry for batch in timers for entry in batch]
    assert [entry["DelaySeconds"] for entry in entries] == [*range(5, 60, 5)]
    slots = [json.loads(entry["MessageBody"]) for entry in entries]
    assert [slot["due"] - START for slot in slots] == [*range(5, 60, 5)]
    assert [slot["ends"] - START for slot in slots] == [*range(10, 65, 5)]


def test_the_timers_of_the_sample_event_poll_once_and_set_none(timers: list[Any]) -> None:
    event = json.loads(TIMER)
    assert poller.handler(event, Context())["cycles"] == 1

    (record,) = event["Records"]
    record["body"] = json.dumps({"due": START - 10, "ends": START - 5})
    assert poller.handler(event, Context()) == {}, "it comes too late"
    assert timers == []


def test_an_idle_slot_logs_nothing(timers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    poller.handler(json.loads(TICK), Context())
    capsys.readouterr()

    poller.handler(json.loads(TIMER), Context())

    assert capsys.readouterr().out == ""


def test_lambdas_level_of_lines_is_not_the_planes() -> None:
    """Lambda has one where its own lines are off, and Powertools would go by it."""
    code = "import execution_plane.telemetry as t; print(t.logger.log_level)"
    environment = {**os.environ, "AWS_LAMBDA_LOG_LEVEL": "INFO", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)

    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert (said.stdout, said.stderr) == ("10\n", "")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("KeptnApiUrl", ""),
        ("KeptnApiUrl", "keptn.example.com/api"),
        ("EventTypes", ","),
        ("PollIntervalSeconds", "301"),
        ("MatchProperty", "$.data["),
        ("CaBundlePath", "/no/such/file"),
    ],
)
def test_a_wrong_parameter_fails_the_first_tick_with_one_sentence_that_names_it(
    queue: Queue,
    parameter: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable(parameter), value)

    with pytest.raises(InvalidSetting, match=parameter):
        tick()

    (line,) = caplog.records
    assert (line.levelname, line.message, vars(line)["kind"]) == ("ERROR", "slot failed", "InvalidSetting")
    assert vars(line)["reason"].startswith(parameter)


def test_a_wrong_parameter_fails_the_worker_as_well(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KEPTN_API_URL", "keptn.example.com/api")

    with pytest.raises(InvalidSetting, match="KeptnApiUrl"):
        worker.handler({"event_id": "event"}, Context())

    (line,) = caplog.records
    assert "KeptnApiUrl is 'keptn.example.com/api'" in vars(line)["reason"]


def test_an_image_allowlist_that_is_no_glob_fails_the_worker_at_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_IMAGES", "alpine,docker.io/[")

    with pytest.raises(InvalidSetting, match=r"AllowedImages: invalid image pattern 'docker\.io/\['"):
        worker.handler({"event_id": "event"}, Context())


@pytest.mark.parametrize("value", [{"SecretString": "  "}, {"SecretBinary": b"\x00"}])
def test_a_secret_without_a_token_fails_the_first_tick_and_is_named(
    queue: Queue, value: dict[str, Any]
) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="token", **value)

    with pytest.raises(SecretUnreadable, match="KeptnApiTokenSecretArn"):
        tick()


def test_a_secret_that_is_not_there_fails_the_first_tick_and_is_named(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPTN_API_TOKEN_SECRET_ARN", "nowhere")

    with pytest.raises(SecretUnreadable, match="KeptnApiTokenSecretArn"):
        tick()


def test_a_plane_without_its_table_fails_its_tick(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_TABLE_NAME", "nowhere")

    with pytest.raises(LedgerUnavailable):
        tick()


def test_a_failed_first_tick_does_not_spoil_the_next(
    server: KeptnServer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("KEPTN_API_TOKEN_SECRET_ARN", "")
        with pytest.raises(InvalidSetting):
            tick()

    assert tick()["polls_failed"] == 0
