"""The shipyard controller over HTTP: open events, sequence states, executions, control, projects."""

import base64
import json

import pytest

from local.keptn.release import RELEASE_0_16, RELEASE_0_18
from tests.unit.local_keptn.harness import SHIPYARD, Harness

OPEN = "/controlPlane/v1/event/triggered/sh.keptn.event.deployment.triggered"


def _with_open(count: int) -> Harness:
    harness = Harness()
    for number in range(count):
        harness.trigger(service=f"hello-{number}")
        harness.after(1)
    return harness


def test_an_empty_open_list_has_a_next_key_and_no_total() -> None:
    assert Harness().get(OPEN).json() == {"events": [], "nextPageKey": "0"}


def test_later_pages_repeat_the_first_events() -> None:
    harness = _with_open(25)
    first = harness.get(OPEN).json()
    second = harness.get(OPEN, nextPageKey=first["nextPageKey"]).json()
    assert (first["nextPageKey"], first["totalCount"], len(first["events"])) == ("20", 25, 20)
    assert second["nextPageKey"] == "0"
    assert second["events"] == first["events"][:5]


def test_one_big_page_holds_everything_newest_first() -> None:
    answer = _with_open(25).get(OPEN, pageSize=1000).json()
    times = [event["time"] for event in answer["events"]]
    assert len(times) == 25
    assert times == sorted(times, reverse=True)


def test_the_open_list_is_filtered_by_id_project_stage_and_service() -> None:
    harness = _with_open(2)
    (event, _) = harness.open("deployment")
    assert harness.get(OPEN, project="podtato", eventID=event["id"]).json()["events"] == [event]
    assert harness.get(OPEN, stage="prod").json()["events"] == []
    assert harness.get(OPEN, stage="dev").json()["totalCount"] == 2
    assert harness.get(OPEN, service="hello-1", stage="dev").json()["totalCount"] == 1


def test_an_unknown_project_is_not_found() -> None:
    answer = Harness().get(OPEN, project="nothing")
    assert answer.status_code == 404
    assert answer.json() == {"code": 404, "message": "project not found"}


def test_a_page_size_that_is_no_number_answers_with_two_documents() -> None:
    answer = Harness().get(OPEN, pageSize="many")
    assert answer.status_code == 400
    assert answer.text.endswith('}{"events":[],"nextPageKey":"0"}')


def test_what_is_asked_for_besides_a_page_size_that_is_no_number_does_not_count() -> None:
    harness = _with_open(2)
    answer = harness.get(OPEN, pageSize="abc", project="nothing", stage="nowhere")
    error, listing = answer.text.split("}", 1)
    message = 'Invalid request format: strconv.ParseInt: parsing "abc": invalid syntax'
    assert json.loads(error + "}") == {"code": 400, "message": message}
    assert json.loads(listing)["totalCount"] == 2


LISTS = [
    OPEN,
    "/controlPlane/v1/project",
    "/controlPlane/v1/project/podtato/stage",
    "/controlPlane/v1/project/podtato/stage/dev/service",
    "/resource-service/v1/project/podtato/resource",
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "paging", [{"pageSize": -1}, {"nextPageKey": -1}, {"nextPageKey": 1, "pageSize": -3}]
)
def test_a_page_before_the_first_one_is_a_bare_server_error(path: str, paging: dict[str, int]) -> None:
    harness = _with_open(2)
    harness.keptn.create_service("podtato", "second")
    harness.keptn.create_project("sockshop", SHIPYARD)
    answer = harness.get(path, **paging)
    assert (answer.status_code, answer.text) == (500, "")


def test_a_page_of_a_negative_size_of_nothing_names_the_one_before_it() -> None:
    assert Harness().get(OPEN, pageSize=-1).json() == {"events": [], "nextPageKey": "-1"}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("sequence/podtato", 500, "Unable to query sequence state repository: "),
        ("sequence-execution?project=podtato", 500, "Unable to query sequence execution repository: "),
        ("log", 404, "Unable to retrieve logs: "),
    ],
)
def test_an_offset_below_0_is_the_databases_error(path: str, status: int, message: str) -> None:
    answer = _with_open(1).get(f"/controlPlane/v1/{path}", nextPageKey=-1)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)


def test_executions_and_states_in_pages_of_a_negative_size_come_all_at_once() -> None:
    harness = _with_open(3)
    executions = harness.get("/controlPlane/v1/sequence-execution", project="podtato", pageSize=-1).json()
    assert len(executions["sequenceExecutions"]) == executions["pageSize"] == executions["totalCount"] == 3
    assert "nextPageKey" not in executions
    one = harness.get(
        "/controlPlane/v1/sequence-execution", project="podtato", service="hello-1", pageSize=-1
    )
    assert one.json()["pageSize"] == 1
    states = harness.get("/controlPlane/v1/sequence/podtato", pageSize=-1).json()
    assert (len(states["states"]), states["totalCount"], set(states)) == (3, 3, {"states", "totalCount"})


def test_a_sequence_event_is_listed_too() -> None:
    harness = _with_open(1)
    answer = harness.get("/controlPlane/v1/event/triggered/sh.keptn.event.dev.delivery.triggered")
    assert answer.json()["totalCount"] == 1


def test_an_event_context_in_the_data_is_nulled() -> None:
    harness = Harness()
    harness.trigger(data={"eventContext": "mine", "deep": [{"eventContext": 1}]})
    data = harness.get(OPEN).json()["events"][0]["data"]
    assert (data["eventContext"], data["deep"]) == (None, [{"eventContext": None}])


def test_sequence_states_can_be_asked_for_by_several_contexts() -> None:
    harness = Harness()
    contexts = [harness.trigger() for _ in range(3)]
    answer = harness.get("/controlPlane/v1/sequence/podtato", keptnContext=",".join(contexts[:2])).json()
    assert {state["shkeptncontext"] for state in answer["states"]} == set(contexts[:2])
    assert answer["totalCount"] == 2


def test_sequence_states_of_an_unknown_project_are_empty() -> None:
    assert Harness().get("/controlPlane/v1/sequence/nothing").json() == {"states": []}


def test_a_sequence_execution_shows_who_replied() -> None:
    harness = Harness()
    context = harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    current = harness.execution(context)["status"]["currentTask"]
    assert current["triggeredID"] == task["id"]
    assert [(event["eventType"], event["source"]) for event in current["events"]] == [
        ("sh.keptn.event.deployment.started", "executor")
    ]


def test_a_context_with_several_stages_has_several_executions() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.run(harness.task("deployment"))
    harness.run(harness.task("test"))
    answer = harness.get(
        "/controlPlane/v1/sequence-execution", project="podtato", keptnContext=context
    ).json()
    assert {each["scope"]["stage"]: each["status"]["state"] for each in answer["sequenceExecutions"]} == {
        "dev": "finished",
        "prod": "started",
    }
    assert answer["totalCount"] == 2


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"project": "nothing"}, 404)])
def test_sequence_executions_need_a_project(query: dict[str, str], status: int) -> None:
    assert Harness().get("/controlPlane/v1/sequence-execution", **query).status_code == status


def test_there_are_no_sequence_executions_before_0_18() -> None:
    assert (
        Harness(RELEASE_0_18).get("/controlPlane/v1/sequence-execution", project="podtato").status_code == 200
    )
    answer = Harness(RELEASE_0_16).get("/controlPlane/v1/sequence-execution", project="podtato")
    assert (answer.status_code, answer.text) == (404, "404 page not found")


def test_control_takes_any_state_but_none() -> None:
    harness = Harness()
    path = f"/controlPlane/v1/sequence/podtato/{harness.trigger()}/control"
    assert harness.call("POST", path, json={"state": "dance"}).json() == {}
    assert (
        harness.call("POST", path.replace("podtato", "nothing"), json={"state": "abort"}).status_code == 200
    )
    assert harness.call("POST", path, json={"state": "dance", "stage": None}).status_code == 200


NO_STATE = (
    "Key: 'SequenceControlCommand.State' Error:Field validation for 'State' failed on the 'required' tag"
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "EOF"),
        ("null", NO_STATE),
        ("{}", NO_STATE),
        ('{"stage": "dev"}', NO_STATE),
        ('{"state": null}', NO_STATE),
        ("[]", "json: cannot unmarshal array into Go value of type models.SequenceControlCommand"),
        ("1", "json: cannot unmarshal number into Go value of type models.SequenceControlCommand"),
        ("abort", "invalid character 'a' looking for beginning of value"),
        ('{"state": "abort"', "unexpected EOF"),
        (
            '{"state": 1}',
            "json: cannot unmarshal number into Go struct field SequenceControlCommand.state of type "
            "models.SequenceControlState",
        ),
        (
            '{"state": "abort", "stage": []}',
            "json: cannot unmarshal array into Go struct field SequenceControlCommand.stage of type string",
        ),
    ],
)
def test_control_refuses_what_go_can_not_read_in_its_own_words(body: str, message: str) -> None:
    harness = Harness()
    context = harness.trigger()
    path = f"/controlPlane/v1/sequence/podtato/{context}/control"
    answer = harness.call("POST", path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"code": 400, "message": f"Invalid request format: {message}"}
    assert harness.state(context) == "started"


def _project(**changes: object) -> dict[str, object]:
    shipyard = base64.b64encode(SHIPYARD.encode()).decode()
    return {"name": "sockshop", "shipyard": shipyard, "gitCredentials": {"remoteURL": "https://x"}} | changes


def test_a_project_is_created_from_a_shipyard_in_base64() -> None:
    harness = Harness()
    assert harness.call("POST", "/controlPlane/v1/project", json=_project()).status_code == 201
    assert harness.call("POST", "/controlPlane/v1/project", json=_project()).status_code == 409
    stages = harness.get("/controlPlane/v1/project/sockshop").json()["stages"]
    assert [stage["stageName"] for stage in stages] == ["dev", "prod"]


@pytest.mark.parametrize("changes", [{"name": "Sock"}, {"shipyard": SHIPYARD}, {"gitCredentials": None}])
def test_a_project_that_keptn_would_refuse_is_refused(changes: dict[str, object]) -> None:
    assert Harness().call("POST", "/controlPlane/v1/project", json=_project(**changes)).status_code == 400


def test_a_project_shows_its_git_credentials_without_what_is_secret() -> None:
    harness = Harness()
    https = {
        "token": "secret",
        "insecureSkipTLS": True,
        "proxy": {"url": "p", "scheme": "s", "password": "p"},
    }
    given = {"remoteURL": "https://x", "user": "me", "https": https, "ssh": {"privateKey": "secret"}}
    assert (
        harness.call("POST", "/controlPlane/v1/project", json=_project(gitCredentials=given)).status_code
        == 201
    )
    shown = {"insecureSkipTLS": True, "proxy": {"url": "p", "scheme": "s"}}
    credentials = harness.get("/controlPlane/v1/project/sockshop").json()["gitCredentials"]
    assert credentials == {"remoteURL": "https://x", "user": "me", "https": shown}
    resource = harness.get("/resource-service/v1/project/sockshop/resource/shipyard.yaml").json()
    assert resource["metadata"]["upstreamURL"] == "https://x"


def test_before_1_0_a_project_has_no_git_credentials_object() -> None:
    assert "gitCredentials" not in Harness(RELEASE_0_18).get("/controlPlane/v1/project/podtato").json()


def test_a_stage_names_those_whose_end_triggers_it() -> None:
    harness = Harness()
    dev, prod = harness.get("/controlPlane/v1/project/podtato").json()["stages"]
    assert (dev["stageName"], "parentStages" in dev) == ("dev", False)
    assert (prod["stageName"], prod["parentStages"]) == ("prod", ["dev"])
    assert harness.get("/controlPlane/v1/project/podtato/stage/prod").json() == prod


def test_an_unknown_stage_is_answered_twice_in_one() -> None:
    answer = Harness().get("/controlPlane/v1/project/podtato/stage/nope")
    assert answer.status_code == 404
    assert answer.text == ('{"code":404,"message":"stage not found"}{"code":500,"message":"stage not found"}')
    unknown = Harness().get("/controlPlane/v1/project/nope/stage/dev")
    assert (unknown.status_code, unknown.json()) == (404, {"code": 404, "message": "project not found"})


def test_a_service_shows_its_creation_and_the_last_event_of_each_type() -> None:
    harness = Harness()
    harness.after(1.5)
    harness.keptn.create_service("podtato", "bye")
    path = "/controlPlane/v1/project/podtato/stage/{}/service/bye"
    fresh = {"creationDate": "1700000001500000000", "openRemediations": None, "serviceName": "bye"}
    assert harness.get(path.format("dev")).json() == fresh
    harness.after(1)
    context = harness.trigger(service="bye")
    task = harness.task("deployment")
    harness.after(1)
    harness.reply(task, "started")
    last = harness.get(path.format("dev")).json()["lastEventTypes"]
    assert last["sh.keptn.event.deployment.triggered"] == {
        "eventId": task["id"],
        "keptnContext": context,
        "time": "1700000002500000000",
    }
    assert last["sh.keptn.event.deployment.started"]["time"] == "1700000003500000000"
    assert set(last) == {"sh.keptn.event.deployment.triggered", "sh.keptn.event.deployment.started"}
    assert harness.get(path.format("prod")).json() == fresh
    (bye, _) = harness.get("/controlPlane/v1/project/podtato/stage/dev/service").json()["services"]
    assert bye["lastEventTypes"] == last


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("Bad_Name!", 200, ""),
        (
            "bad name",
            500,
            "could not create service bad name in stage dev of project podtato: "
            "upstream repository not found",
        ),
        ("", 400, "must provide a service name"),
        (None, 400, "must provide a service name"),
        ("x" * 44, 400, "project name exceeds maximum size of 43 characters"),
        (
            1,
            400,
            "Invalid request format: json: cannot unmarshal number into Go struct field "
            "CreateServiceParams.serviceName of type string",
        ),
    ],
)
def test_of_a_services_name_the_controller_refuses_little_and_the_repository_the_rest(
    name: object, status: int, message: str
) -> None:
    harness = Harness()
    answer = harness.call("POST", "/controlPlane/v1/project/podtato/service", json={"serviceName": name})
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert (name in harness.keptn.project("podtato").services) == (status == 200)


@pytest.mark.parametrize("name", ["..", "a/b", "a>b", "a|b", "a:b", "a&b"])
def test_a_service_that_can_be_no_directory_is_refused(name: str) -> None:
    answer = Harness().call("POST", "/controlPlane/v1/project/podtato/service", json={"serviceName": name})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Service name contains special character(s). ")


def test_a_service_of_an_unknown_project_is_an_error_of_the_server() -> None:
    answer = Harness().call("POST", "/controlPlane/v1/project/nope/service", json={"serviceName": "a"})
    assert answer.status_code == 500
    assert answer.json()["message"] == "could not get stages of project nope: project not found"


def test_a_service_is_created_in_every_stage() -> None:
    harness = Harness()
    path = "/controlPlane/v1/project/podtato/service"
    assert harness.call("POST", path, json={"serviceName": "bye"}).status_code == 200
    assert harness.call("POST", path, json={"serviceName": "bye"}).status_code == 409
    services = harness.get("/controlPlane/v1/project/podtato/stage/prod/service").json()["services"]
    assert [service["serviceName"] for service in services] == ["bye", "hello"]


def test_a_deleted_project_is_gone() -> None:
    harness = Harness()
    assert harness.call("DELETE", "/controlPlane/v1/project/podtato").status_code == 200
    assert harness.get("/controlPlane/v1/project/podtato").status_code == 404
    assert harness.get("/controlPlane/v1/project").json() == {"projects": [], "nextPageKey": "0"}


def test_an_event_that_would_come_past_the_api_is_refused() -> None:
    assert Harness().call("POST", "/controlPlane/v1/event", json={"type": "x"}).status_code == 400
