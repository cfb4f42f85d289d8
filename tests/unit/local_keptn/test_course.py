"""The course of a sequence: data, stages, waiting, pausing, aborting and timing out."""

import pytest

from local.keptn.release import RELEASE_0_16
from tests.unit.local_keptn.rig import Rig


def test_what_a_task_reports_reaches_the_next_one() -> None:
    rig = Rig()
    rig.trigger(data={"note": "from the trigger", "message": "hi"}, labels={"owner": "me"})
    rig.run(rig.task("deployment"), deployment={"url": "https://example.com"}, message="done")
    data = rig.task("test")["data"]
    assert data["deployment"]["url"] == "https://example.com"
    assert (data["note"], data["labels"], data["message"]) == ("from the trigger", {"owner": "me"}, "")
    assert (data["result"], data["status"]) == ("pass", "succeeded")


def test_task_properties_arrive_under_the_name_of_the_task() -> None:
    rig = Rig()
    rig.trigger()
    assert rig.task("deployment")["data"]["deployment"] == {"strategy": "direct"}


def test_a_task_event_has_neither_a_triggered_id_nor_a_content_type() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    assert {"triggeredid", "contenttype", "datacontenttype"}.isdisjoint(task)
    assert task["shkeptnspecversion"] == "latest"
    assert task["gitcommitid"] == rig.keptn.resources.head("podtato", "dev")


def test_the_end_of_a_stage_triggers_the_next_one() -> None:
    rig = Rig()
    context = rig.trigger()
    for task in ("deployment", "test", "deployment"):
        rig.run(rig.task(task))
    assert rig.state(context) == "finished"
    assert [execution.scope.stage for execution in rig.keptn.executions(context)] == ["dev", "prod"]


def test_a_failed_task_ends_the_sequence_and_fires_the_selector_on_fail() -> None:
    rig = Rig()
    rig.trigger()
    rig.run(rig.task("deployment"), result="fail")
    assert rig.open("test") == []
    assert rig.open("deployment") == []
    assert rig.task("rollback")["data"]["stage"] == "prod"


def test_errored_with_pass_stops_the_sequence_and_still_triggers_the_next_stage() -> None:
    rig = Rig()
    rig.trigger()
    rig.run(rig.task("deployment"), status="errored")
    assert rig.open("test") == []
    assert rig.task("deployment")["data"]["stage"] == "prod"


def test_an_unknown_sequence_fails_without_any_task() -> None:
    rig = Rig()
    context = rig.trigger("nothing")
    (finished,) = [each for each in rig.keptn.events(context) if each["type"].endswith(".finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")


def test_a_task_with_triggered_after_is_listed_only_once_it_is_due() -> None:
    rig = Rig()
    rig.trigger("later")
    rig.after(89)
    assert rig.open("wait") == []
    rig.after(1)
    assert rig.open("wait")


def test_before_0_17_a_task_with_triggered_after_is_listed_at_once() -> None:
    rig = Rig(RELEASE_0_16)
    rig.trigger("later")
    assert rig.open("wait")


def test_a_task_that_nobody_answers_times_out_after_ten_to_eleven_minutes() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.after(600)
    assert rig.open("deployment")
    rig.after(60)
    assert rig.open("deployment") == []
    assert rig.state(context) == "timedOut"
    assert rig.execution(context)["status"]["state"] == "timedOut"
    assert rig.open("rollback") == []


@pytest.mark.parametrize("kind", ["started", "finished", "status.changed"])
def test_any_response_keeps_a_task_from_timing_out(kind: str) -> None:
    rig = Rig()
    rig.trigger()
    rig.reply(rig.task("deployment"), kind)
    rig.after(3600)
    assert rig.open("deployment")


def test_a_task_of_a_paused_sequence_is_still_listed_and_counts_replies() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.keptn.control("podtato", context, "pause")
    rig.run(rig.task("deployment"))
    assert rig.state(context) == "paused"
    assert rig.open("test")
    assert rig.execution(context)["status"]["state"] == "paused"


def test_a_paused_task_that_was_not_dispatched_does_not_time_out() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.keptn.control("podtato", context, "pause")
    rig.run(rig.task("deployment"))
    rig.after(3600)
    assert rig.open("test")
    rig.keptn.control("podtato", context, "resume")
    rig.after(61)
    assert rig.open("test") == []


def test_a_sequence_triggered_in_a_paused_context_starts_when_it_is_resumed() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.run(rig.task("deployment"))
    rig.keptn.control("podtato", context, "pause")
    rig.run(rig.task("test"))
    assert rig.open("deployment") == []
    rig.keptn.control("podtato", context, "resume")
    rig.keptn.settle()
    assert rig.task("deployment")["data"]["stage"] == "prod"


def test_pausing_one_stage_leaves_the_overall_state_alone() -> None:
    rig = Rig()
    context = rig.trigger()
    rig.keptn.control("podtato", context, "pause", "dev")
    assert rig.state(context) == "started"
    assert rig.execution(context)["status"] | {"previousTasks": []} == {
        **rig.execution(context)["status"],
        "state": "paused",
        "stateBeforePause": "started",
    }


def test_an_abort_closes_the_task_and_leaves_it_current() -> None:
    rig = Rig()
    context = rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    rig.keptn.control("podtato", context, "abort")
    status = rig.execution(context)["status"]
    assert rig.open("deployment") == []
    assert rig.state(context) == "aborted"
    assert (status["state"], status["currentTask"]["triggeredID"]) == ("finished", task["id"])


def test_a_finished_after_an_abort_changes_only_the_stage_on_display() -> None:
    rig = Rig()
    context = rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    rig.keptn.control("podtato", context, "abort")
    rig.reply(task, "finished", result="pass", status="succeeded")
    state = rig.keptn.sequence_state(context)
    assert state is not None
    assert (state["state"], state["stages"][0]["state"]) == ("aborted", "triggered")
    assert rig.open("test") == []


def test_an_abort_in_the_dispatch_gap_is_undone() -> None:
    rig = Rig(dispatch_gap=2.0)
    context = rig.trigger()
    rig.keptn.control("podtato", context, "abort")
    rig.after(2)
    assert rig.open("deployment")
    assert rig.execution(context)["status"]["state"] == "started"


def test_deleting_a_project_ends_what_is_under_way_in_it() -> None:
    rig = Rig(dispatch_gap=1.0, reply_delay=1.0)
    rig.trigger()
    rig.after(2)
    task = rig.task("deployment")
    rig.reply(task, "started")
    rig.keptn.delete_project("podtato")
    rig.after(3600)
    assert rig.open("deployment") == []
    assert rig.get(f"/controlPlane/v1/event/triggered/{task['type']}", project="podtato").status_code == 404
