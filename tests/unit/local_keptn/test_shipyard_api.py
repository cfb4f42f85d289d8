"""The shipyard controller over HTTP: open events, sequence states, executions, control, projects."""

import base64

import pytest

from local.keptn.release import RELEASE_0_16, RELEASE_0_18
from tests.unit.local_keptn.rig import SHIPYARD, Rig

OPEN = "/controlPlane/v1/event/triggered/sh.keptn.event.deployment.triggered"


def _with_open(count: int) -> Rig:
    rig = Rig()
    for _ in range(count):
        rig.trigger()
        rig.after(1)
    return rig


def test_an_empty_open_list_has_a_next_key_and_no_total() -> None:
    assert Rig().get(OPEN).json() == {"events": [], "nextPageKey": "0"}


def test_later_pages_repeat_the_first_events() -> None:
    rig = _with_open(25)
    first = rig.get(OPEN).json()
    second = rig.get(OPEN, nextPageKey=first["nextPageKey"]).json()
    assert (first["nextPageKey"], first["totalCount"], len(first["events"])) == ("20", 25, 20)
    assert second["nextPageKey"] == "0"
    assert second["events"] == first["events"][:5]


def test_one_big_page_holds_everything_newest_first() -> None:
    answer = _with_open(25).get(OPEN, pageSize=1000).json()
    times = [event["time"] for event in answer["events"]]
    assert len(times) == 25
    assert times == sorted(times, reverse=True)


def test_the_open_list_is_filtered_by_id_project_stage_and_service() -> None:
    rig = _with_open(2)
    (event, _) = rig.open("deployment")
    assert rig.get(OPEN, project="podtato", eventID=event["id"]).json()["events"] == [event]
    assert rig.get(OPEN, stage="prod").json()["events"] == []
    assert rig.get(OPEN, service="hello", stage="dev").json()["totalCount"] == 2


def test_an_unknown_project_is_not_found() -> None:
    answer = Rig().get(OPEN, project="nothing")
    assert answer.status_code == 404
    assert answer.json() == {"code": 404, "message": "project not found"}


def test_a_page_size_that_is_no_number_answers_with_two_documents() -> None:
    answer = Rig().get(OPEN, pageSize="many")
    assert answer.status_code == 400
    assert answer.text.endswith('}{"events":[],"nextPageKey":"0"}')


def test_a_negative_page_size_is_a_server_error() -> None:
    assert _with_open(1).get(OPEN, pageSize=-1).status_code == 500


def test_a_sequence_event_is_listed_too() -> None:
    rig = _with_open(1)
    answer = rig.get("/controlPlane/v1/event/triggered/sh.keptn.event.dev.delivery.triggered")
    assert answer.json()["totalCount"] == 1


def test_an_event_context_in_the_data_is_nulled() -> None:
    rig = Rig()
    rig.trigger(data={"eventContext": "mine", "deep": [{"eventContext": 1}]})
    data = rig.get(OPEN).json()["events"][0]["data"]
    assert (data["eventContext"], data["deep"]) == (None, [{"eventContext": None}])


def test_sequence_states_can_be_asked_for_by_several_contexts() -> None:
    rig = Rig()
    contexts = [rig.trigger() for _ in range(3)]
    answer = rig.get("/controlPlane/v1/sequence/podtato", keptnContext=",".join(contexts[:2])).json()
    assert {state["shkeptncontext"] for state in answer["states"]} == set(contexts[:2])
    assert answer["totalCount"] == 2


def test_sequence_states_of_an_unknown_project_are_empty() -> None:
    assert Rig().get("/controlPlane/v1/sequence/nothing").json() == {"states": []}


def test_a_sequence_execution_shows_who_replied() -> None:
    rig = Rig()
    context = rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    current = rig.execution(context)["status"]["currentTask"]
    assert current["triggeredID"] == task["id"]
    assert [(event["eventType"], event["source"]) for event in current["events"]] == [
        ("sh.keptn.event.deployment.started", "executor")
    ]


def test_a_context_with_several_stages_has_several_executions() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.run(rig.task("deployment"))
    rig.run(rig.task("test"))
    answer = rig.get("/controlPlane/v1/sequence-execution", project="podtato", keptnContext=context).json()
    assert {each["scope"]["stage"]: each["status"]["state"] for each in answer["sequenceExecutions"]} == {
        "dev": "finished",
        "prod": "started",
    }
    assert answer["totalCount"] == 2


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"project": "nothing"}, 404)])
def test_sequence_executions_need_a_project(query: dict[str, str], status: int) -> None:
    assert Rig().get("/controlPlane/v1/sequence-execution", **query).status_code == status


def test_there_are_no_sequence_executions_before_0_18() -> None:
    assert Rig(RELEASE_0_18).get("/controlPlane/v1/sequence-execution", project="podtato").status_code == 200
    answer = Rig(RELEASE_0_16).get("/controlPlane/v1/sequence-execution", project="podtato")
    assert (answer.status_code, answer.text) == (404, "404 page not found")


def test_control_takes_any_state_but_none() -> None:
    rig = Rig()
    path = f"/controlPlane/v1/sequence/podtato/{rig.trigger()}/control"
    assert rig.call("POST", path, json={"state": "dance"}).json() == {}
    assert rig.call("POST", path, json={"stage": "dev"}).status_code == 400
    assert rig.call("POST", path.replace("podtato", "nothing"), json={"state": "abort"}).status_code == 200


def _project(**changes: object) -> dict[str, object]:
    shipyard = base64.b64encode(SHIPYARD.encode()).decode()
    return {"name": "sockshop", "shipyard": shipyard, "gitCredentials": {"remoteURL": "https://x"}} | changes


def test_a_project_is_created_from_a_shipyard_in_base64() -> None:
    rig = Rig()
    assert rig.call("POST", "/controlPlane/v1/project", json=_project()).status_code == 201
    assert rig.call("POST", "/controlPlane/v1/project", json=_project()).status_code == 409
    stages = rig.get("/controlPlane/v1/project/sockshop").json()["stages"]
    assert [stage["stageName"] for stage in stages] == ["dev", "prod"]


@pytest.mark.parametrize("changes", [{"name": "Sock"}, {"shipyard": SHIPYARD}, {"gitCredentials": None}])
def test_a_project_that_keptn_would_refuse_is_refused(changes: dict[str, object]) -> None:
    assert Rig().call("POST", "/controlPlane/v1/project", json=_project(**changes)).status_code == 400


def test_a_service_is_created_in_every_stage() -> None:
    rig = Rig()
    path = "/controlPlane/v1/project/podtato/service"
    assert rig.call("POST", path, json={"serviceName": "bye"}).status_code == 200
    assert rig.call("POST", path, json={"serviceName": "bye"}).status_code == 409
    services = rig.get("/controlPlane/v1/project/podtato/stage/prod/service").json()["services"]
    assert [service["serviceName"] for service in services] == ["bye", "hello"]


def test_a_deleted_project_is_gone() -> None:
    rig = Rig()
    assert rig.call("DELETE", "/controlPlane/v1/project/podtato").status_code == 200
    assert rig.get("/controlPlane/v1/project/podtato").status_code == 404
    assert rig.get("/controlPlane/v1/project").json() == {"projects": [], "nextPageKey": "0"}
