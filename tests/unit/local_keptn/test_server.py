"""The same control plane over real HTTP."""

import threading
from collections.abc import Iterator

import pytest
import requests

from local.keptn.faults import Delay, DropConnection, HandleThenDrop, HugeBody
from local.keptn.server import KeptnServer
from local.keptn.timing import Timing
from tests.unit.local_keptn.harness import SHIPYARD

TOKEN = {"x-token": "secret"}
DEPLOYMENT = "sh.keptn.event.deployment.triggered"


@pytest.fixture(scope="module")
def server() -> Iterator[KeptnServer]:
    with KeptnServer(token="secret") as running:
        running.keptn.create_project("podtato", SHIPYARD, ("hello",))
        yield running


@pytest.fixture
def http(server: KeptnServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["x-token"] = "secret"
        yield session
    server.faults.clear()


def test_a_sequence_runs_over_http(server: KeptnServer, http: requests.Session) -> None:
    server.keptn.trigger("podtato", "dev", "hello", "delivery")
    assert server.keptn.wait_for(lambda: bool(server.keptn.open_events(DEPLOYMENT)))
    (task,) = http.get(f"{server.url}/controlPlane/v1/event/triggered/{DEPLOYMENT}").json()["events"]
    for kind, outcome in (("started", {}), ("finished", {"result": "pass", "status": "succeeded"})):
        body = {
            "type": DEPLOYMENT.replace("triggered", kind),
            "source": "x",
            "shkeptncontext": task["shkeptncontext"],
            "triggeredid": task["id"],
            "data": {"project": "podtato", "stage": "dev", "service": "hello"} | outcome,
        }
        assert http.post(f"{server.url}/v1/event", json=body).status_code == 200
    assert server.keptn.wait_for(lambda: bool(server.keptn.open_events("sh.keptn.event.test.triggered")))
    assert server.keptn.counts(task["id"]) == (1, 1)


def test_double_encoding_survives_a_real_server(server: KeptnServer, http: requests.Session) -> None:
    server.keptn.add_resource("podtato", "job/config.yaml", "x", stage="dev")
    base = f"{server.url}/resource-service/v1/project/podtato/stage/dev/resource"
    assert http.get(f"{base}/job%252Fconfig.yaml").status_code == 200
    assert http.get(f"{base}/job%2Fconfig.yaml").text == "404 page not found"


@pytest.mark.parametrize("action", [DropConnection(), HandleThenDrop()])
def test_a_dropped_connection_is_no_answer_at_all(
    server: KeptnServer, http: requests.Session, action: DropConnection | HandleThenDrop
) -> None:
    server.faults.add(action, "/v1/metadata", times=1)
    with pytest.raises(requests.ConnectionError):
        http.get(f"{server.url}/v1/metadata")
    assert http.get(f"{server.url}/v1/metadata").status_code == 200


def test_connections_are_kept_alive_and_answers_dated_once(
    server: KeptnServer, http: requests.Session
) -> None:
    answers = [http.get(f"{server.url}/v1/metadata", stream=True) for _ in range(2)]
    assert answers[0].raw.headers.getlist("Date") == [answers[0].headers["Date"]]
    assert "close" not in answers[1].headers.get("Connection", "")


def test_a_client_can_leave_an_endless_body(server: KeptnServer, http: requests.Session) -> None:
    server.faults.add(HugeBody(), "/v1/metadata", times=1)
    with http.get(f"{server.url}/v1/metadata", stream=True) as answer:
        assert len(next(answer.iter_content(10_000))) > 0
    assert http.get(f"{server.url}/v1/metadata").status_code == 200


def test_closing_does_not_wait_for_a_delayed_answer() -> None:
    with KeptnServer(token="secret") as server:
        server.faults.add(Delay(3600), "/v1/metadata")
        waiting = threading.Thread(target=_swallow, args=(f"{server.url}/v1/metadata",))
        waiting.start()
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def _swallow(url: str) -> None:
    try:
        requests.get(url, headers=TOKEN, timeout=10)
    except requests.RequestException:
        return


def test_those_who_wait_in_line_for_a_repository_hold_up_nobody_else() -> None:
    with KeptnServer(token="secret", timing=Timing(resource_read=3600)) as server:
        server.keptn.create_project("podtato", SHIPYARD)
        url = f"{server.url}/resource-service/v1/project/podtato/resource"
        waiting = [threading.Thread(target=_swallow, args=(url,)) for _ in range(40)]
        for thread in waiting:
            thread.start()
        while server.keptn.lines.turns["podtato"] < 40:
            assert requests.get(f"{server.url}/v1/metadata", headers=TOKEN, timeout=10).status_code == 200
        assert requests.get(f"{server.url}/v1/metadata", headers=TOKEN, timeout=10).status_code == 200
    for thread in waiting:
        thread.join(timeout=10)
        assert not thread.is_alive()
