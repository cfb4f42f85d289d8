from typing import Any

import pytest

from tests.unit.local_keptn.rig import Rig

BASE = "/controlPlane/v1/uniform/registration"


def _integration(**changes: Any) -> dict[str, Any]:
    return {
        "name": "executor",
        "metadata": {"hostname": "h", "location": "eu", "kubernetesmetadata": {"namespace": "n"}},
        "subscriptions": [{"event": "sh.keptn.event.test.triggered", "filter": {"projects": ["podtato"]}}],
    } | changes


def _register(rig: Rig, **changes: Any) -> str:
    return str(rig.call("POST", BASE, json=_integration(**changes)).json()["id"])


def test_registering_is_a_201_and_again_a_200_with_the_same_id() -> None:
    rig = Rig()
    first = rig.call("POST", BASE, json=_integration())
    second = rig.call("POST", BASE, json=_integration())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert len(first.json()["id"]) == 40


def test_another_hostname_keeps_the_id_and_the_subscriptions_it_had() -> None:
    rig = Rig()
    known = _register(rig)
    metadata = {"hostname": "other", "kubernetesmetadata": {"namespace": "n"}}
    assert _register(rig, metadata=metadata, subscriptions=[{"event": "new"}]) == known
    (subscription,) = rig.get(f"{BASE}/{known}/subscription").json()
    assert subscription["event"] == "sh.keptn.event.test.triggered"


def test_subscriptions_of_a_second_registration_have_no_ids() -> None:
    rig = Rig()
    known = _register(rig, subscriptions=[])
    _register(rig)
    assert [each["id"] for each in rig.get(f"{BASE}/{known}/subscription").json()] == [""]


def test_registering_without_name_and_namespace_merges_everything() -> None:
    rig = Rig()
    first = _register(rig)
    _register(rig, name="other", subscriptions=[{"event": "sh.keptn.event.other.triggered"}])
    assert rig.call("POST", BASE, json={}).json() == {"id": first}
    (left,) = rig.get(BASE).json()
    assert len(left["subscriptions"]) == 2


def test_a_first_registration_needs_a_hostname() -> None:
    metadata = {"kubernetesmetadata": {"namespace": "n"}}
    assert Rig().call("POST", BASE, json=_integration(metadata=metadata)).status_code == 400


def test_a_ping_answers_with_the_subscriptions_and_notes_the_heartbeat() -> None:
    rig = Rig()
    known = _register(rig)
    rig.after(60)
    answer = rig.call("PUT", f"{BASE}/{known}/ping").json()
    assert answer["subscriptions"][0]["filter"] == {"projects": ["podtato"], "stages": None, "services": None}
    assert answer["metadata"]["lastseen"] == "2023-11-14T22:14:20Z"


def test_an_integration_is_forgotten_after_48_hours_of_silence() -> None:
    rig = Rig()
    known = _register(rig)
    rig.after(48 * 3600)
    assert rig.call("PUT", f"{BASE}/{known}/ping").status_code == 200
    rig.after(48 * 3600 + 1)
    assert rig.call("PUT", f"{BASE}/{known}/ping").status_code == 404


def test_subscriptions_are_added_changed_and_deleted() -> None:
    rig = Rig()
    known = _register(rig, subscriptions=[])
    added = rig.call("POST", f"{BASE}/{known}/subscription", json={"event": "a"})
    path = f"{BASE}/{known}/subscription/{added.json()['id']}"
    assert added.status_code == 201
    assert rig.call("PUT", path, json={"event": "b"}).status_code == 201
    assert rig.get(path).json()["event"] == "b"
    assert rig.call("DELETE", path).status_code == 200
    assert rig.get(f"{BASE}/{known}/subscription").json() == []


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
    assert Rig().call(method, BASE + path, json=body).status_code == status


def test_deleting_a_subscription_of_an_unknown_integration_leaves_junk() -> None:
    rig = Rig()
    rig.call("DELETE", f"{BASE}/nothing/subscription/x")
    assert [each["id"] for each in rig.get(BASE).json()] == ["nothing"]


def test_log_entries_come_back_newest_first_by_integration() -> None:
    rig = Rig()
    log = "/controlPlane/v1/log"
    for message in ("one", "two"):
        rig.call("POST", log, json={"logs": [{"integrationid": "i", "message": message}]})
        rig.after(1)
    rig.call("POST", log, json={"logs": [{"integrationid": "j", "message": "three"}]})
    answer = rig.get(log, integrationId="i").json()
    assert [entry["message"] for entry in answer["logs"]] == ["two", "one"]
    assert rig.get(log, fromTime="2023-11-14T22:13:20.500Z").json()["totalCount"] == 2


@pytest.mark.parametrize(
    ("body", "status"), [({"logs": []}, 500), ({"logs": [{"time": ""}]}, 400), ({"logs": ["x"]}, 400)]
)
def test_odd_log_requests_are_errors(body: dict[str, Any], status: int) -> None:
    assert Rig().call("POST", "/controlPlane/v1/log", json=body).status_code == status


def test_a_log_time_in_another_format_is_not_found() -> None:
    assert Rig().get("/controlPlane/v1/log", fromTime="2023-11-14T22:13:20Z").status_code == 404
