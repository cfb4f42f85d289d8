"""The course of a sequence: data, stages, waiting, pausing, aborting and timing out."""

import pytest

from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_4, Release
from local.keptn.timing import Timing
from tests.unit.local_keptn.harness import SHIPYARD, Harness


def test_what_a_task_reports_reaches_the_next_one() -> None:
    harness = Harness()
    harness.trigger(data={"note": "from the trigger", "message": "hi"}, labels={"owner": "me"})
    harness.run(harness.task("deployment"), deployment={"url": "https://example.com"}, message="done")
    data = harness.task("test")["data"]
    assert data["deployment"]["url"] == "https://example.com"
    assert (data["note"], data["labels"], data["message"]) == ("from the trigger", {"owner": "me"}, "")
    assert (data["result"], data["status"]) == ("pass", "succeeded")


def test_task_properties_arrive_under_the_name_of_the_task() -> None:
    harness = Harness()
    harness.trigger()
    assert harness.task("deployment")["data"]["deployment"] == {"strategy": "direct"}


def test_a_task_event_has_neither_a_triggered_id_nor_a_content_type() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    assert {"triggeredid", "contenttype", "datacontenttype"}.isdisjoint(task)
    assert task["shkeptnspecversion"] == "latest"
    assert task["gitcommitid"] == harness.keptn.resources.head("podtato", "dev")


def test_the_end_of_a_stage_triggers_the_next_one() -> None:
    harness = Harness()
    context = harness.trigger()
    for task in ("deployment", "test", "deployment"):
        harness.run(harness.task(task))
    assert harness.state(context) == "finished"
    assert [execution.scope.stage for execution in harness.keptn.executions(context)] == ["dev", "prod"]


def test_a_failed_task_ends_the_sequence_and_fires_the_selector_on_fail() -> None:
    harness = Harness()
    harness.trigger()
    harness.run(harness.task("deployment"), result="fail")
    assert harness.open("test") == []
    assert harness.open("deployment") == []
    assert harness.task("rollback")["data"]["stage"] == "prod"


def test_errored_with_pass_stops_the_sequence_and_still_triggers_the_next_stage() -> None:
    harness = Harness()
    harness.trigger()
    harness.run(harness.task("deployment"), status="errored")
    assert harness.open("test") == []
    assert harness.task("deployment")["data"]["stage"] == "prod"


RELEASES = pytest.mark.parametrize(
    "release", [RELEASE_0_16, RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version
)


@RELEASES
@pytest.mark.parametrize(
    ("project", "stage", "sequence", "message"),
    [
        (
            "podtato",
            "dev",
            "nope",
            "Unable to start sequence nope: no task sequence with name nope found in stage dev",
        ),
        ("podtato", "nope", "delivery", "Unable to start sequence delivery: no stage with name nope"),
        (
            "podtato",
            "dev",
            "empty",
            "Unable to start sequence empty: task sequence empty does not contain any tasks",
        ),
        (
            "nope",
            "dev",
            "delivery",
            "Unable to retrieve Shipyard file: could not retrieve shipyard.yaml for project nope: "
            "Resource not found",
        ),
    ],
)
def test_what_can_not_start_is_finished_at_once_and_its_stage_is_errored(
    release: Release, project: str, stage: str, sequence: str, message: str
) -> None:
    harness = Harness(release)
    context = harness.keptn.trigger(project, stage, "hello", sequence, {"message": "hi"}, {"owner": "me"})
    harness.keptn.settle()
    (state,) = harness.get(f"/controlPlane/v1/sequence/{project}").json()["states"]
    assert (state["shkeptncontext"], state["name"], state["state"]) == (context, sequence, "finished")
    (shown,) = state["stages"]
    assert (shown["name"], shown["state"]) == (stage, "errored")
    assert shown["latestFailedEvent"] == shown["latestEvent"]
    finished, triggered = harness.get("/mongodb-datastore/event", project=project).json()["events"]
    assert finished["type"] == f"sh.keptn.event.{stage}.{sequence}.finished"
    assert (finished["source"], finished["triggeredid"]) == ("shipyard-controller", triggered["id"])
    scope = {"project": project, "stage": stage, "service": "hello", "labels": {"owner": "me"}}
    assert finished["data"] | scope == finished["data"]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")
    assert finished["data"]["message"] == message
    assert harness.keptn.executions(context) == []


def test_a_new_project_does_not_know_what_was_triggered_before_there_was_one() -> None:
    harness = Harness()
    harness.keptn.trigger("sockshop", "dev", "hello", "delivery")
    harness.keptn.settle()
    harness.keptn.create_project("sockshop", SHIPYARD)
    assert harness.get("/controlPlane/v1/sequence/sockshop").json() == {"states": []}


def test_the_stage_of_a_sequence_without_a_task_yet_has_no_state() -> None:
    harness = Harness()
    harness.trigger()
    waiting = harness.keptn.sequence_state(harness.trigger())
    assert waiting is not None
    assert waiting["stages"] == [{"name": "dev", "state": ""}]


def test_a_sequence_that_is_over_has_nothing_open() -> None:
    harness = Harness()
    harness.trigger()
    delivery = "/controlPlane/v1/event/triggered/sh.keptn.event.dev.delivery.triggered"
    assert harness.get(delivery).json()["totalCount"] == 1
    harness.run(harness.task("deployment"), result="fail")
    assert harness.get(delivery).json()["events"] == []


def test_a_task_with_triggered_after_is_listed_only_once_it_is_due() -> None:
    harness = Harness()
    harness.trigger("later")
    harness.after(89)
    assert harness.open("wait") == []
    harness.after(1)
    assert harness.open("wait")


def test_before_0_17_a_task_with_triggered_after_is_listed_at_once() -> None:
    harness = Harness(RELEASE_0_16)
    harness.trigger("later")
    assert harness.open("wait")


def test_a_task_that_nobody_answers_times_out_after_ten_to_eleven_minutes() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.after(600)
    assert harness.open("deployment")
    harness.after(60)
    assert harness.open("deployment") == []
    assert harness.state(context) == "timedOut"
    assert harness.execution(context)["status"]["state"] == "timedOut"
    assert harness.open("rollback") == []


@pytest.mark.parametrize("kind", ["started", "finished", "status.changed"])
def test_any_response_keeps_a_task_from_timing_out(kind: str) -> None:
    harness = Harness()
    harness.trigger()
    harness.reply(harness.task("deployment"), kind)
    harness.after(3600)
    assert harness.open("deployment")


def test_a_task_of_a_paused_sequence_is_still_listed_and_counts_replies() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.keptn.control("podtato", context, "pause")
    harness.run(harness.task("deployment"))
    assert harness.state(context) == "paused"
    assert harness.open("test")
    assert harness.execution(context)["status"]["state"] == "paused"


def test_a_paused_task_that_was_not_dispatched_does_not_time_out() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.keptn.control("podtato", context, "pause")
    harness.run(harness.task("deployment"))
    harness.after(3600)
    assert harness.open("test")
    harness.keptn.control("podtato", context, "resume")
    harness.after(61)
    assert harness.open("test") == []


def test_a_sequence_triggered_in_a_paused_context_starts_when_it_is_resumed() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.run(harness.task("deployment"))
    harness.keptn.control("podtato", context, "pause")
    harness.run(harness.task("test"))
    assert harness.open("deployment") == []
    harness.keptn.control("podtato", context, "resume")
    harness.after(10)
    assert harness.task("deployment")["data"]["stage"] == "prod"


def test_pausing_one_stage_leaves_the_overall_state_alone() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.keptn.control("podtato", context, "pause", "dev")
    assert harness.state(context) == "started"
    assert harness.execution(context)["status"] | {"previousTasks": []} == {
        **harness.execution(context)["status"],
        "state": "paused",
        "stateBeforePause": "started",
    }


def test_an_abort_closes_the_task_and_leaves_it_current() -> None:
    harness = Harness()
    context = harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.keptn.control("podtato", context, "abort")
    status = harness.execution(context)["status"]
    assert harness.open("deployment") == []
    assert harness.state(context) == "aborted"
    assert (status["state"], status["currentTask"]["triggeredID"]) == ("finished", task["id"])


def test_a_finished_after_an_abort_changes_only_the_stage_on_display() -> None:
    harness = Harness()
    context = harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.keptn.control("podtato", context, "abort")
    harness.reply(task, "finished", result="pass", status="succeeded")
    state = harness.keptn.sequence_state(context)
    assert state is not None
    assert (state["state"], state["stages"][0]["state"]) == ("aborted", "triggered")
    assert harness.open("test") == []


def test_an_abort_in_the_dispatch_gap_is_undone() -> None:
    harness = Harness(timing=Timing(dispatch_gap=2.0))
    context = harness.trigger()
    harness.keptn.control("podtato", context, "abort")
    harness.after(2)
    status = harness.execution(context)["status"]
    assert (status["state"], status["currentTask"]["name"]) == ("started", "deployment")
    assert harness.open("deployment") == []


def _finished(harness: Harness, context: str) -> list[tuple[str, str]]:
    return [
        (event["type"], event["data"]["status"])
        for event in harness.keptn.events(context)
        if event["type"].endswith("delivery.finished")
    ]


@RELEASES
def test_aborting_an_aborted_sequence_sends_no_second_finished(release: Release) -> None:
    harness = Harness(release)
    context = harness.trigger()
    for _ in range(2):
        harness.keptn.control("podtato", context, "abort")
    assert _finished(harness, context) == [("sh.keptn.event.dev.delivery.finished", "aborted")]
    assert harness.state(context) == "aborted"


def test_an_abort_ends_the_stage_that_is_under_way_and_no_other() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.run(harness.task("deployment"))
    harness.run(harness.task("test"))
    harness.keptn.control("podtato", context, "abort")
    assert _finished(harness, context) == [
        ("sh.keptn.event.dev.delivery.finished", "succeeded"),
        ("sh.keptn.event.prod.delivery.finished", "aborted"),
    ]


def test_an_abort_before_keptn_has_processed_the_trigger_has_no_effect() -> None:
    harness = Harness(timing=Timing(reply_delay=1.0, resource_read=1.0))
    context = harness.trigger()
    path = f"/controlPlane/v1/sequence/podtato/{context}/control"
    for _ in range(3):
        answer = harness.call("POST", path, json={"state": "abort"})
        assert (answer.status_code, answer.json()) == (200, {})
        harness.after(0.9)
    harness.after(1)
    assert harness.state(context) == "started"
    assert harness.open("deployment")


def test_an_abort_ends_a_pause() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.keptn.control("podtato", context, "pause")
    harness.keptn.control("podtato", context, "abort")
    again = {"project": "podtato", "stage": "dev", "service": "hello"}
    harness.send(type="sh.keptn.event.dev.delivery.triggered", shkeptncontext=context, data=again)
    assert harness.open("deployment")


def test_deleting_a_project_ends_what_is_under_way_in_it() -> None:
    harness = Harness(timing=Timing(reply_delay=1.0, dispatch_gap=1.0))
    harness.trigger()
    harness.after(2)
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.keptn.delete_project("podtato")
    harness.after(3600)
    assert harness.open("deployment") == []
    assert (
        harness.get(f"/controlPlane/v1/event/triggered/{task['type']}", project="podtato").status_code == 404
    )
