"""Tasks that vanish, come back, or were begun by a plane that has forgotten them."""

import json
from typing import Any

import pytest

from control.plan import ABSENT
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import State
from execution_plane.ledger.table import Ledger
from local.keptn.control_plane import random_id
from local.keptn.faults import Answer, LoseEvent
from local.keptn.intake import rewrite
from local.keptn.release import RELEASE_0_16
from runs.work import TaskCancelled, TaskContext
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_containers, check_invariants
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

DONE = Outcome("pass", "succeeded", "done")
EMPTY = Answer(200, json.dumps({"events": [], "totalCount": 0}), "application/json")
LISTING = r"event/triggered/[^?]*\?(?!.*eventID)"
ITS_OWN_LISTING = r"event/triggered/.*eventID"
LOOK = "sequence-execution"
NO_EXECUTION = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")
CONTAINER = """\
apiVersion: v2
actions:
  - name: Load
    events: [{name: sayhello}]
    tasks: [{name: Load, image: alpine}]
"""


def replies(world: World, task: str) -> list[dict[str, Any]]:
    """Those that Keptn was sent, and counts."""
    counted = ("started", "finished")
    return [
        event
        for event in world.keptn.received
        if event.get("triggeredid") == task and event["type"].endswith(counted)
    ]


def lose(plane: Plane) -> None:
    """Delete every run: somebody made the table anew."""
    for run in plane.ledger.active():
        plane.ledger._client.delete_item(TableName=plane.ledger._table, Key={"event_id": {"S": run.event.id}})


def test_a_lost_ledger_begins_no_task_again(world: World, plane: Plane) -> None:
    """Keptn counts our started: what it is about is ended as errored."""
    task = world.trigger()

    def does(_: TaskContext) -> Outcome:
        world.settle()
        lose(plane)
        plane.cycle()
        return DONE

    plane.tasks.does = does
    plane.cycle()
    plane.work_all()
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]
    (finished,) = [event for event in replies(world, task) if event["type"].endswith("finished")]
    assert finished["data"]["status"] == "errored"
    assert "lost its record" in finished["data"]["message"]


def test_a_lost_ledger_sends_no_second_finished(world: World, plane: Plane) -> None:
    """Another executor keeps the task open; ours was finished before the ledger was lost."""
    task = world.trigger()
    (event,) = world.keptn.open_events("sh.keptn.event.sayhello.triggered")
    theirs = {**replies_of_another(event), "type": "sh.keptn.event.sayhello.started"}
    world.keptn.accept(theirs)
    plane.cycle()
    plane.work_all()
    world.settle()
    lose(plane)

    world.cycles(60, seconds=20)
    assert len(replies(world, task)) == 3
    assert plane.tasks.begun == [task]

    world.keptn.accept({**theirs, "id": "f", "type": "sh.keptn.event.sayhello.finished"})
    bring_to_rest(world)
    assert plane.ledger.active() == []


def replies_of_another(event: dict[str, Any]) -> dict[str, Any]:
    data = {**event["data"], "status": "succeeded", "result": "pass"}
    return {
        "id": "s",
        "specversion": "1.0",
        "source": "another",
        "shkeptncontext": event["shkeptncontext"],
        "triggeredid": event["id"],
        "data": data,
    }


@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING, State.DONE])
def test_an_event_that_is_open_again_is_taken_up_where_its_run_was_closed(
    world: World, plane: Plane, state: State
) -> None:
    """Keptn's database had forgotten it for a while."""
    task = world.trigger()

    def does(context: TaskContext) -> Outcome:
        if state is State.RUNNING:
            be_forgotten(world, plane)
            assert not context.still_wanted()
            raise TaskCancelled
        return DONE

    plane.tasks.does = does
    if state is State.DONE:
        world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body="finished")
    plane.cycle()
    if state is not State.CLAIMED:
        plane.work_all()
    if state is not State.RUNNING:
        be_forgotten(world, plane)
    closed = plane.run(task)
    assert (closed.state, closed.was) == (State.CLOSED, state)
    assert closed.expires_at is not None

    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]
    errored = [event["data"].get("status") for event in replies(world, task)].count("errored")
    assert errored == (state is State.RUNNING)


def be_forgotten(world: World, plane: Plane) -> None:
    """Keptn knows nothing of any task, for long enough."""
    world.keptn.faults.add(EMPTY, "event/triggered")
    world.keptn.faults.add(NO_EXECUTION, LOOK)
    for _ in range(3):
        plane.cycle()
        world.clock.advance(ABSENT)
    world.keptn.faults.clear()


def test_a_listing_that_lacks_an_event_proves_nothing(world: World, plane: Plane) -> None:
    """Keptn swallows its database's errors, and answers with an empty list."""
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(EMPTY, LISTING)

    for _ in range(20):
        plane.cycle()
        world.clock.advance(10)

    assert plane.run(task).state is State.CLAIMED
    world.keptn.faults.clear()
    bring_to_rest(world)
    check_invariants(world, [task])


def test_a_task_that_keptn_lists_no_longer_is_given_up_though_it_is_still_the_current_one(
    world: World, plane: Plane
) -> None:
    """Somebody's replies without a triggered id close the newest event of their type, whoever owns it."""
    other = world.trigger()
    world.clock.advance(1)
    task = world.trigger()
    plane.cycle()
    for kind in ("started", "finished"):
        reply = {
            "type": f"sh.keptn.event.sayhello.{kind}",
            "source": "other",
            "shkeptncontext": world.contexts[other],
            "data": {"project": "podtato", "stage": "dev", "service": "head", "result": "pass"},
        }
        world.keptn.accept(rewrite(reply, world.clock.now(), random_id))
    world.settle()

    for _ in range(2):
        assert plane.run(task).state is State.CLAIMED
        plane.cycle()
        world.clock.advance(ABSENT)

    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "never begun")


def test_one_empty_listing_of_the_event_itself_proves_nothing(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(EMPTY, LISTING)
    world.keptn.faults.add(NO_EXECUTION, LOOK)
    world.keptn.faults.add(EMPTY, ITS_OWN_LISTING, times=1)

    for _ in range(10):
        plane.cycle()
        world.clock.advance(10)

    assert plane.run(task).state is State.CLAIMED


def test_two_empty_listings_with_the_event_listed_between_them_prove_nothing(
    world: World, plane: Plane
) -> None:
    """Keptn's database was away twice, each time for a moment."""
    task = world.trigger()
    plane.cycle()
    for _ in range(2):
        world.keptn.faults.add(EMPTY, "event/triggered")
        world.keptn.faults.add(NO_EXECUTION, LOOK)
        plane.cycle()
        assert (plane.run(task).state, plane.run(task).absent_at) == (State.CLAIMED, world.aws_clock.now())
        world.keptn.faults.clear()
        world.clock.advance(ABSENT / 2)
        plane.cycle()
        world.clock.advance(ABSENT / 2)

    bring_to_rest(world)
    check_invariants(world, [task])


def test_a_project_that_is_deleted_cancels_its_task(world: World, plane: Plane) -> None:
    task = world.trigger()

    def does(context: TaskContext) -> Outcome:
        world.keptn.delete_project("podtato")
        plane.cycle()
        assert not context.still_wanted()
        raise TaskCancelled

    plane.tasks.does = does
    plane.cycle()
    plane.work_all()
    world.cycles(10)

    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "cancelled")
    assert [event["type"].rpartition(".")[2] for event in replies(world, task)] == ["started"]


def test_a_project_that_is_deleted_stops_its_container(world: World, plane: Plane) -> None:
    use_job_config(plane, CONTAINER)
    task = world.trigger()
    world.cycles(1)
    assert plane.ecs.running

    world.keptn.delete_project("podtato")
    world.cycles(10)

    check_containers(plane)
    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "cancelled")
    assert [event["type"].rpartition(".")[2] for event in replies(world, task)] == ["started"]


def test_a_container_goes_on_while_its_sequence_is_paused_and_new_work_waits(
    world: World, plane: Plane
) -> None:
    use_job_config(plane, CONTAINER)
    under_way = world.trigger()
    world.cycles(1)
    new = world.trigger()
    for task in (under_way, new):
        world.keptn.control("podtato", world.contexts[task], "pause")
    world.cycles(10)
    assert len(plane.ecs.running) == 1
    plane.deliver_end(plane.ecs.end(plane.ecs.running[0].arn, 0))
    world.cycles(10)

    assert world.keptn.counts(under_way) == (1, 1)
    assert plane.ledger.get(new) is None
    world.keptn.control("podtato", world.contexts[new], "resume")
    world.cycles(10)
    assert plane.run(new).state is State.WAITING


def test_before_looks_a_reply_that_keptn_lost_is_not_sent_again(new_plane: PlaneMaker, dynamodb: Any) -> None:
    """As it is documented: below 0.18 there is no telling what Keptn has counted."""
    template_plane = new_plane()
    world = World(release=RELEASE_0_16)
    plane = Plane(world, Ledger(dynamodb, template_plane.ledger._table), source="plane")
    world.planes.append(plane)
    task = world.trigger()
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body="finished", times=1)

    world.cycles(200, seconds=20)

    kinds = [event["type"].rpartition(".")[2] for event in replies(world, task)]
    assert world.keptn.counts(task)[1] == 0
    assert kinds == ["started"]
    assert plane.run(task).state is State.DONE
