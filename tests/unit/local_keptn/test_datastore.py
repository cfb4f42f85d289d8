import pytest

from tests.unit.local_keptn.harness import Harness

HISTORY = "/mongodb-datastore/event"


def test_the_history_is_paged_newest_first_and_the_last_page_has_no_next_key() -> None:
    harness = Harness()
    for service in ("a", "b", "c"):
        harness.trigger(service=service)
        harness.after(1)
    first = harness.get(HISTORY, project="podtato", pageSize=4).json()
    last = harness.get(HISTORY, project="podtato", pageSize=4, nextPageKey=first["nextPageKey"]).json()
    times = [event["time"] for event in first["events"] + last["events"]]
    assert (first["nextPageKey"], first["totalCount"], len(times)) == ("4", 6, 6)
    assert "nextPageKey" not in last
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(("size", "code"), [(0, 609), (101, 608), ("x", 601)])
def test_a_page_has_1_to_100_events(size: object, code: int) -> None:
    answer = Harness().get(HISTORY, project="podtato", pageSize=size)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_nothing_found_is_a_200() -> None:
    assert Harness().get(HISTORY, project="nothing").json() == {"events": []}
    assert Harness().get(HISTORY).json() == {"events": []}


def test_the_history_is_filtered_by_what_events_say() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.trigger()
    task = harness.open("deployment")[0]
    by_type = harness.get(HISTORY, keptnContext=task["shkeptncontext"], type=task["type"]).json()["events"]
    assert [event["id"] for event in by_type] == [task["id"]]
    assert harness.get(HISTORY, project="podtato", root="true").json()["totalCount"] == 2
    assert harness.get(HISTORY, keptnContext=context, source="shipyard-controller").json()["totalCount"] == 1


def test_events_of_a_type_need_a_filter_with_a_project_or_context() -> None:
    harness = Harness()
    context = harness.trigger()
    path = f"{HISTORY}/type/sh.keptn.event.deployment.triggered"
    found = harness.get(
        path, filter=f"data.project:podtato AND shkeptncontext:{context} AND data.stage:dev,prod"
    )
    assert len(found.json()["events"]) == 1
    assert harness.get(path).status_code == 422
    assert harness.get(path, filter="data.stage:dev").status_code == 400


def test_a_filter_whose_value_has_a_colon_is_ignored() -> None:
    harness = Harness()
    harness.trigger()
    path = f"{HISTORY}/type/sh.keptn.event.deployment.triggered"
    answer = harness.get(path, filter="data.project:podtato AND source:https://nobody")
    assert len(answer.json()["events"]) == 1


def test_only_keptn_events_are_stored() -> None:
    harness = Harness()
    harness.send(type="sh.keptn.log.error", data={"project": "podtato"})
    assert harness.get(HISTORY, project="podtato").json()["events"] == []


def test_anybody_can_drop_a_projects_history() -> None:
    harness = Harness()
    harness.trigger()
    harness.send(type="sh.keptn.event.project.delete.finished", data={"project": "podtato"})
    assert harness.get(HISTORY, project="podtato").json()["events"] == []
    assert harness.open("deployment")
