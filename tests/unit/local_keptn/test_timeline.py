"""A sequence's picture: where each task's bar and each reply's mark lie."""

from typing import Any

import pytest

from local.keptn.sources import hue_of
from local.keptn.timeline import draw

BEGIN = "2026-09-21T12:00:00.000Z"


def event(kind: str, second: int, name: str = "sayhello", task: str = "t1", **more: Any) -> dict[str, Any]:
    """An event so many seconds after the sequence began."""
    said = more.pop("data", {})
    return {
        "id": task if kind == "triggered" else f"{kind}-{second}",
        "type": f"sh.keptn.event.{name}.{kind}",
        "time": f"2026-09-21T12:00:{second:02}.000Z",
        "source": "plane",
        "data": {"stage": "dev", **said},
        **({} if kind == "triggered" else {"triggeredid": task}),
        **more,
    }


SEQUENCE = event("triggered", 0, "dev.sequence1", "s")
NOW = 1_789_992_100.0  # at 12:01:40


def test_a_task_has_a_bar_from_triggered_to_finished_with_its_replies_marked() -> None:
    picture = draw(
        [
            SEQUENCE,
            event("triggered", 10),
            event("started", 20),
            event("status.changed", 30, data={"message": "half"}),
            event("finished", 40, data={"result": "pass"}),
        ],
        NOW,
    )

    (bar,) = picture.bars
    assert (bar.name, bar.stage, bar.result, bar.is_open) == ("sayhello", "dev", "pass", False)
    assert (bar.left, bar.width, bar.seconds) == (25, 75, 30)
    assert bar.hue == hue_of("plane")
    assert [(mark.kind, mark.left) for mark in bar.marks] == [
        ("started", 50),
        ("status.changed", 75),
        ("finished", 100),
    ]
    assert bar.marks[1].title == "status.changed by plane\nhalf"
    assert picture.sources == [("plane", hue_of("plane"))]
    assert picture.ticks == [(0, "0.0 s"), (25, "10 s"), (50, "20 s"), (75, "30 s"), (100, "40 s")]


def test_a_task_that_goes_on_reaches_to_now() -> None:
    picture = draw([SEQUENCE, event("triggered", 0), event("started", 50)], NOW)

    (bar,) = picture.bars
    assert (bar.is_open, bar.width, bar.result) == (True, 100, "")
    assert bar.marks[0].left == 50


def test_a_task_that_nobody_has_started_has_no_colour() -> None:
    (bar,) = draw([event("triggered", 0)], NOW).bars

    assert bar.hue is None


def test_a_task_with_two_executors_goes_on_until_both_have_finished() -> None:
    events = [
        event("triggered", 0),
        event("started", 1),
        event("started", 2, source="other"),
        event("finished", 3, data={"result": "pass"}),
    ]
    assert draw(events, NOW).bars[0].is_open

    (bar,) = draw([*events, event("finished", 5, source="other", data={"result": "fail"})], NOW).bars

    assert (bar.is_open, bar.result) == (False, "fail")
    assert {mark.hue for mark in bar.marks} == {hue_of("plane"), hue_of("other")}


def test_each_task_of_each_stage_has_a_bar_of_its_own() -> None:
    events = [event("triggered", 0), event("triggered", 5, "deploy", "t2", data={"stage": "prod"})]

    assert [(bar.stage, bar.name) for bar in draw(events, NOW).bars] == [
        ("dev", "sayhello"),
        ("prod", "deploy"),
    ]


@pytest.mark.parametrize("events", [[], [SEQUENCE]])
def test_without_tasks_there_is_no_picture(events: list[dict[str, Any]]) -> None:
    assert draw(events, NOW).bars == ()
