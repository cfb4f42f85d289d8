"""A plane that has tasks polls often, from one tick into the next; one that has none as it always did."""

from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any

import pytest

from execution_plane.keptn.events import Outcome
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.ledger.watch import Watch
from local.keptn.faults import Answer
from runs.work import Performance
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.recording import Recording, record
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


def test_an_idle_tick_polls_six_times_and_leaves_ten_seconds_until_the_next(plane: Plane) -> None:
    times = polls(plane)

    plane.tick()

    assert times == [0, 10, 20, 30, 40, 50]


def test_a_plane_polls_each_second_from_the_poll_on_that_finds_a_task(world: World, plane: Plane) -> None:
    after(world, 15, world.trigger)
    times = polls(plane)

    plane.tick(timeout=35)

    assert times == [0, 10, *range(20, 30)]


def test_half_a_minute_after_its_last_task_a_plane_is_idle_again(world: World, plane: Plane) -> None:
    lambda_works(plane)
    world.trigger()
    times = polls(plane)

    plane.tick(window=75)

    assert times == [*range(31), 40, 50, 60, 70]
    assert plane.ledger.active() == []


def test_replies_that_keptn_holds_open_for_others_are_no_work(world: World, plane: Plane) -> None:
    """Another executor has started the task, too, and may take days."""
    task = world.trigger()
    (event,) = world.keptn.open_events(SAYHELLO)
    theirs = {"source": "another", "triggeredid": task, "type": f"{SAYHELLO[:-9]}started"}
    world.keptn.accept({**event, "id": "s", **theirs})
    plane.cycle()
    plane.work_all()
    world.clock.advance(60)
    times = polls(plane)

    plane.tick()

    assert plane.run(task).reported_at is not None
    assert times == [0, 10, 20, 30, 40, 50]


def test_a_task_that_keptn_never_notes_is_no_work_for_long(world: World, plane: Plane) -> None:
    """It is listed, and no execution has it."""
    world.trigger()
    world.keptn.faults.add(
        Answer(200, '{"sequenceExecutions": []}', "application/json"), "sequence-execution"
    )
    times = polls(plane)

    plane.tick()

    assert times == [*range(31), 40, 50]


def test_what_a_plane_that_drains_leaves_alone_is_no_work(world: World, plane: Plane) -> None:
    world.trigger()
    plane.drain()
    times = polls(plane)

    plane.tick()

    assert times == [0, 10, 20, 30, 40, 50]


def test_a_sequences_next_tasks_start_within_a_second_and_a_half(world: World, plane: Plane) -> None:
    world.keptn.create_project("sockshop", FIVE_TASKS, services=("head",))
    lambda_works(plane)
    started: dict[str, float] = {}

    def does(performance: Performance) -> Outcome:
        started[performance.event.ref.id] = world.clock.now()
        return PASS

    plane.tasks.does = does
    data = {"sayhello": {"location": "APAC"}}
    after(world, 3, lambda: world.keptn.trigger("sockshop", "dev", "head", "sequence1", data))
    triggered: dict[str, float] = {}
    world.clock.on_advance.append(
        lambda: triggered.update({each["id"]: _seconds(each) for each in world.keptn.open_events(SAYHELLO)})
    )

    plane.tick()

    waited = [started[task] - triggered[task] for task in started]
    assert len(waited) == 5
    assert median(waited[1:]) <= 1.5


def _seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def test_a_busy_plane_polls_on_until_the_next_tick_has_begun(world: World, plane: Plane) -> None:
    world.trigger()
    times = polls(plane)
    after(world, 61, lambda: plane.tick(timeout=7))  # time for two polls

    plane.tick()

    assert times == [*range(63)], "and the one before has polled no more"


def test_a_busy_plane_without_a_next_tick_polls_for_as_long_as_lambda_lets_it(
    world: World, plane: Plane
) -> None:
    world.trigger()
    times = polls(plane)

    plane.tick(timeout=90)

    assert max(times) == 84


def test_the_next_tick_of_a_busy_plane_is_busy_at_once(world: World, plane: Plane) -> None:
    """Its last task has just ended, and its sequence's next one is another executor's."""
    lambda_works(plane)
    after(world, 40, world.trigger)
    times = polls(plane)
    after(world, 60, lambda: plane.tick(timeout=15))

    plane.tick()

    assert [time for time in times if time >= 60] == [*range(60, 70)]


def test_a_tick_of_an_idle_plane_is_idle_however_busy_it_was_before(world: World, plane: Plane) -> None:
    lambda_works(plane)
    world.trigger()
    plane.tick()
    world.clock.advance(60)
    times = polls(plane)

    plane.tick()

    assert times == [0, 10, 20, 30, 40, 50]


def test_a_plane_that_polls_once_a_tick_polls_on_while_it_has_a_task(world: World, plane: Plane) -> None:
    lambda_works(plane)
    times = polls(plane)
    plane.tick(idle=0.0)
    assert times == [0]
    world.trigger()
    times.clear()

    plane.tick(idle=0.0)

    assert times == [*range(31)]


def test_a_keptn_that_has_had_too_much_is_asked_less(world: World, plane: Plane) -> None:
    world.trigger()
    plane.cycle()
    world.keptn.faults.add(Answer(429), LIST)
    times = polls(plane)

    with pytest.raises(Exception, match="429"):
        plane.tick(timeout=50)

    assert times == [0, 2, 6, 14, 24, 34, 44]


def test_a_keptn_that_answers_slowly_is_asked_less(world: World, plane: Plane) -> None:
    world.trigger()
    plane.cycle()
    answers = world.client().open_events

    def slowly(*asked: Any) -> Any:
        world.clock.advance(2)
        return answers(*asked)

    poller = plane.new_poller()
    poller._observer._control_plane.open_events = slowly  # type: ignore[assignment, method-assign]
    plane.new_poller = lambda: poller  # type: ignore[method-assign]
    times = polls(plane)

    plane.tick(timeout=25)

    assert times == [0, 4, 8, 12, 16]


def test_a_busy_plane_sends_no_more_heartbeats_than_an_idle_one(
    world: World, recording: Recording, new_plane: PlaneMaker
) -> None:
    plane = new_plane(integration=INTEGRATION)
    world.trigger()

    plane.tick(timeout=56)

    assert len(recording.asked("GET", LIST)) == 51
    assert len(recording.asked("PUT", "/ping")) == 6


class Unavailable(Watch):
    """A table that can't be reached."""

    def __init__(self) -> None:
        pass

    def busy_until(self) -> float:
        raise LedgerUnavailable("injected")

    def take(self, began: float, busy_until: float) -> bool:
        raise LedgerUnavailable("injected")


def test_pollers_that_can_not_hear_of_each_other_poll_all_the_same(
    world: World, new_plane: PlaneMaker
) -> None:
    plane = new_plane(watch=Unavailable())
    world.trigger()
    times = polls(plane)

    plane.tick(timeout=90)

    assert times == [*range(85)]


@pytest.fixture
def watch(dynamodb: Any, plane: Plane) -> Watch:
    return Watch(dynamodb, "ledger-APAC")


def test_a_later_poller_relieves_an_earlier_one_and_not_the_other_way_round(watch: Watch) -> None:
    assert watch.busy_until() == 0
    assert watch.take(100.0, 130.0)
    assert watch.take(160.0, 190.0)
    assert not watch.take(100.0, 200.0)
    assert watch.take(160.0, 191.5)
    assert watch.busy_until() == 191.5


def test_the_watch_is_no_run(plane: Plane, watch: Watch, dynamodb: Any) -> None:
    watch.take(100.0, 130.0)

    assert plane.ledger.active() == []
    (item,) = dynamodb.scan(TableName="ledger-APAC")["Items"]
    assert not item["event_id"]["S"].isprintable(), "as every event's id is"
    assert int(item["expires_at"]["N"]) > 130


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

    plane.tick()
    bring_to_rest(world)

    assert len(tasks) == 4
    check_invariants(world, tasks)
    assert {world.keptn.counts(task) for task in tasks} == {(1, 1)}
