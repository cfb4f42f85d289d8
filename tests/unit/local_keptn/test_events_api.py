"""`POST /v1/event`: what is checked, what is rewritten, what a 200 means."""

import uuid
from typing import Any

import pytest

from local.keptn.release import RELEASE_0_18, RELEASE_1_4, Release
from tests.unit.local_keptn.harness import Harness

CONTEXT = "0b0c7e0e-2a53-4a9f-8a3c-6f1f3c5f8f00"
EVENT = {"type": "sh.keptn.event.test.started", "source": "executor", "data": {"project": "podtato"}}


def test_the_id_and_time_of_an_event_are_replaced() -> None:
    harness = Harness()
    answer = harness.send(**EVENT, id="mine", time="2001-01-01T00:00:00Z", shkeptncontext=CONTEXT)
    (event,) = harness.keptn.received
    assert answer.json() == {"keptnContext": CONTEXT}
    assert event["id"] != "mine"
    assert event["time"] == "2023-11-14T22:13:20Z"


def test_only_what_keptns_model_knows_is_kept() -> None:
    harness = Harness()
    sent = {
        "triggeredid": "t",
        "gitcommitid": "c",
        "datacontenttype": "x",
        "shkeptnspecversion": "0.2.4",
        "subject": "s",
    }
    harness.send(**EVENT, **sent)
    (event,) = harness.keptn.received
    assert (event["triggeredid"], event["gitcommitid"]) == ("t", "c")
    assert {"datacontenttype", "shkeptnspecversion", "subject"}.isdisjoint(event)
    assert event["contenttype"] == "application/json"


def test_a_context_that_is_no_uuid_becomes_one_made_of_its_first_16_bytes() -> None:
    harness = Harness()
    contexts = [
        harness.send(**EVENT, shkeptncontext=given).json()["keptnContext"]
        for given in ("my-own-context-1", "my-own-context-1 and more", "short")
    ]
    assert contexts[0] == contexts[1] != contexts[2]
    assert uuid.UUID(contexts[2]).version == 4


@pytest.mark.parametrize("missing", ["data", "source", "type"])
def test_a_missing_attribute_is_refused_with_a_code_of_its_own(missing: str) -> None:
    event = {key: value for key, value in EVENT.items() if key != missing}
    answer = Harness().call("POST", "/v1/event", json=event)
    assert answer.status_code == 422
    assert answer.json() == {"code": 602, "message": f"{missing} in body is required"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"data": {"a": NaN}}', "application/json", 400),
        (b'{"data": {"a": -Infinity}}', "application/json", 400),
        (b'{"time": "yesterday"}', "application/json", 400),
        (b'{"type": 1}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/cloudevents+json", 422),
        (b"", "application/json", 502),
        (b'"' + b"x" * 1024 * 1024 + b'"', "application/json", 500),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(body: bytes, content_type: str, status: int) -> None:
    answer = Harness().call("POST", "/v1/event", data=body, headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_null_lacks_whatever_is_required() -> None:
    answer = Harness().call("POST", "/v1/event", data=b"null", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"code": 602, "message": "data in body is required"})


@pytest.mark.parametrize("release", [RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version)
def test_an_empty_type_is_an_error_of_the_server(release: Release) -> None:
    harness = Harness(release)
    answer = harness.send(**EVENT | {"type": ""})
    assert answer.status_code == 500
    assert answer.json() == {"code": 500, "message": "event is missing the event type"}
    assert harness.keptn.received == []


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("application/x-yaml", "application/x-yaml"),
        (None, "application/octet-stream"),
    ],
)
def test_another_content_type_is_refused_with_those_that_are_allowed(
    content_type: str | None, shown: str
) -> None:
    answer = Harness().call("POST", "/v1/event", data=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 415
    allowed = "[application/json application/cloudevents+json]"
    assert answer.json()["message"] == f'unsupported media type "{shown}", only {allowed} are allowed'


SCOPE = {"project": "podtato", "stage": "dev", "service": "hello"}


@pytest.mark.parametrize(
    ("event_type", "data", "status"),
    [
        ("sh.keptn.event.test.started", SCOPE, 200),
        ("sh.keptn.event.test.started", {"project": "podtato"}, 400),
        ("sh.keptn.event.test.finished", SCOPE, 400),
        ("sh.keptn.event.test.finished", SCOPE | {"result": "odd", "status": "odd"}, 200),
        ("sh.keptn.event.test.triggered", SCOPE, 400),
        ("sh.keptn.event.test.status.changed", SCOPE, 400),
        ("sh.keptn.event.dev.delivery.triggered", SCOPE, 200),
        ("sh.keptn.event.prod.delivery.triggered", SCOPE, 400),
        ("sh.keptn.event.monitoring.configure", {"project": "podtato", "type": "x"}, 200),
        ("sh.keptn.log.error", {}, 200),
        ("sh.keptn.odd", SCOPE, 400),
    ],
)
def test_validation_goes_by_the_number_of_dots(event_type: str, data: dict[str, Any], status: int) -> None:
    event = {"type": event_type, "source": "executor", "triggeredid": "t", "data": data}
    assert Harness(validate_events=True).send(**event).status_code == status
    assert Harness().send(**event).status_code == 200


def test_validation_wants_a_triggered_id() -> None:
    answer = Harness(validate_events=True).send(type="sh.keptn.event.test.started", source="x", data=SCOPE)
    assert answer.status_code == 400


def test_validation_came_with_0_19() -> None:
    assert Harness(RELEASE_0_18, validate_events=True).send(**EVENT).status_code == 200
