"""The documented failures of Keptn's distributor and of its job executor, as things that do not happen here.

docs/reliability.md has them as a table; these are its first eight rows, in its order.
"""

import itertools

import pytest
from botocore.exceptions import ClientError

from execution_plane.keptn.events import LONGEST_TEXT, Outcome
from execution_plane.keptn.subscriptions import Subscription
from local.keptn.control_plane import random_id
from local.keptn.faults import Action, Answer, DropConnection
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.faults.injection import Killed
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.world import SAYHELLO, Plane, World

DONE = Outcome("pass", "succeeded", "done")


def be_killed(_: TaskContext) -> Outcome:
    raise Killed


def test_restart_with_open_events_sends_no_second_started(world: World, new_plane: PlaneMaker) -> None:
    """The distributor forgets what it has handed over, and hands every open event over again."""
    plane = new_plane()
    claimed, running, done = (world.trigger() for _ in range(3))
    plane.cycle()
    waiting = {payload["event_id"]: payload for payload in plane.queue.invocations}
    plane.queue.invocations.clear()
    plane.work(waiting[done])
    world.keptn.faults.add(Answer(429), "/v1/event", "POST", body="finished")

    def restart(_: TaskContext) -> Outcome:
        for _again in range(3):
            plane.poller = plane.new_poller()
            plane.cycle()
        return DONE

    plane.tasks.does = restart
    plane.work(waiting[running])
    world.keptn.faults.clear()
    plane.poller = plane.new_poller()
    bring_to_rest(world)

    check_invariants(world, [claimed, running, done])
    assert sorted(plane.tasks.begun) == sorted([claimed, running, done])


def test_a_crash_between_started_and_finished_ends_the_task_as_errored(world: World, plane: Plane) -> None:
    """The distributor's sequence hangs for ever: Keptn has no timeout once a task was started."""
    task = world.trigger()
    plane.tasks.does = be_killed
    plane.cycle()
    with pytest.raises(Killed):
        plane.work(plane.queue.invocations.pop())
    world.settle()
    assert world.keptn.counts(task) == (1, 0)

    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]
    (finished,) = [event for event in world.keptn.received if event["type"].endswith("sayhello.finished")]
    assert (finished["data"]["result"], finished["data"]["status"]) == ("fail", "errored")
    assert "worker was lost while the task ran" in finished["data"]["message"]


def test_two_replicas_do_a_task_once(world: World, plane: Plane) -> None:
    """Two distributors both hand the event over, and both services do the task."""
    tasks = [world.trigger() for _ in range(5)]
    replica = plane.new_poller()

    for _ in range(5):
        before = plane.ledger.active()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plane.ledger, "active", lambda seen=before: seen)
            plane.cycle()
            plane.cycle(replica)
        plane.work_all()
        world.clock.advance(10)
    bring_to_rest(world)

    check_invariants(world, tasks)
    assert sorted(plane.tasks.begun) == sorted(tasks)


@pytest.mark.parametrize("outage", [Answer(502), Answer(429), DropConnection()])
def test_a_finished_that_can_not_be_delivered_for_ten_minutes_is_delivered_then(
    world: World, plane: Plane, outage: Action
) -> None:
    """The distributor tries three times in some seconds, and forgets it."""
    task = world.trigger()
    world.keptn.faults.add(outage, "/v1/event", "POST", body="finished")
    plane.tasks.does = lambda _: Outcome("warning", "succeeded", "as it was", {"kept": True})

    world.cycles(60, seconds=10)
    assert world.keptn.counts(task) == (1, 0)
    world.keptn.faults.clear()
    bring_to_rest(world)

    check_invariants(world, [task])
    (finished,) = [event for event in world.keptn.received if event["type"].endswith("sayhello.finished")]
    assert (finished["data"]["message"], finished["data"]["sayhello"]) == ("as it was", {"kept": True})


def test_more_than_20_open_events_are_all_seen_at_once(world: World, plane: Plane) -> None:
    """Keptn lists 20 to whoever does not ask for more, and the second page repeats the first."""
    tasks = [world.trigger() for _ in range(45)]

    assert plane.cycle().events_listed == 45
    plane.work_all()
    bring_to_rest(world)

    check_invariants(world, tasks)


def test_overlapping_subscriptions_do_a_task_once(world: World, plane: Plane) -> None:
    """The distributor's memory is by subscription: each of them hands the event over."""
    plane._subscriptions = (
        Subscription(SAYHELLO),
        Subscription(SAYHELLO, ("podtato",)),
        Subscription(SAYHELLO, (), ("dev", "prod"), ("head",)),
    )
    plane.poller = plane.new_poller()
    task = world.trigger()

    report = plane.cycle()
    assert (report.polls, len(plane.queue.invocations)) == (1, 1)
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]


def test_an_event_id_shorter_than_24_characters_is_handled_like_any_other(
    new_plane: PlaneMaker, world: World
) -> None:
    """The job executor cuts its jobs' names from the id, and panics where it is short."""
    numbers = itertools.count()
    short = World(new_id=lambda: f"t{next(numbers)}")
    short.keptn.new_id = random_id  # contexts are UUIDs in every control plane
    plane = new_plane()
    world.planes.remove(plane)
    plane.world, plane.clock = short, short.clock
    plane.poller = plane.new_poller()
    short.planes.append(plane)
    task = short.trigger()
    assert len(task) < 24

    bring_to_rest(short)

    check_invariants(short, [task])
    assert plane.tasks.begun == [task]


def test_a_message_over_the_limit_is_cut_and_delivered(world: World, plane: Plane) -> None:
    """NATS takes 1 MiB; the job executor's finished with a longer log is lost, and the sequence hangs."""
    task = world.trigger()
    plane.tasks.does = lambda _: Outcome(
        "pass", "succeeded", "x" * 3_000_000 + "the end", {"log": "y" * 3_000_000}
    )

    bring_to_rest(world)

    check_invariants(world, [task])
    (finished,) = [event for event in world.keptn.received if event["type"].endswith("sayhello.finished")]
    message = finished["data"]["message"]
    assert len(message) == LONGEST_TEXT
    assert "the end" in message
    assert finished["data"]["result"] == "pass"


def test_no_outcome_is_too_large_for_the_ledger(world: World, plane: Plane) -> None:
    """DynamoDB takes 400 KiB an item; an escape in JSON makes six bytes of one."""
    table = plane.ledger._table
    with pytest.raises(ClientError, match="Item size"):
        plane.ledger._client.put_item(
            TableName=table, Item={"event_id": {"S": "x"}, "large": {"S": "x" * 410_000}}
        )
    task = world.trigger(labels={f"label{number}": "\x7f" * 100 for number in range(20)})
    plane.tasks.does = lambda _: Outcome("pass", "succeeded", "\x00" * 3_000_000, {"log": "y" * 900_000})

    plane.cycle()
    plane.work_all()

    assert plane.run(task).outcome is not None
    item = plane.ledger._client.get_item(TableName=table, Key={"event_id": {"S": task}})["Item"]
    assert sum(len(name) + len(str(*value.values())) for name, value in item.items()) < 400 * 1024
