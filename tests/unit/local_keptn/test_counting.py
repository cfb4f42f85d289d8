"""The shipyard controller counts replies; nothing else about them matters to it."""

from typing import Any

import pytest

from local.keptn.release import RELEASE_0_18, RELEASE_1_4, Release
from local.keptn.timing import Timing
from tests.unit.local_keptn.harness import Harness


def test_a_started_and_a_finished_complete_a_task() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.run(task)
    assert harness.keptn.counts(task["id"]) == (1, 1)
    assert harness.open("deployment") == []
    assert len(harness.open("test")) == 1


def test_the_order_of_started_and_finished_does_not_matter() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "finished", result="pass", status="succeeded")
    assert harness.open("deployment")
    harness.reply(task, "started")
    assert harness.open("test")


def test_a_task_stays_open_while_it_runs() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    assert harness.open("deployment") == [task]


def test_a_doubled_started_hangs_the_sequence_until_there_is_a_second_finished() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.run(task)
    harness.after(24 * 3600)
    assert harness.open("deployment")
    assert harness.keptn.counts(task["id"]) == (2, 1)
    harness.reply(task, "finished", result="pass", status="succeeded")
    assert harness.open("test")


def test_a_finished_after_completion_is_ignored() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.run(task)
    harness.reply(task, "finished", result="fail", status="errored")
    assert harness.keptn.ignored[-1].reason == "sequence not found"
    assert harness.keptn.counts(task["id"]) == (1, 1)
    assert harness.open("test")


def test_two_executors_are_counted_together_and_the_worst_result_wins() -> None:
    harness = Harness()
    context = harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.reply(task, "started")
    harness.reply(task, "finished", result="warning", status="succeeded")
    harness.reply(task, "finished", result="pass", status="succeeded")
    assert harness.execution(context)["status"]["previousTasks"][0]["result"] == "warning"


def test_a_reply_to_an_unknown_task_or_in_another_context_is_ignored() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.run(task | {"id": "5b0d5c3e-0000-4000-8000-000000000000"})
    harness.run(task | {"shkeptncontext": "5b0d5c3e-0000-4000-8000-000000000000"})
    assert harness.keptn.counts(task["id"]) == (0, 0)


def test_an_event_without_a_service_is_ignored() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started", service="")
    assert harness.keptn.ignored[-1].reason == "event does not contain a service"


@pytest.mark.parametrize("release", [RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version)
@pytest.mark.parametrize(
    "odd", [{"result": 1}, {"status": True}, {"message": ["a"]}, {"labels": ["a"]}, {"labels": {"a": 1}}]
)
def test_a_finished_with_something_that_is_no_text_is_lost_and_the_sequence_hangs(
    release: Release, odd: dict[str, Any]
) -> None:
    harness = Harness(release)
    harness.trigger()
    task = harness.task("deployment")
    harness.reply(task, "started")
    harness.reply(task, "finished", **{"result": "pass", "status": "succeeded", **odd})
    harness.after(24 * 3600)
    assert harness.keptn.counts(task["id"]) == (1, 0)
    assert harness.open("deployment") == [task]
    harness.reply(task, "finished", result="pass", status="succeeded")
    assert harness.open("test")


def test_null_counts_as_nothing_at_all() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.reply(harness.task("deployment"), "started", labels=None, message=None)
    harness.reply(harness.task("deployment"), "finished", result=None, status="succeeded", labels={"a": None})
    assert harness.execution(context)["status"]["previousTasks"][0]["result"] == "fail"


def test_a_wrong_task_in_the_type_is_counted_and_leaves_the_task_stuck() -> None:
    harness = Harness()
    harness.trigger()
    task = harness.task("deployment")
    harness.run(task | {"type": "sh.keptn.event.other.triggered"})
    assert harness.keptn.counts(task["id"]) == (1, 1)
    assert harness.keptn.ignored[-1].reason == "no matching task '.triggered' event found"
    assert harness.open("deployment") == [task]


def test_an_empty_triggered_id_takes_the_newest_event_of_the_type_whoever_owns_it() -> None:
    harness = Harness()
    harness.trigger()
    mine = harness.task("deployment")
    harness.after(1)
    harness.trigger(service="bye")
    theirs = harness.open("deployment")[0]
    harness.run(mine | {"id": ""})
    assert harness.open("deployment") == [mine]
    assert theirs["id"] != mine["id"]


def test_a_reply_in_the_dispatch_gap_is_dropped_though_the_task_is_listed() -> None:
    harness = Harness(timing=Timing(dispatch_gap=2.0))
    context = harness.trigger()
    task = harness.task("deployment")
    assert harness.execution(context)["status"]["currentTask"]["triggeredID"] == ""
    harness.reply(task, "started")
    assert harness.keptn.counts(task["id"]) == (0, 0)
    harness.after(2)
    assert harness.execution(context)["status"]["currentTask"]["triggeredID"] == task["id"]
    harness.reply(task, "started")
    assert harness.keptn.counts(task["id"]) == (1, 0)


def test_in_the_gap_between_two_tasks_the_former_is_still_the_current_one() -> None:
    harness = Harness(timing=Timing(dispatch_gap=2.0))
    context = harness.trigger()
    harness.after(2)
    first = harness.task("deployment")
    harness.run(first)
    status = harness.execution(context)["status"]
    assert harness.open("test")
    assert status["currentTask"]["triggeredID"] == first["id"]
    assert status["previousTasks"] == []


def test_replies_are_handled_after_the_200() -> None:
    harness = Harness(timing=Timing(reply_delay=5.0))
    harness.trigger()
    harness.after(5)
    task = harness.task("deployment")
    harness.run(task)
    assert harness.keptn.counts(task["id"]) == (0, 0)
    harness.after(5)
    assert harness.keptn.counts(task["id"]) == (1, 1)


def test_before_8808_was_fixed_a_finished_sequence_kept_its_last_task() -> None:
    harness = Harness(RELEASE_0_18)
    context = harness.trigger()
    harness.run(harness.task("deployment"))
    last = harness.task("test")
    harness.run(last)
    status = harness.execution(context)["status"]
    assert status["state"] == "finished"
    assert status["currentTask"]["triggeredID"] == last["id"]
    assert [task["name"] for task in status["previousTasks"]] == ["deployment"]
