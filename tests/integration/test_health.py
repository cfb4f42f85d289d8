"""What is counted and measured for the alarms and the dashboard, and when."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from control.controller import EveryPollFailed
from control.health import LONG_OVERDUE
from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome
from execution_plane.telemetry import Count, Measure, metrics
from local.keptn.faults import Answer, HandleThenDrop, LoseEvent
from tests.conftest import TEMPLATE, PlaneMaker
from tests.faults.invariants import bring_to_rest
from tests.support.container_runs import ONE, begin
from tests.support.job_configs import use_job_config
from tests.support.world import SAYHELLO, Plane, World

OTHER = "sh.keptn.event.other.triggered"

Emitted = Callable[[], Mapping[str, list[float]]]


@pytest.fixture
def emitted() -> Emitted:
    """The values of each metric since the last question."""
    metrics.clear_metrics()

    def ask() -> Mapping[str, list[float]]:
        found: dict[str, Any] = {name: each["Value"] for name, each in metrics.metric_set.items()}
        metrics.clear_metrics()
        return found

    return ask


def tick(plane: Plane) -> None:
    """One cycle, with what a tick tells at its end."""
    end = Deadline.after(plane.clock, 120)
    plane.poller.cycle_until(end, 0, end)


def break_list(world: World, event_type: str) -> None:
    world.keptn.faults.add(Answer(500), f"/controlPlane/v1/event/triggered/{event_type}", "GET")


def serve(world: World, plane: Plane) -> None:
    world.trigger()
    plane.cycle()
    tick(plane)
    bring_to_rest(world)


def error(world: World, plane: Plane) -> None:
    plane.tasks.does = lambda _: Outcome.errored("it broke")
    serve(world, plane)


def abort(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    run = plane.run(task)
    plane.ledger.move(run, run.acquired(world.aws_clock.now()))
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.cycles(10)


def lose_the_worker(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    run = plane.run(task)
    taken = plane.ledger.move(run, run.acquired(world.aws_clock.now()))
    plane.ledger.move(taken, taken.beginning(0.0))
    world.cycles(1)


def lose_the_ledger(world: World, plane: Plane) -> None:
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body="finished")
    task = world.trigger()
    plane.cycle()
    plane.work_all()
    world.clock.advance(5)
    plane.ledger._client.delete_item(TableName="ledger-APAC", Key={"event_id": {"S": task}})
    plane.cycle()


def lose_every_finished(world: World, plane: Plane) -> None:
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body="finished")
    world.trigger()
    world.cycles(300, 30.0)


def answer_no_reply(world: World, plane: Plane) -> None:
    world.keptn.faults.add(HandleThenDrop(), "/v1/event", "POST")
    serve(world, plane)


def fail_the_list_of_a_type(world: World, plane: Plane) -> None:
    """Of one of two types, until the deadline of its run is long over."""
    world.trigger()
    plane.cycle()
    break_list(world, SAYHELLO)
    world.clock.advance(3600 + LONG_OVERDUE)
    tick(plane)


def list_what_nobody_can_handle(world: World, plane: Plane) -> None:
    body = json.dumps({"events": [{"id": "no data"}], "nextPageKey": "0", "totalCount": 1})
    world.keptn.faults.add(Answer(200, body, "application/json"), "/controlPlane/v1/event/triggered", "GET")
    plane.cycle()


SCENARIOS: Mapping[str, Callable[[World, Plane], None]] = {
    Count.RUNS_CLAIMED: serve,
    Count.RUNS_FINISHED: serve,
    Count.RUNS_ERRORED: error,
    Count.RUNS_ABANDONED: lose_the_worker,
    Count.RUNS_CANCELLED: abort,
    Count.RUNS_ADOPTED: lose_the_ledger,
    Count.REPLIES_UNCERTAIN: answer_no_reply,
    Count.REPLIES_REPAIRED: lose_every_finished,
    Count.REPLIES_NOT_COUNTED: lose_every_finished,
    Count.POLLS_FAILED: fail_the_list_of_a_type,
    Measure.LISTS_FAILING: fail_the_list_of_a_type,
    Count.EVENTS_REFUSED: list_what_nobody_can_handle,
    Measure.EVENTS_OPEN: serve,
    Measure.RUNS_ACTIVE: serve,
    Measure.RUNS_OVERDUE: fail_the_list_of_a_type,
    Measure.OLDEST_RUN: serve,
    Measure.START_DELAY: serve,
    Measure.RUN_DURATION: serve,
}


@pytest.mark.parametrize("metric", [*Count, *Measure])
def test_every_metric_is_told_when_what_it_counts_happens(
    world: World, new_plane: PlaneMaker, emitted: Emitted, metric: str
) -> None:
    SCENARIOS[metric](world, new_plane(event_types=(SAYHELLO, OTHER)))

    assert max(emitted()[metric]) > 0 or metric in {
        Measure.RUN_DURATION,
        Measure.START_DELAY,
        Measure.OLDEST_RUN,
    }


OWN_ALARMS = {
    name: each["Properties"]
    for name, each in TEMPLATE["Resources"].items()
    if each["Type"] == "AWS::CloudWatch::Alarm" and each["Properties"]["Namespace"] == "KeptnLambdaExecutor"
}


@pytest.mark.parametrize("name", OWN_ALARMS)
def test_an_alarm_of_the_planes_own_is_raised_by_what_it_is_for_and_by_nothing_else(
    world: World, new_plane: PlaneMaker, emitted: Emitted, name: str
) -> None:
    alarm, plane = OWN_ALARMS[name], new_plane(event_types=(SAYHELLO, OTHER))
    serve(world, plane)
    assert alarm["MetricName"] not in emitted()
    SCENARIOS[alarm["MetricName"]](world, plane)

    values = emitted()[alarm["MetricName"]]
    of_a_period = {"Sum": sum(values), "Maximum": max(values), "Minimum": min(values)}
    assert of_a_period[alarm["Statistic"]] >= alarm["Threshold"]


def test_an_idle_plane_has_no_metrics_to_pay_for(plane: Plane, emitted: Emitted) -> None:
    for _ in range(3):
        tick(plane)

    assert emitted() == {}


def test_a_tick_tells_how_much_there_is_to_do(world: World, plane: Plane, emitted: Emitted) -> None:
    for location in ("APAC", "APAC", "EU"):
        world.trigger(location)
    plane.cycle()
    world.clock.advance(60)
    emitted()

    tick(plane)

    found = emitted()
    assert found[Measure.EVENTS_OPEN] == [3]
    assert found[Measure.RUNS_ACTIVE] == [2]
    assert found[Measure.OLDEST_RUN] == [pytest.approx(60, abs=5)]
    assert Measure.RUNS_OVERDUE not in found


def test_what_became_of_a_run_is_counted_when_it_is_closed(
    world: World, plane: Plane, emitted: Emitted
) -> None:
    plane.tasks.does = lambda _: Outcome.errored("it broke")
    world.trigger()
    world.clock.advance(5)
    plane.cycle()
    world.clock.advance(7)
    bring_to_rest(world)

    found = emitted()
    assert found[Count.RUNS_CLAIMED] == [1]
    assert found[Count.RUNS_FINISHED] == [1]
    assert found[Count.RUNS_ERRORED] == [1]
    assert found[Measure.RUN_DURATION] == [pytest.approx(7, abs=1)]
    assert found[Measure.START_DELAY] == [pytest.approx(12, abs=1)]


def test_a_run_that_passes_is_no_errored_one(world: World, plane: Plane, emitted: Emitted) -> None:
    world.trigger()
    bring_to_rest(world)

    assert Count.RUNS_ERRORED not in emitted()


def test_a_list_that_never_comes_while_others_do_is_counted_once_a_slot(
    world: World, new_plane: PlaneMaker, emitted: Emitted
) -> None:
    plane = new_plane(event_types=(SAYHELLO, OTHER))
    break_list(world, OTHER)

    world.trigger()
    plane.poller.cycle_until(Deadline.after(plane.clock, 5), 1, Deadline.after(plane.clock, 120))

    found = emitted()
    assert found[Measure.LISTS_FAILING] == [1]
    assert len(found[Count.POLLS_FAILED]) > 1


def test_a_list_that_comes_later_in_the_slot_is_no_failing_one(
    world: World, new_plane: PlaneMaker, emitted: Emitted
) -> None:
    plane = new_plane(event_types=(SAYHELLO, OTHER))
    break_list(world, OTHER)
    world.clock.on_advance.append(world.keptn.faults.clear)

    world.trigger()
    plane.poller.cycle_until(Deadline.after(plane.clock, 5), 1, Deadline.after(plane.clock, 120))

    found = emitted()
    assert Count.POLLS_FAILED in found
    assert Measure.LISTS_FAILING not in found


def test_that_a_list_comes_again_is_told_once_so_that_the_alarm_is_for_one_that_never_did(
    world: World, new_plane: PlaneMaker, emitted: Emitted
) -> None:
    plane = new_plane(event_types=(SAYHELLO, OTHER))
    tick(plane)
    break_list(world, OTHER)
    tick(plane)
    tick(plane)
    world.keptn.faults.clear()
    tick(plane)
    tick(plane)

    assert emitted()[Measure.LISTS_FAILING] == [1, 1, 0]


def test_where_no_list_comes_the_slot_fails_instead(world: World, plane: Plane, emitted: Emitted) -> None:
    break_list(world, SAYHELLO)

    with pytest.raises(EveryPollFailed):
        tick(plane)

    assert Measure.LISTS_FAILING not in emitted()


def test_a_run_that_nobody_ends_at_its_deadline_is_counted(
    world: World, new_plane: PlaneMaker, emitted: Emitted
) -> None:
    """The list of its type fails, so that the plan has nothing to go by."""
    plane = new_plane(event_types=(SAYHELLO, OTHER), run_deadline=600)
    world.trigger()
    plane.cycle()
    break_list(world, SAYHELLO)
    world.clock.advance(600 + LONG_OVERDUE - 60)
    tick(plane)
    assert Measure.RUNS_OVERDUE not in emitted()

    world.clock.advance(120)
    tick(plane)

    assert emitted()[Measure.RUNS_OVERDUE] == [1]


def test_a_waiting_run_is_overdue_by_its_containers_deadline(
    world: World, plane: Plane, emitted: Emitted
) -> None:
    use_job_config(plane, ONE.replace("maxPollDuration: 600", "maxPollDuration: 86400"))
    world.trigger()
    begin(plane)
    world.clock.advance(40_000)

    tick(plane)

    assert Measure.RUNS_OVERDUE not in emitted()


def test_what_became_of_a_closed_run_can_be_counted_by_the_lines_of_the_log(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    error(world, plane)

    (line,) = [vars(each) for each in caplog.records if each.message == "run closed"]
    names = ("project", "stage", "task", "status", "result")
    assert [line[name] for name in names] == ["podtato", "dev", "sayhello", "errored", "fail"]
