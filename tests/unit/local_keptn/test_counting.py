"""The shipyard controller counts replies; nothing else about them matters to it."""

from local.keptn.release import RELEASE_0_18
from tests.unit.local_keptn.rig import Rig


def test_a_started_and_a_finished_complete_a_task() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.run(task)
    assert rig.keptn.counts(task["id"]) == (1, 1)
    assert rig.open("deployment") == []
    assert len(rig.open("test")) == 1


def test_the_order_of_started_and_finished_does_not_matter() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "finished", result="pass", status="succeeded")
    assert rig.open("deployment")
    rig.reply(task, "started")
    assert rig.open("test")


def test_a_task_stays_open_while_it_runs() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    assert rig.open("deployment") == [task]


def test_a_doubled_started_hangs_the_sequence_until_there_is_a_second_finished() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    rig.run(task)
    rig.after(24 * 3600)
    assert rig.open("deployment")
    assert rig.keptn.counts(task["id"]) == (2, 1)
    rig.reply(task, "finished", result="pass", status="succeeded")
    assert rig.open("test")


def test_a_finished_after_completion_is_ignored() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.run(task)
    rig.reply(task, "finished", result="fail", status="errored")
    assert rig.keptn.ignored[-1].reason == "sequence not found"
    assert rig.keptn.counts(task["id"]) == (1, 1)
    assert rig.open("test")


def test_two_executors_are_counted_together_and_the_worst_result_wins() -> None:
    rig = Rig()
    context = rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started")
    rig.reply(task, "started")
    rig.reply(task, "finished", result="warning", status="succeeded")
    rig.reply(task, "finished", result="pass", status="succeeded")
    assert rig.execution(context)["status"]["previousTasks"][0]["result"] == "warning"


def test_a_reply_to_an_unknown_task_or_in_another_context_is_ignored() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.run(task | {"id": "5b0d5c3e-0000-4000-8000-000000000000"})
    rig.run(task | {"shkeptncontext": "5b0d5c3e-0000-4000-8000-000000000000"})
    assert rig.keptn.counts(task["id"]) == (0, 0)


def test_an_event_without_a_service_is_ignored() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.reply(task, "started", service="")
    assert rig.keptn.ignored[-1].reason == "event does not contain a service"


def test_a_wrong_task_in_the_type_is_counted_and_leaves_the_task_stuck() -> None:
    rig = Rig()
    rig.trigger()
    task = rig.task("deployment")
    rig.run(task | {"type": "sh.keptn.event.other.triggered"})
    assert rig.keptn.counts(task["id"]) == (1, 1)
    assert rig.keptn.ignored[-1].reason == "no matching task '.triggered' event found"
    assert rig.open("deployment") == [task]


def test_an_empty_triggered_id_takes_the_newest_event_of_the_type_whoever_owns_it() -> None:
    rig = Rig()
    rig.trigger()
    mine = rig.task("deployment")
    rig.after(1)
    rig.trigger()
    theirs = rig.open("deployment")[0]
    rig.run(mine | {"id": ""})
    assert rig.open("deployment") == [mine]
    assert theirs["id"] != mine["id"]


def test_a_reply_in_the_dispatch_gap_is_dropped_though_the_task_is_listed() -> None:
    rig = Rig(dispatch_gap=2.0)
    context = rig.trigger()
    task = rig.task("deployment")
    assert rig.execution(context)["status"]["currentTask"]["triggeredID"] == ""
    rig.reply(task, "started")
    assert rig.keptn.counts(task["id"]) == (0, 0)
    rig.after(2)
    assert rig.execution(context)["status"]["currentTask"]["triggeredID"] == task["id"]
    rig.reply(task, "started")
    assert rig.keptn.counts(task["id"]) == (1, 0)


def test_in_the_gap_between_two_tasks_the_former_is_still_the_current_one() -> None:
    rig = Rig(dispatch_gap=2.0)
    context = rig.trigger()
    rig.after(2)
    first = rig.task("deployment")
    rig.run(first)
    status = rig.execution(context)["status"]
    assert rig.open("test")
    assert status["currentTask"]["triggeredID"] == first["id"]
    assert status["previousTasks"] == []


def test_replies_are_handled_after_the_200() -> None:
    rig = Rig(reply_delay=5.0)
    rig.trigger()
    rig.after(5)
    task = rig.task("deployment")
    rig.run(task)
    assert rig.keptn.counts(task["id"]) == (0, 0)
    rig.after(5)
    assert rig.keptn.counts(task["id"]) == (1, 1)


def test_before_8808_was_fixed_a_finished_sequence_kept_its_last_task() -> None:
    rig = Rig(RELEASE_0_18)
    context = rig.trigger()
    rig.run(rig.task("deployment"))
    last = rig.task("test")
    rig.run(last)
    status = rig.execution(context)["status"]
    assert status["state"] == "finished"
    assert status["currentTask"]["triggeredID"] == last["id"]
    assert [task["name"] for task in status["previousTasks"]] == ["deployment"]
