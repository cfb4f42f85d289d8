"""The course of a sequence: data, stages, waiting, pausing, aborting and timing out."""

import pytest

from local.keptn.release import RELEASE_0_16
from local.keptn.timing import Timing
from tests.unit.local_keptn.harness import Harness


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


def test_an_unknown_sequence_fails_without_any_task() -> None:
    harness = Harness()
    context = harness.trigger("nothing")
    (finished,) = [each for each in harness.keptn.events(context) if each["type"].endswith(".finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")


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
    assert harness.open("deployment")
    assert harness.execution(context)["status"]["state"] == "started"


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
