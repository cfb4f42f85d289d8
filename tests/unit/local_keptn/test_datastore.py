from typing import Any

import pytest

from local.keptn.events import moment_of
from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_4, Release
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
    assert Harness().get(HISTORY, project="nothing").json() == {"events": [], "pageSize": 20}
    assert Harness().get(HISTORY, pageSize=5).json() == {"events": [], "pageSize": 5}


def test_an_offset_below_0_is_the_databases_error() -> None:
    answer = Harness().get(HISTORY, project="podtato", nextPageKey=-1)
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("could not retrieve elements from events collection: ")


@pytest.mark.parametrize("release", [RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version)
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({}, {"temporaryData": {"distributor": {"subscriptionID": ""}}}),
        (
            {"temporaryData": {"distributor": {"subscriptionID": "a"}, "other": 1}},
            {"temporaryData": {"distributor": {"subscriptionID": ""}, "other": 1}},
        ),
        ({"temporaryData": {"other": 1}}, {"temporaryData": {"other": 1}}),
    ],
)
def test_a_stored_event_has_the_empty_subscription_that_it_was_received_by(
    release: Release, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    harness = Harness(release)
    context = harness.trigger(data=given)
    task, triggered = harness.get(HISTORY, keptnContext=context).json()["events"]
    assert triggered["data"]["temporaryData"] == stored["temporaryData"]
    assert task["data"]["temporaryData"] == stored["temporaryData"]
    assert harness.task("deployment")["data"].get("temporaryData") == given.get("temporaryData")


def test_before_0_18_events_are_stored_as_they_were_sent() -> None:
    harness = Harness(RELEASE_0_16)
    context = harness.trigger()
    stored = harness.get(HISTORY, keptnContext=context).json()["events"]
    assert all("temporaryData" not in event["data"] for event in stored)


def test_a_stored_events_time_is_microseconds_from_the_listed_ones() -> None:
    harness = Harness()
    context = harness.trigger()
    (stored,) = harness.get(HISTORY, keptnContext=context, source="shipyard-controller").json()["events"]
    listed = harness.task("deployment")
    assert stored["id"] == listed["id"]
    assert 0 < moment_of(listed) - moment_of(stored) < 0.001


def test_the_history_of_an_unknown_project_has_its_events() -> None:
    harness = Harness()
    harness.send(
        type="sh.keptn.event.test.started",
        data={"project": "nothing", "stage": "dev", "service": "hello"},
    )
    answer = harness.get(HISTORY, project="nothing").json()
    assert [event["type"] for event in answer["events"]] == ["sh.keptn.event.test.started"]
    assert (answer["pageSize"], answer["totalCount"]) == (20, 1)


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
