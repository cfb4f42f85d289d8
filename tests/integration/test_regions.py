"""One event type heard by several planes: what docs/regions.md says of it."""

import logging

import pytest

from control.observing import LONGEST_VALUE
from execution_plane.keptn.events import Outcome
from execution_plane.settings import InvalidSetting, PollerSettings
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.support.world import Plane, World

TEN_MINUTES = 70  # cycles of ten seconds: Keptn looks once a minute


def state(world: World, task: str) -> str:
    found = world.keptn.sequence_state(world.contexts[task])
    assert found is not None
    return str(found["state"])


def test_a_location_that_no_plane_serves_times_out_after_ten_minutes(
    world: World, new_plane: PlaneMaker
) -> None:
    new_plane("APAC"), new_plane("EU")
    task = world.trigger("US")

    world.cycles(55)
    assert state(world, task) == "started"

    world.cycles(TEN_MINUTES - 55)
    assert state(world, task) == "timedOut"


def test_a_catch_all_plane_takes_what_no_other_does_and_nothing_else(
    world: World, new_plane: PlaneMaker
) -> None:
    apac, others = new_plane("APAC"), new_plane("!APAC,EU")
    served, unknown = world.trigger("APAC"), world.trigger("US")
    nowhere = world.trigger(sayhello={})

    world.cycles(3)

    assert apac.tasks.begun == [served]
    assert sorted(others.tasks.begun) == sorted([unknown, nowhere])
    assert {state(world, task) for task in (served, unknown, nowhere)} == {"finished"}


def test_two_planes_that_match_both_do_the_task_and_the_worse_result_counts(
    world: World, new_plane: PlaneMaker
) -> None:
    one, two = new_plane("APAC"), new_plane("!EU")
    two.tasks.does = lambda _: Outcome("fail", "succeeded", "not here")
    task = world.trigger("APAC")
    for plane in (one, two):
        plane.cycle()

    do_side_by_side(one, two)
    world.settle()

    assert world.keptn.counts(task) == (2, 2)
    assert (one.tasks.begun, two.tasks.begun) == ([task], [task])
    last = world.keptn.events(world.contexts[task])[-1]
    assert (last["type"], last["data"]["result"]) == ("sh.keptn.event.dev.sequence1.finished", "fail")


def do_side_by_side(first: Plane, second: Plane) -> None:
    """The second plane does all of its work while the first plane's task is under way."""

    def wait_for_the_other(_: TaskContext) -> Outcome:
        second.work_all()
        return Outcome("pass", "succeeded", "here")

    first.tasks.does = wait_for_the_other
    first.work_all()


def test_a_fast_plane_completes_the_task_before_a_slow_one_has_seen_it(
    world: World, new_plane: PlaneMaker
) -> None:
    fast, slow = new_plane("APAC"), new_plane("!EU")
    task = world.trigger("APAC")

    fast.cycle()
    fast.work_all()
    world.settle()
    slow.cycle()
    slow.work_all()

    assert world.keptn.counts(task) == (1, 1)
    assert slow.tasks.begun == []
    assert state(world, task) == "finished"


@pytest.mark.parametrize("seen", ["apac", "APAC ", "EU"])
def test_what_is_left_to_others_is_counted_with_the_values_that_were_seen(
    world: World, new_plane: PlaneMaker, caplog: pytest.LogCaptureFixture, seen: str
) -> None:
    plane = new_plane("APAC,7")
    world.trigger("APAC")
    world.trigger(seen)
    world.trigger("x" * 5000)
    world.trigger(sayhello={})
    caplog.set_level(logging.DEBUG, logger="keptn-lambda-executor")

    report = plane.cycle()

    values = sorted(["(no text, number or truth value)", seen, "x" * LONGEST_VALUE])
    assert (report.events_listed, report.events_left, report.values_left) == (4, 3, values)
    (line,) = [each for each in caplog.records if each.message == "events are left to other planes"]
    assert (line.levelname, vars(line)["events"], vars(line)["values"]) == ("DEBUG", 3, values)


def test_numbers_and_truth_values_are_matched_as_json_writes_them(
    world: World, new_plane: PlaneMaker
) -> None:
    one, others = new_plane("7,true"), new_plane("!7,true")
    tasks = [world.trigger(location) for location in (7, True, "7", 8, False)]  # type: ignore[arg-type]

    world.cycles(3)

    assert sorted(one.tasks.begun) == sorted(tasks[:3])
    assert sorted(others.tasks.begun) == sorted(tasks[3:])


@pytest.mark.parametrize("value", [",", " , "])
def test_a_match_without_a_value_is_refused(value: str) -> None:
    environ = {
        "EVENT_TYPES": "sh.keptn.event.sayhello.triggered",
        "MATCH_PROPERTY": "$.data.sayhello.location",
        "MATCH_VALUE": value,
        "WORKER_FUNCTION_NAME": "worker",
        "PLANE_SOURCE": "plane",
    }

    with pytest.raises(InvalidSetting, match="it lists no value, as in APAC or APAC,EU"):
        PollerSettings.from_environment(environ)


def test_a_catch_all_must_say_what_it_leaves_to_others() -> None:
    environ = {
        "EVENT_TYPES": "sh.keptn.event.sayhello.triggered",
        "MATCH_PROPERTY": "$.data.sayhello.location",
        "MATCH_VALUE": "! ,",
        "WORKER_FUNCTION_NAME": "worker",
        "PLANE_SOURCE": "plane",
    }

    with pytest.raises(InvalidSetting, match="after the ! list the values that other planes take"):
        PollerSettings.from_environment(environ)
