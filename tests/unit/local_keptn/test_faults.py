"""What can go wrong on the way, in process and over HTTP."""

import pytest
import requests

from local.keptn.faults import (
    Answer,
    Delay,
    DropConnection,
    HandleThenDrop,
    HugeBody,
    LoseEvent,
    Redirect,
)
from tests.unit.local_keptn.harness import Harness

EVENT = {"type": "sh.keptn.event.test.started", "source": "x", "data": {}}


def _post(harness: Harness, **options: object) -> requests.Response:
    return harness.call("POST", "/v1/event", json=EVENT, **options)


def test_a_rule_applies_to_what_it_matches_and_so_many_times() -> None:
    harness = Harness()
    rule = harness.keptn.faults.add(Answer(503, "busy"), r"/v1/event$", "POST", skip=1, times=2)
    assert [_post(harness).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert harness.get("/v1/metadata").status_code == 200
    assert rule.seen == 4


def test_a_rule_may_look_at_the_body() -> None:
    harness = Harness()
    harness.keptn.faults.add(Answer(500), "/v1/event", body=r"\.finished")
    assert harness.send(**EVENT).status_code == 200
    assert harness.send(**EVENT | {"type": "sh.keptn.event.test.finished"}).status_code == 500


def test_a_dropped_connection_took_no_effect() -> None:
    harness = Harness()
    harness.keptn.faults.add(DropConnection(), "/v1/event")
    with pytest.raises(requests.ConnectionError):
        _post(harness)
    assert harness.keptn.received == []


def test_an_event_may_arrive_and_its_answer_not() -> None:
    harness = Harness()
    harness.keptn.faults.add(HandleThenDrop(), "/v1/event")
    with pytest.raises(requests.ConnectionError):
        _post(harness)
    assert len(harness.keptn.received) == 1


def test_an_event_may_be_lost_after_a_200() -> None:
    harness = Harness()
    harness.keptn.faults.add(LoseEvent(), "/v1/event")
    assert _post(harness).status_code == 200
    assert harness.keptn.received == []


def test_a_delay_passes_on_the_simulated_clock() -> None:
    harness = Harness()
    harness.keptn.faults.add(Delay(30), "/v1/event")
    before = harness.clock.now()
    assert _post(harness).status_code == 200
    assert harness.clock.now() == before + 30


def test_a_delay_over_the_read_timeout_is_a_read_timeout_of_a_request_that_was_handled() -> None:
    harness = Harness()
    harness.keptn.faults.add(Delay(30), "/v1/event")
    before = harness.clock.now()
    with pytest.raises(requests.ReadTimeout):
        _post(harness, timeout=(3, 10))
    assert harness.clock.now() == before + 10
    assert len(harness.keptn.received) == 1


def test_a_redirect_is_for_the_client_to_judge() -> None:
    harness = Harness()
    harness.keptn.faults.add(Redirect("https://elsewhere.example/api"), "/v1/event")
    answer = _post(harness, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example/api")


def test_a_body_may_never_end() -> None:
    harness = Harness()
    harness.keptn.faults.add(HugeBody(), "/v1/metadata")
    with harness.call("GET", "/v1/metadata", stream=True) as answer:
        chunks = answer.iter_content(1000)
        assert [len(next(chunks)) for _ in range(100)] == [1000] * 100


def test_a_body_may_be_just_too_big() -> None:
    harness = Harness()
    harness.keptn.faults.add(HugeBody(size=100_000), "/v1/metadata")
    assert len(harness.get("/v1/metadata").content) == 100_000


def test_html_with_a_200_is_an_answer_like_any_other() -> None:
    harness = Harness()
    harness.keptn.faults.add(Answer(200, "<html>login</html>"), "/controlPlane")
    answer = harness.get("/controlPlane/v1/project")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    harness.keptn.faults.clear()
    assert harness.get("/controlPlane/v1/project").headers["content-type"].startswith("application/json")
