"""What a look's answer means for us."""

from typing import Any

import pytest

from execution_plane.keptn.look import Look, Standing, read_current_tasks, read_look

OURS, OTHERS = "plane", "another"


def reply(kind: str, source: str = OURS) -> dict[str, str]:
    return {"eventType": f"sh.keptn.event.sayhello.{kind}", "source": source}


def execution(
    current: str | None = None,
    state: str = "triggered",
    previous: tuple[str, ...] = (),
    events: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    task = {"triggeredID": current, "events": events} if current else None
    return {
        "status": {
            "state": state,
            "previousTasks": [{"triggeredID": task_id} for task_id in previous],
            "currentTask": task,
        }
    }


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([], Look(Standing.GAP)),
        ([execution()], Look(Standing.GAP)),
        ([execution("other")], Look(Standing.GAP)),
        ([execution("task")], Look(Standing.OPEN)),
        ([execution("task", events=[])], Look(Standing.OPEN)),
        ([execution("task", "paused")], Look(Standing.OPEN, paused=True)),
        ([execution("task", "finished")], Look(Standing.OVER)),
        ([execution("task", "timedOut")], Look(Standing.OVER)),
        ([execution("next", previous=("first", "task"))], Look(Standing.OVER)),
        ([execution(state="finished", previous=("task",))], Look(Standing.OVER)),
        ([execution("task", previous=("task",))], Look(Standing.OVER)),
        ([execution("other", "finished"), execution("task")], Look(Standing.OPEN)),
        ([execution("task", events=[reply("started")])], Look(Standing.OPEN, starts=1)),
        (
            [execution("task", events=[reply("started"), reply("started"), reply("finished")])],
            Look(Standing.OPEN, starts=2, finishes=1),
        ),
        (
            [
                execution(
                    "task", events=[reply("started", OTHERS), reply("finished", OTHERS), reply("finished")]
                )
            ],
            Look(Standing.OPEN, starts=0, finishes=1),
        ),
        ([execution("task", events=[reply("status.changed")])], Look(Standing.OPEN)),
    ],
)
def test_a_look_says_where_the_task_stands_and_what_was_counted_of_ours(
    executions: list[Any], expected: Look
) -> None:
    assert read_look(executions, "task", OURS) == expected


def test_lists_that_go_writes_as_null_are_empty() -> None:
    status = {
        "state": "triggered",
        "previousTasks": None,
        "currentTask": {"triggeredID": "task", "events": None},
    }

    assert read_look([{"status": status}], "task", OURS) == Look(Standing.OPEN)


def test_an_execution_without_a_current_task_is_no_obstacle() -> None:
    assert read_look([{"status": {"state": "finished"}}], "task", OURS) == Look(Standing.GAP)


def test_of_many_executions_the_wanted_tasks_are_read_that_are_current_in_one() -> None:
    executions = [
        execution(),
        execution("not wanted"),
        execution("ours", events=[reply("started"), reply("started", OTHERS)]),
        execution("next", previous=("over",)),
        execution("paused", "paused"),
        execution("new"),
    ]

    assert read_current_tasks(executions, {"ours", "over", "paused", "new", "unknown"}, OURS) == {
        "ours": Look(Standing.OPEN, starts=1),
        "paused": Look(Standing.OPEN, paused=True),
        "new": Look(Standing.OPEN),
    }
