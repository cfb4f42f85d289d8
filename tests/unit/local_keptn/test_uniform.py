import json
from typing import Any

import pytest

from tests.unit.local_keptn.harness import Harness

BASE = "/controlPlane/v1/uniform/registration"


def _integration(**changes: Any) -> dict[str, Any]:
    return {
        "name": "executor",
        "metadata": {"hostname": "h", "location": "eu", "kubernetesmetadata": {"namespace": "n"}},
        "subscriptions": [{"event": "sh.keptn.event.test.triggered", "filter": {"projects": ["podtato"]}}],
    } | changes


def _register(harness: Harness, **changes: Any) -> str:
    return str(harness.call("POST", BASE, json=_integration(**changes)).json()["id"])


def test_registering_is_a_201_and_again_a_200_with_the_same_id() -> None:
    harness = Harness()
    first = harness.call("POST", BASE, json=_integration())
    second = harness.call("POST", BASE, json=_integration())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert len(first.json()["id"]) == 40


def test_another_hostname_keeps_the_id_and_the_subscriptions_it_had() -> None:
    harness = Harness()
    known = _register(harness)
    metadata = {"hostname": "other", "kubernetesmetadata": {"namespace": "n"}}
    assert _register(harness, metadata=metadata, subscriptions=[{"event": "new"}]) == known
    (subscription,) = harness.get(f"{BASE}/{known}/subscription").json()
    assert subscription["event"] == "sh.keptn.event.test.triggered"


def test_subscriptions_of_a_second_registration_have_no_ids() -> None:
    harness = Harness()
    known = _register(harness, subscriptions=[])
    _register(harness)
    assert [each["id"] for each in harness.get(f"{BASE}/{known}/subscription").json()] == [""]


def test_registering_without_name_and_namespace_merges_everything() -> None:
    harness = Harness()
    first = _register(harness)
    _register(harness, name="other", subscriptions=[{"event": "sh.keptn.event.other.triggered"}])
    assert harness.call("POST", BASE, json={}).json() == {"id": first}
    (left,) = harness.get(BASE).json()
    assert len(left["subscriptions"]) == 2


def test_a_first_registration_needs_a_hostname() -> None:
    metadata = {"kubernetesmetadata": {"namespace": "n"}}
    assert Harness().call("POST", BASE, json=_integration(metadata=metadata)).status_code == 400


def test_a_ping_answers_with_the_subscriptions_and_notes_the_heartbeat() -> None:
    harness = Harness()
    known = _register(harness)
    harness.after(60)
    answer = harness.call("PUT", f"{BASE}/{known}/ping").json()
    assert answer["subscriptions"][0]["filter"] == {"projects": ["podtato"], "stages": None, "services": None}
    assert answer["metadata"]["lastseen"] == "2023-11-14T22:14:20Z"


def test_an_integration_is_forgotten_after_48_hours_of_silence() -> None:
    harness = Harness()
    known = _register(harness)
    harness.after(48 * 3600)
    assert harness.call("PUT", f"{BASE}/{known}/ping").status_code == 200
    harness.after(48 * 3600 + 1)
    assert harness.call("PUT", f"{BASE}/{known}/ping").status_code == 404


def test_subscriptions_are_added_changed_and_deleted() -> None:
    harness = Harness()
    known = _register(harness, subscriptions=[])
    added = harness.call("POST", f"{BASE}/{known}/subscription", json={"event": "a"})
    path = f"{BASE}/{known}/subscription/{added.json()['id']}"
    assert added.status_code == 201
    assert harness.call("PUT", path, json={"event": "b"}).status_code == 201
    assert harness.get(path).json()["event"] == "b"
    assert harness.call("DELETE", path).status_code == 200
    assert harness.get(f"{BASE}/{known}/subscription").json() is None
    (left,) = harness.get(BASE).json()
    assert left["subscriptions"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/nothing/subscription", 404),
        ("PUT", "/nothing/subscription/x", 500),
        ("GET", "/nothing/subscription", 404),
        ("DELETE", "/nothing/subscription/x", 500),
        ("DELETE", "/nothing", 200),
        ("PUT", "/nothing/ping", 404),
    ],
)
def test_an_unknown_integration_is_answered_differently_by_every_route(
    method: str, path: str, status: int
) -> None:
    body = {"event": "a"} if "subscription" in path and method in ("POST", "PUT") else None
    answer = Harness().call(method, BASE + path, json=body)
    assert answer.status_code == status
    if "subscription" in path:
        assert answer.json() == {"code": status, "message": "mongo: no documents in result"}


def test_an_unknown_subscription_is_no_document_to_the_database() -> None:
    harness = Harness()
    for integration in (_register(harness), "nothing"):
        answer = harness.get(f"{BASE}/{integration}/subscription/x")
        assert answer.status_code == 404
        assert answer.json() == {"code": 404, "message": "mongo: no documents in result"}


def test_deleting_a_subscription_of_an_unknown_integration_leaves_junk() -> None:
    harness = Harness()
    harness.call("DELETE", f"{BASE}/nothing/subscription/x")
    (junk,) = harness.get(BASE).json()
    assert (junk["id"], junk["name"], junk["subscriptions"]) == ("nothing", "", None)
    assert harness.get(f"{BASE}/nothing/subscription").json() is None
    assert harness.call("DELETE", f"{BASE}/nothing/subscription/x").json() == {}
    assert harness.call("POST", f"{BASE}/nothing/subscription", json={"event": "a"}).status_code == 201
    assert [each["event"] for each in harness.get(f"{BASE}/nothing/subscription").json()] == ["a"]
    assert _register(harness, name="", metadata={}) == "nothing"


def test_log_entries_come_back_newest_first_by_integration() -> None:
    harness = Harness()
    log = "/controlPlane/v1/log"
    for message in ("one", "two"):
        harness.call("POST", log, json={"logs": [{"integrationid": "i", "message": message}]})
        harness.after(1)
    harness.call("POST", log, json={"logs": [{"integrationid": "j", "message": "three"}]})
    answer = harness.get(log, integrationId="i").json()
    assert [entry["message"] for entry in answer["logs"]] == ["two", "one"]
    assert set(answer) == {"logs", "totalCount"}
    assert harness.get(log, fromTime="2023-11-14T22:13:20.500Z").json()["totalCount"] == 2


def test_log_entries_are_paged_without_saying_how_many_a_page_has() -> None:
    harness = Harness()
    entries = [{"integrationid": "i", "message": message} for message in ("one", "two", "three")]
    harness.call("POST", "/controlPlane/v1/log", json={"logs": entries})
    first = harness.get("/controlPlane/v1/log", pageSize=2).json()
    assert (len(first["logs"]), first["nextPageKey"], first["totalCount"]) == (2, 2, 3)
    last = harness.get("/controlPlane/v1/log", pageSize=2, nextPageKey=2).json()
    assert (len(last["logs"]), set(last)) == (1, {"logs", "totalCount"})


def test_a_log_entry_that_is_null_is_taken() -> None:
    harness = Harness()
    assert harness.call("POST", "/controlPlane/v1/log", json={"logs": [None]}).json() == {}
    (entry,) = harness.get("/controlPlane/v1/log").json()["logs"]
    assert entry == {
        "integrationid": "",
        "message": "",
        "time": "2023-11-14T22:13:20.000Z",
        "shkeptncontext": "",
        "task": "",
        "triggeredid": "",
        "gitcommitid": "",
    }


ENTRY = "CreateLogsRequest.logs of type models.LogEntry"
MESSAGE = "LogEntry.logs.message of type string"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"logs": []}, 500, "must provide at least one element in input slice"),
        ({"logs": None}, 500, "must provide at least one element in input slice"),
        (None, 500, "must provide at least one element in input slice"),
        ({"logs": [{"time": ""}]}, 400, 'parsing time "\\"\\"" as "2006-01-02T15:04:05Z07:00"'),
        ({"logs": ["x"]}, 400, f"json: cannot unmarshal string into Go struct field {ENTRY}"),
        ({"logs": [{"message": 1}]}, 400, f"json: cannot unmarshal number into Go struct field {MESSAGE}"),
        ([], 400, "json: cannot unmarshal array into Go value of type models.CreateLogsRequest"),
    ],
)
def test_odd_log_requests_are_errors(body: Any, status: int, message: str) -> None:
    harness = Harness()
    headers = {"Content-Type": "application/json"}
    answer = harness.call("POST", "/controlPlane/v1/log", data=json.dumps(body), headers=headers)
    assert answer.json() == {"code": status, "message": message}
    assert answer.status_code == status
    assert harness.get("/controlPlane/v1/log").json() == {"logs": []}


def test_a_log_time_in_another_format_is_not_found() -> None:
    assert Harness().get("/controlPlane/v1/log", fromTime="2023-11-14T22:13:20Z").status_code == 404
