"""A tick and its timers poll: seldom on an idle plane, often on a busy one, and never in a burst."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.runs import State
from local.keptn.faults import Answer
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.recording import Recording, record
from tests.support.schedule import Schedule, TimerQueue
from tests.support.world import SAYHELLO, Plane, World

PASS = Outcome("pass", "succeeded")
LIST = "event/triggered"
INTEGRATION = Integration("keptn-lambda-executor", "1/eu-west-1/x", "eu-west-1", "0.1.0")
FIVE_TASKS = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {name: shipyard}
spec:
  stages:
    - name: dev
      sequences:
        - name: sequence1
          tasks: [{name: sayhello}, {name: sayhello}, {name: sayhello}, {name: sayhello}, {name: sayhello}]
"""


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


def after(world: World, seconds: float, act: Callable[[], object]) -> None:
    """Do something once, as soon as so many seconds have passed."""
    due = world.clock.now() + seconds

    def react() -> None:
        if world.clock.now() >= due and react in world.clock.on_advance:
            world.clock.on_advance.remove(react)
            act()

    world.clock.on_advance.append(react)


def lambda_works(plane: Plane) -> None:
    """From now on, whatever gets into Lambda's queue is done as time passes."""
    plane.clock.on_advance.append(plane.work_all)


def polls(plane: Plane) -> list[float]:
    """The seconds from now at which the plane reads what is active, as it does at each poll."""
    begun, times = plane.clock.now(), []
    active = plane.ledger.active

    def noting() -> Any:
        times.append(plane.clock.now() - begun)
        return active()

    plane.ledger.active = noting  # type: ignore[method-assign]
    return times


def test_an_idle_minute_polls_twelve_times_with_no_pause_at_its_end(plane: Plane) -> None:
    times = polls(plane)

    plane.minutes(2)

    assert times == [*range(0, 120, 5)]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (0, [0]),
        (2, [*range(0, 60, 2)]),
        (7, [*range(0, 60, 7)]),
        (25, [0, 25, 50]),
        (60, [0]),
        (300, [0]),
    ],
)
def test_a_minute_has_the_polls_of_its_interval(plane: Plane, interval: int, expected: list[int]) -> None:
    times = polls(plane)

    plane.minutes(1, interval=interval)

    assert times == expected


def test_a_slower_schedules_timers_reach_to_its_next_tick(plane: Plane) -> None:
    times = polls(plane)

    plane.minutes(5, interval=5, period=300)

    assert times == [*range(0, 300, 5)]


def test_a_plane_polls_each_second_from_the_poll_on_that_finds_a_task(world: World, plane: Plane) -> None:
    after(world, 13, world.trigger)
    times = polls(plane)

    plane.minutes(0.5)

    assert times == [0, 5, 10, *range(15, 30)]


def test_each_poll_of_a_busy_plane_belongs_to_a_slot_and_none_outlives_it(world: World, plane: Plane) -> None:
    world.trigger()

    schedule = plane.minutes(1)

    assert [report.cycles for report in schedule.reports if report][:6] == [5] * 6
    assert schedule.most_at_once == 1


def test_ten_seconds_after_its_last_task_has_ended_a_plane_is_idle_again(world: World, plane: Plane) -> None:
    lambda_works(plane)
    world.trigger()
    times = polls(plane)

    plane.minutes(1)

    assert times == [*range(13), *range(15, 60, 5)]
    assert plane.ledger.active() == []


def test_a_task_that_runs_for_minutes_is_looked_at_at_the_idle_pace(world: World, plane: Plane) -> None:
    """Its abort is noticed within the interval."""
    world.trigger()
    plane.cycle()
    lambda_works(plane)
    world.clock.advance(40)
    times = polls(plane)

    plane.minutes(1)

    assert times == [*range(0, 60, 5)]


def test_a_task_that_has_just_ended_makes_the_next_slot_busy_whoever_polls_it(
    world: World, plane: Plane
) -> None:
    """The worker took its time, and no poller remembers anything."""
    world.trigger()
    plane.cycle()
    world.clock.advance(120)
    after(world, 12, plane.work_all)
    times = polls(plane)

    plane.minutes(0.5)

    assert times == [0, 5, 10, *range(15, 24), 25]


def test_replies_that_keptn_holds_open_for_others_are_no_work(world: World, plane: Plane) -> None:
    """Another executor has started the task, too, and may take days."""
    task = world.trigger()
    (event,) = world.keptn.open_events(SAYHELLO)
    theirs = {"source": "another", "triggeredid": task, "type": f"{SAYHELLO[:-9]}started"}
    world.keptn.accept({**event, "id": "s", **theirs})
    plane.cycle()
    plane.work_all()
    world.clock.advance(30)
    times = polls(plane)

    plane.minutes(10)

    assert plane.run(task).repairs, "it was asked for, again and again"
    assert times == [*range(0, 600, 5)]


def test_a_task_that_keptn_never_notes_is_no_work_for_long(world: World, plane: Plane) -> None:
    """It is listed, and no execution has it."""
    world.trigger()
    world.keptn.faults.add(
        Answer(200, '{"sequenceExecutions": []}', "application/json"), "sequence-execution"
    )
    times = polls(plane)

    plane.minutes(1)

    assert times == [*range(32), *range(35, 60, 5)]


def test_what_a_plane_that_drains_leaves_alone_is_no_work(world: World, plane: Plane) -> None:
    world.trigger()
    plane.drain()
    times = polls(plane)

    plane.minutes(1)

    assert times == [*range(0, 60, 5)]


def test_a_sequences_next_tasks_start_within_a_second_and_a_half(world: World, plane: Plane) -> None:
    """From one slot into the next, and from one tick into the next."""
    world.keptn.create_project("sockshop", FIVE_TASKS, services=("head",))
    lambda_works(plane)
    started: dict[str, float] = {}

    def does(context: TaskContext) -> Outcome:
        started[context.event.ref.id] = world.clock.now()
        return PASS

    plane.tasks.does = does
    data = {"sayhello": {"location": "APAC"}}
    after(world, 57, lambda: world.keptn.trigger("sockshop", "dev", "head", "sequence1", data))
    triggered: dict[str, float] = {}
    world.clock.on_advance.append(
        lambda: triggered.update({each["id"]: _seconds(each) for each in world.keptn.open_events(SAYHELLO)})
    )

    plane.minutes(1.2)

    waited = [started[task] - triggered[task] for task in started]
    assert len(waited) == 5
    assert max(waited[1:]) <= 1.5


def _seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def test_a_plane_that_polls_once_a_tick_polls_on_while_it_has_a_task(world: World, plane: Plane) -> None:
    lambda_works(plane)
    times = polls(plane)
    plane.minutes(1, interval=0)
    assert times == [0]
    world.trigger()
    times.clear()

    plane.minutes(1, interval=0)

    assert times == [60 + second for second in range(13)]


def test_a_poller_of_a_long_slot_polls_for_as_long_as_lambda_lets_it(world: World, plane: Plane) -> None:
    world.trigger()
    times = polls(plane)

    plane.minutes(1, interval=0, timeout=25)

    assert times == [*range(20)]


def test_a_keptn_that_has_had_too_much_is_asked_less(world: World, plane: Plane) -> None:
    world.trigger()
    plane.cycle()
    world.keptn.faults.add(Answer(429), LIST)
    times = polls(plane)

    schedule = plane.minutes(0.5, interval=0)

    assert times == [0, 2, 6, 14, 24, 34]
    assert "429" in str(schedule.failures[0])


@pytest.fixture
def slowly(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[float]]:
    """Have each list take so long; gives the moments at which they are asked for."""

    def slow(seconds: float) -> list[float]:
        answers, begun, asked = ControlPlane.open_events, world.clock.now(), []

        def wait(client: ControlPlane, *arguments: Any) -> Any:
            asked.append(world.clock.now() - begun)
            world.clock.advance(seconds)
            return answers(client, *arguments)

        monkeypatch.setattr(ControlPlane, "open_events", wait)
        return asked

    return slow


def test_a_keptn_that_answers_slowly_is_asked_less(
    world: World, plane: Plane, slowly: Callable[[float], list[float]]
) -> None:
    world.trigger()
    plane.cycle()
    asked = slowly(2)

    plane.minutes(0.5, interval=0)

    assert asked[:5] == [0, 4, 8, 12, 16]


def test_a_keptn_that_takes_a_quarter_of_a_minute_is_never_asked_by_more_than_two(
    world: World, plane: Plane, slowly: Callable[[float], list[float]]
) -> None:
    task = world.trigger()
    lambda_works(plane)
    asked = slowly(15)

    schedule = plane.minutes(10)
    bring_to_rest(world)

    assert schedule.most_at_once == 2
    assert len(asked) <= 2 * 600 / 15 + 2
    check_invariants(world, [task])


def test_a_busy_plane_sends_no_more_heartbeats_than_an_idle_one(
    world: World, recording: Recording, new_plane: PlaneMaker
) -> None:
    plane = new_plane(integration=INTEGRATION)
    world.trigger()

    plane.minutes(0.5)

    assert len(recording.asked("GET", LIST)) == 30
    assert len(recording.asked("PUT", "/ping")) == 6


def test_a_poll_out_of_turn_is_one_poll_and_sets_no_timers(world: World, plane: Plane) -> None:
    world.trigger()
    schedule = Schedule(plane)

    schedule.invoke({})

    assert [report.cycles for report in schedule.reports if report] == [1]
    assert schedule.queue.messages == []


def test_timers_that_sqs_loses_cost_no_more_than_the_time_until_the_next_tick(
    world: World, plane: Plane
) -> None:
    lambda_works(plane)
    schedule = Schedule(plane)
    after(world, 1, schedule.queue.messages.clear)
    after(world, 5, lambda: tasks.append(world.trigger()))
    tasks: list[str] = []
    times = polls(plane)

    schedule.run(60)
    assert times == [0]
    assert world.keptn.counts(tasks[0]) == (0, 0)

    schedule.run(30)
    assert times[1] == 60
    assert world.keptn.counts(tasks[0]) == (1, 1)


def test_a_mapping_that_is_disabled_for_ten_minutes_is_followed_by_no_burst_and_loses_nothing_under_way(
    world: World, plane: Plane
) -> None:
    task = world.trigger()
    schedule = Schedule(plane)
    schedule.run(3)
    assert plane.run(task).state is State.CLAIMED
    schedule.is_enabled = False
    lambda_works(plane)
    schedule.run(600)
    assert world.keptn.counts(task) == (1, 1)
    assert plane.run(task).state is State.DONE
    times = polls(plane)

    schedule.is_enabled = True
    schedule.run(20)

    assert plane.run(task).state is State.CLOSED
    assert max(len([at for at in times if begin <= at < begin + 5]) for begin in range(20)) <= 5


def test_timers_that_come_late_poll_until_their_slot_ends_and_after_that_not_at_all(
    world: World, plane: Plane
) -> None:
    schedule = Schedule(plane)
    schedule.tick()
    schedule.is_enabled = False
    world.clock.advance(22)
    times = polls(plane)

    schedule.is_enabled = True
    world.clock.advance(0)

    assert times == [0], "the slots that ended at 10, 15 and 20 have no poll any more"
    assert schedule.reports.count(None) == 3


def test_a_tick_that_comes_late_sets_the_timers_that_are_left_and_too_late_none(
    world: World, plane: Plane
) -> None:
    for late, polled in ((23.0, 8), (59.0, 1), (60.0, 0)):
        schedule = Schedule(plane)
        schedule.is_enabled = False
        schedule.tick()
        world.clock.advance(late)
        times = polls(plane)
        schedule.is_enabled = True

        world.clock.advance(0)
        while schedule.queue.messages:
            world.clock.advance(0.5)

        assert len(times) == polled, late
        schedule.stop()


def test_where_sqs_takes_no_timers_each_tick_polls_all_the_same(world: World, plane: Plane) -> None:
    def refuse(queue: TimerQueue) -> Any:
        error = {"Error": {"Code": "ServiceUnavailable", "Message": "down"}}
        queue.send_message_batch = Mock(side_effect=ClientError(error, "SendMessageBatch"))  # type: ignore[method-assign, arg-type]
        return queue

    lambda_works(plane)
    task = world.trigger()
    times = polls(plane)

    schedule = plane.minutes(3, sqs=refuse)

    assert times == [*range(5), 60, 120]
    assert schedule.failures == []
    assert plane.run(task).state is State.CLOSED


def test_two_pollers_at_busy_speed_double_nothing(world: World, plane: Plane) -> None:
    """Every second of one is a poll of another, and every invocation comes twice."""
    other = plane.new_poller()
    tasks = [world.trigger() for _ in range(3)]
    world.clock.on_advance.append(lambda: plane.cycle(other))

    def work_twice() -> None:
        plane.queue.invocations[:] = [each for each in plane.queue.invocations for _ in range(2)]
        plane.work_all()

    world.clock.on_advance.append(work_twice)
    after(world, 5, lambda: tasks.append(world.trigger()))

    plane.minutes(1)
    bring_to_rest(world)

    assert len(tasks) == 4
    check_invariants(world, tasks)
    assert {world.keptn.counts(task) for task in tasks} == {(1, 1)}
