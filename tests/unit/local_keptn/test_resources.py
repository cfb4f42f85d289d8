import base64

import pytest

from local.keptn.release import RELEASE_0_18, RELEASE_1_4, Release
from local.keptn.resources import NO_CREDENTIALS, NO_UPSTREAM, Place
from tests.unit.local_keptn.harness import SHIPYARD, Harness

STAGE = "/resource-service/v1/project/podtato/stage/dev"


def test_a_nested_resource_is_found_only_if_its_uri_is_encoded_twice() -> None:
    harness = Harness()
    harness.keptn.add_resource("podtato", "job/config.yaml", "actions", stage="dev")
    found = harness.get(f"{STAGE}/resource/job%252Fconfig.yaml")
    assert base64.b64decode(found.json()["resourceContent"]) == b"actions"
    assert found.json()["resourceURI"] == "job%2Fconfig.yaml"
    lost = harness.get(f"{STAGE}/resource/job%2Fconfig.yaml")
    assert (lost.status_code, lost.text) == (404, "404 page not found")


@pytest.mark.parametrize(("uri", "status"), [("a%252Bb", 200), ("a%2Bb", 404), ("a+b", 404), ("c%20d", 200)])
def test_a_plus_means_a_space_unless_it_is_encoded_twice(uri: str, status: int) -> None:
    harness = Harness()
    for name in ("a+b", "c d"):
        harness.keptn.add_resource("podtato", name, "x", stage="dev")
    assert harness.get(f"{STAGE}/resource/{uri}").status_code == status


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/resource-service/v1/project/nothing/resource/a", NO_CREDENTIALS),
        ("/resource-service/v1/project/nothing/resource", NO_CREDENTIALS),
        ("/resource-service/v1/project/podtato/stage/nothing/resource/a", "Stage not found"),
        (f"{STAGE}/service/nothing/resource/a", "Service not found"),
        (f"{STAGE}/service/hello/resource/a", "Resource not found"),
    ],
)
def test_what_is_not_there_is_named(path: str, message: str) -> None:
    answer = Harness().get(path)
    assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": message})


@pytest.mark.parametrize("message", [NO_CREDENTIALS, NO_UPSTREAM])
@pytest.mark.parametrize("path", [f"{STAGE}/resource/a", f"{STAGE}/resource"])
def test_a_repository_that_is_out_of_reach_is_a_404_that_says_so(path: str, message: str) -> None:
    harness = Harness()
    harness.keptn.add_resource("podtato", "a", "x", stage="dev")
    harness.keptn.resources.lose_upstream("podtato", message)
    answer = harness.get(path)
    assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": message})
    harness.keptn.resources.find_upstream("podtato")
    assert harness.get(path).status_code == 200


@pytest.mark.parametrize(("uri", "status"), [("a..b", 400), ("~a", 400), ("hello", 500)])
def test_odd_uris_and_directories_are_errors(uri: str, status: int) -> None:
    assert Harness().get(f"{STAGE}/resource/{uri}").status_code == status


def test_a_resource_can_be_read_as_it_was_at_a_commit() -> None:
    harness = Harness()
    old = harness.keptn.add_resource("podtato", "a", "old", stage="dev")
    new = harness.keptn.add_resource("podtato", "a", "new", stage="dev")
    then = harness.get(f"{STAGE}/resource/a", gitCommitID=old).json()
    now = harness.get(f"{STAGE}/resource/a", gitCommitID='""').json()
    assert (base64.b64decode(then["resourceContent"]), then["metadata"]["version"]) == (b"old", old)
    assert (base64.b64decode(now["resourceContent"]), now["metadata"]["version"]) == (b"new", new)
    assert len(old) == 40


def test_an_unknown_commit_is_a_server_error_and_a_file_not_yet_in_it_is_not_found() -> None:
    harness = Harness()
    before = harness.keptn.resources.head("podtato", "dev")
    harness.keptn.add_resource("podtato", "a", "x", stage="dev")
    assert harness.get(f"{STAGE}/resource/a", gitCommitID="0" * 40).status_code == 500
    assert harness.get(f"{STAGE}/resource/a", gitCommitID=before).status_code == 404


@pytest.mark.parametrize("revision", ["dev", "HEAD", "{head:.8}"])
def test_any_revision_is_a_commit_and_is_given_back_as_it_was_asked_for(revision: str) -> None:
    harness = Harness()
    harness.keptn.add_resource("podtato", "a", "new", stage="dev")
    revision = revision.format(head=harness.keptn.resources.head("podtato", "dev"))
    found = harness.get(f"{STAGE}/resource/a", gitCommitID=revision).json()
    assert (base64.b64decode(found["resourceContent"]), found["metadata"]["version"]) == (b"new", revision)


@pytest.mark.parametrize("revision", ["nothing", "0" * 40, "a"])
def test_what_is_no_revision_is_a_server_error(revision: str) -> None:
    assert Harness().get(f"{STAGE}/resource/metadata.yaml", gitCommitID=revision).status_code == 500


def test_a_directory_is_not_found_at_a_commit() -> None:
    harness = Harness()
    commit = harness.keptn.resources.head("podtato", "dev")
    assert harness.get(f"{STAGE}/resource/hello", gitCommitID=commit).status_code == 404
    assert harness.get(f"{STAGE}/resource/hello").status_code == 500


@pytest.mark.parametrize("path", ["/resource", "/resource/metadata.yaml"])
def test_nobody_can_ask_for_the_head_of_an_answer(path: str) -> None:
    answer = Harness().call("HEAD", f"{STAGE}{path}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/plain")


def test_each_file_of_a_list_bears_the_commit_that_the_stages_events_have() -> None:
    harness = Harness()
    harness.trigger()
    listed = harness.get(f"{STAGE}/resource").json()["resources"]
    assert {each["metadata"]["version"] for each in listed} == {harness.task("deployment")["gitcommitid"]}


def test_a_list_hides_all_of_a_project_with_git_in_its_name() -> None:
    harness = Harness()
    harness.keptn.create_project("my.github", SHIPYARD, ("hello",))
    answer = harness.get("/resource-service/v1/project/my.github/stage/dev/resource").json()
    assert (answer["resources"], answer.get("totalCount")) == ([], None)


def test_stages_may_be_directories_of_one_branch() -> None:
    harness = Harness()
    harness.keptn.resources.has_stage_directories = True
    harness.keptn.create_project("flat", SHIPYARD, ("hello",))
    commit = harness.keptn.add_resource("flat", "job/config.yaml", "x", "dev", "hello")
    flat = "/resource-service/v1/project/flat"
    listed = harness.get(f"{flat}/stage/dev/resource").json()["resources"]
    assert [each["resourceURI"] for each in listed] == [
        "/hello/job/config.yaml",
        "/hello/metadata.yaml",
        "/metadata.yaml",
    ]
    assert {each["metadata"]["version"] for each in listed} == {commit}
    assert harness.keptn.resources.head("flat", "prod") == harness.keptn.resources.head("flat") == commit
    own = harness.get(f"{flat}/resource").json()["resources"]
    assert [each["resourceURI"] for each in own] == ["/metadata.yaml", "/shipyard.yaml"]
    for place, message in (("none", "Stage not found"), ("dev/service/none", "Service not found")):
        assert harness.get(f"{flat}/stage/{place}/resource").json()["message"] == message
    harness.keptn.delete_service("flat", "hello")
    assert harness.get(f"{flat}/stage/dev/resource").json()["totalCount"] == 1


def test_a_list_has_leading_slashes_services_and_no_git_files_and_ignores_the_commit() -> None:
    harness = Harness()
    for uri in ("helm/chart.yaml", ".gitignore", "a"):
        harness.keptn.add_resource("podtato", uri, "x", stage="dev")
    answer = harness.get(f"{STAGE}/resource", gitCommitID="0" * 40).json()
    uris = [resource["resourceURI"] for resource in answer["resources"]]
    assert uris == ["/a", "/hello/metadata.yaml", "/helm/chart.yaml", "/metadata.yaml"]
    assert (answer["nextPageKey"], answer["totalCount"]) == ("0", 4)


def test_lists_of_resources_are_paged_properly() -> None:
    harness = Harness()
    for number in range(5):
        harness.keptn.add_resource("podtato", f"{number}", "x", stage="dev", service="hello")
    path = f"{STAGE}/service/hello/resource"
    first = harness.get(path, pageSize=4).json()
    rest = harness.get(path, pageSize=4, nextPageKey=first["nextPageKey"]).json()
    uris = [resource["resourceURI"] for page in (first, rest) for resource in page["resources"]]
    assert uris == ["/0", "/1", "/2", "/3", "/4", "/metadata.yaml"]
    assert rest["nextPageKey"] == "0"
    assert harness.get(path, pageSize="x").status_code == 400


def test_resources_are_uploaded_in_base64() -> None:
    harness = Harness()
    content = base64.b64encode(b"x").decode()
    path = f"{STAGE}/service/hello/resource"
    added = harness.call(
        "POST", path, json={"resources": [{"resourceURI": "a/b", "resourceContent": content}]}
    )
    assert added.status_code == 201
    assert harness.keptn.resources.read(Place("podtato", "dev", "hello"), "a%2Fb") == (
        b"x",
        added.json()["commitID"],
    )
    refused = harness.call("PUT", f"{path}/a", json={"resourceContent": "not base64!"})
    assert refused.status_code == 400


@pytest.mark.parametrize("release", [RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version)
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"resources": [{"resourceURI": "b", "resourceContent": "eA=="}]}, 201),
        ("PUT", "", {"resources": [{"resourceURI": "b", "resourceContent": "eA=="}]}, 200),
        ("PUT", "/a", {"resourceContent": "eA=="}, 200),
        ("DELETE", "/a", None, 200),
    ],
)
def test_a_write_answers_with_where_it_went_and_its_commit(
    release: Release, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    harness = Harness(release)
    harness.keptn.add_resource("podtato", "a", "x", stage="dev")
    answer = harness.call(method, f"{STAGE}/resource{path}", json=body)
    commit = harness.keptn.resources.head("podtato", "dev")
    upstream = harness.keptn.project("podtato").upstream_url
    assert answer.status_code == status
    assert answer.json() == {"commitID": commit, "metadata": {"upstreamURL": upstream, "version": commit}}


def test_putting_a_uri_that_is_encoded_twice_changes_what_a_get_of_it_gives() -> None:
    harness = Harness()
    harness.keptn.add_resource("podtato", "job/config.yaml", "old", stage="dev")
    path = f"{STAGE}/resource/job%252Fconfig.yaml"
    content = base64.b64encode(b"new").decode()
    assert harness.call("PUT", path, json={"resourceContent": content}).status_code == 200
    assert harness.get(path).json()["resourceContent"] == content
    listed = [resource["resourceURI"] for resource in harness.get(f"{STAGE}/resource").json()["resources"]]
    assert listed == ["/hello/metadata.yaml", "/job/config.yaml", "/metadata.yaml"]


def test_the_shipyard_lies_in_the_project_and_not_in_its_stages() -> None:
    harness = Harness()
    assert harness.get("/resource-service/v1/project/podtato/resource/shipyard.yaml").status_code == 200
    assert harness.get(f"{STAGE}/resource/shipyard.yaml").status_code == 404
