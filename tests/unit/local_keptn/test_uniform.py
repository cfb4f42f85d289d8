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
    assert harness.get(f"{BASE}/{known}/subscription").json() == []


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
    assert Harness().call(method, BASE + path, json=body).status_code == status


def test_deleting_a_subscription_of_an_unknown_integration_leaves_junk() -> None:
    harness = Harness()
    harness.call("DELETE", f"{BASE}/nothing/subscription/x")
    assert [each["id"] for each in harness.get(BASE).json()] == ["nothing"]


def test_log_entries_come_back_newest_first_by_integration() -> None:
    harness = Harness()
    log = "/controlPlane/v1/log"
    for message in ("one", "two"):
        harness.call("POST", log, json={"logs": [{"integrationid": "i", "message": message}]})
        harness.after(1)
    harness.call("POST", log, json={"logs": [{"integrationid": "j", "message": "three"}]})
    answer = harness.get(log, integrationId="i").json()
    assert [entry["message"] for entry in answer["logs"]] == ["two", "one"]
    assert harness.get(log, fromTime="2023-11-14T22:13:20.500Z").json()["totalCount"] == 2


@pytest.mark.parametrize(
    ("body", "status"), [({"logs": []}, 500), ({"logs": [{"time": ""}]}, 400), ({"logs": ["x"]}, 400)]
)
def test_odd_log_requests_are_errors(body: dict[str, Any], status: int) -> None:
    assert Harness().call("POST", "/controlPlane/v1/log", json=body).status_code == status


def test_a_log_time_in_another_format_is_not_found() -> None:
    assert Harness().get("/controlPlane/v1/log", fromTime="2023-11-14T22:13:20Z").status_code == 404
