"""The gateway: who passes, and what is answered to what has nowhere to go."""

import pytest
import requests

from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_0, RELEASE_1_4, Release
from tests.unit.local_keptn.harness import Harness

OPEN = "/controlPlane/v1/event/triggered/sh.keptn.event.deployment.triggered"


def _as_stranger(
    harness: Harness, path: str = OPEN, token: str | None = "wrong", **options: object
) -> requests.Response:
    harness.http.headers.pop("x-token", None)
    headers = {"x-token": token} if token else {}
    return harness.call("GET", path, headers=headers, **options)


@pytest.mark.parametrize(
    ("release", "content_type"),
    [
        (RELEASE_0_16, "text/html"),
        (RELEASE_0_18, "text/html"),
        (RELEASE_1_0, "text/plain"),
        (RELEASE_1_4, "text/plain"),
    ],
)
def test_a_bad_token_is_refused_in_the_words_of_the_release(release: Release, content_type: str) -> None:
    answer = _as_stranger(Harness(release))
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith(content_type)


@pytest.mark.parametrize(("release", "status"), [(RELEASE_0_18, 500), (RELEASE_1_0, 500), (RELEASE_1_4, 429)])
def test_a_third_bad_token_within_a_second_meets_the_rate_limiter(release: Release, status: int) -> None:
    harness = Harness(release)
    assert [_as_stranger(harness).status_code for _ in range(3)] == [401, 401, status]
    harness.after(1)
    assert _as_stranger(harness).status_code == 401


def test_a_valid_token_is_never_limited() -> None:
    harness = Harness()
    assert {harness.get(OPEN).status_code for _ in range(20)} == {200}


def test_the_limiter_counts_by_the_address_that_the_client_claims() -> None:
    harness = Harness()
    for _ in range(3):
        _as_stranger(harness)
    harness.http.headers["x-token"] = "secret"
    assert harness.get(OPEN).status_code == 429
    harness.http.headers["X-Forwarded-For"] = "10.0.0.1"
    assert harness.get(OPEN).status_code == 200


@pytest.mark.parametrize(
    ("token", "message"),
    [("wrong", "incorrect api key auth"), (None, "unauthenticated for invalid credentials")],
)
def test_the_api_checks_the_token_itself_and_has_no_limit(token: str | None, message: str) -> None:
    harness = Harness()
    answers = [_as_stranger(harness, "/v1/metadata", token) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == {"code": 401, "message": message}


def test_getting_an_event_is_not_allowed_and_that_is_decided_before_auth() -> None:
    answer = _as_stranger(Harness(), "/v1/event")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["message"] == "method GET is not allowed, but [POST] are"


def test_a_body_that_is_not_json_looks_like_too_many_requests() -> None:
    answer = Harness().call("POST", "/controlPlane/v1/log", data="x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 429


def test_an_accept_header_without_json_looks_like_too_many_requests() -> None:
    harness = Harness()
    assert harness.call("GET", OPEN, headers={"Accept": "text/html"}).status_code == 429
    assert harness.call("GET", OPEN, headers={"Accept": "application/*;q=0.5"}).status_code == 200


def test_a_body_over_5_mib_is_refused_before_auth() -> None:
    harness = Harness()
    harness.http.headers.pop("x-token")
    answer = harness.call("POST", "/v1/event", data=b"x" * (5 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, "text/html")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/controlPlane/v1/log"),
        ("POST", "/mongodb-datastore/event"),
        ("GET", "/mongodb-datastore/health"),
        ("POST", "/resource-service/v1/project"),
        ("DELETE", "/resource-service/v1/project/podtato/stage/dev"),
        ("GET", "/resource-service/v1/project/podtato/service/hello/resource"),
    ],
)
def test_some_ways_in_are_closed(method: str, path: str) -> None:
    answer = Harness().call(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html")


def test_the_configuration_service_is_gone_since_0_19() -> None:
    path = "/configuration-service/v1/project/podtato/resource"
    assert Harness(RELEASE_0_18).get(path).status_code == 200
    answer = Harness().get(path)
    assert answer.status_code == 404
    assert answer.json()["message"] == f"path {path} was not found"


def test_the_resource_service_is_not_public_before_0_18() -> None:
    path = "/resource-service/v1/project/podtato/resource"
    assert Harness(RELEASE_0_18).get(path).status_code == 200
    assert Harness(RELEASE_0_16).get(path).status_code == 404


def test_a_trailing_slash_is_redirected_to_a_place_that_is_not_there() -> None:
    answer = Harness().call("GET", "/controlPlane/v1/project/?pageSize=2&a=b", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, "/v1/project?pageSize=2&a=b")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text == '<a href="/v1/project?pageSize=2&amp;a=b">Moved Permanently</a>.\n\n'


def test_a_trailing_slash_of_another_method_is_redirected_with_no_body() -> None:
    answer = Harness().call("POST", "/controlPlane/v1/log/", json={}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"], answer.text) == (307, "/v1/log", "")


@pytest.mark.parametrize(
    "path", ["/controlPlane/v1/nothing/", "/resource-service/v1/project/podtato/resource/"]
)
def test_a_trailing_slash_where_nothing_is_redirected_is_not_found(path: str) -> None:
    answer = Harness().call("GET", path, allow_redirects=False)
    assert (answer.status_code, answer.text) == (404, "404 page not found")


def test_doubled_slashes_are_merged() -> None:
    assert Harness().get("//v1//metadata").status_code == 200


def test_metadata_names_the_release() -> None:
    assert Harness(RELEASE_0_16).get("/v1/metadata").json()["keptnversion"] == "0.16.1"


def test_answers_are_dated_by_the_control_planes_clock() -> None:
    assert Harness().get("/v1/metadata").headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
