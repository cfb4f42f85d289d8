"""Runs in flight meet code of another version: after a deployment, or after one that was rolled back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from execution_plane.ledger.runs import State
from execution_plane.ledger.table import SCHEMA, LedgerUnavailable
from local.keptn.faults import Answer
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_containers, check_invariants
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

CONTAINER = """\
apiVersion: v2
actions:
  - name: Load
    events: [{name: sayhello}]
    tasks: [{name: Load, image: alpine}, {name: Unload, image: alpine}]
"""
NEEDED = {
    "run": {"event", "source", "claimed_at", "deadline", "lease_until", "attempt", "started_at", "begun"}
    | {"finishes", "step", "reported_at"},
    "event": {"id", "type", "context", "project", "stage", "service"},
    "step": {"action", "task", "token", "cluster", "digest", "since", "deadline", "arn", "submitted_at"},
}


def later(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """As a later version writes it, with something more everywhere."""
    return values | {"invented_later": {"by": kind}}


def earlier(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """As the first version would have written it."""
    return {name: value for name, value in values.items() if name in NEEDED.get(kind, values)}


Rewrite = Callable[[str, dict[str, Any]], dict[str, Any]]


def rewrite(plane: Plane, event_id: str, change: Rewrite) -> None:
    """Let a run's item be as code of another version writes it."""
    small = json.loads(item_of(plane, event_id)["run"]["S"])
    small["event"] = change("event", small["event"])
    if "step" in small:
        small["step"] = change("step", small["step"])
    put(plane, event_id, {"run": {"S": json.dumps(change("run", small))}})
    if outcome := item_of(plane, event_id).get("outcome"):
        put(plane, event_id, {"outcome": {"S": json.dumps(change("outcome", json.loads(outcome["S"])))}})
    if earlier_tasks := item_of(plane, event_id).get("earlier"):
        tasks = [
            change("earlier", {**each, "outcome": change("outcome", each["outcome"])})
            for each in json.loads(earlier_tasks["S"])
        ]
        put(plane, event_id, {"earlier": {"S": json.dumps(tasks)}})


def item_of(plane: Plane, event_id: str) -> Any:
    return plane.ledger._client.get_item(TableName=plane.ledger._table, Key={"event_id": {"S": event_id}})[
        "Item"
    ]


def put(plane: Plane, event_id: str, attributes: Mapping[str, Any]) -> None:
    item = item_of(plane, event_id) | attributes
    plane.ledger._client.put_item(TableName=plane.ledger._table, Item=item)


def deploy(plane: Plane, event_id: str, change: Rewrite) -> None:
    rewrite(plane, event_id, change)
    plane.poller = plane.new_poller()


@pytest.mark.parametrize("change", [earlier, later])
def test_a_claimed_run_survives_a_deployment(world: World, plane: Plane, change: Rewrite) -> None:
    task = world.trigger()
    plane.cycle()

    deploy(plane, task, change)
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]


@pytest.mark.parametrize("change", [earlier, later])
def test_a_run_whose_finished_is_owed_survives_a_deployment(
    world: World, plane: Plane, change: Rewrite
) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(Answer(429), "/v1/event", "POST", body="finished")
    plane.work_all()
    world.keptn.faults.clear()

    deploy(plane, task, change)
    bring_to_rest(world)

    check_invariants(world, [task])
    assert world.keptn.received[-1]["data"]["message"] == "done"


@pytest.mark.parametrize("change", [earlier, later])
def test_a_run_that_waits_for_a_container_survives_a_deployment(
    world: World, plane: Plane, change: Rewrite
) -> None:
    use_job_config(plane, CONTAINER)
    task = world.trigger()
    world.cycles(1)
    plane.deliver_end(plane.ecs.end(plane.ecs.running[0].arn, 0))
    world.cycles(1)
    assert plane.run(task).state is State.WAITING
    assert plane.run(task).earlier

    deploy(plane, task, change)
    plane.deliver_end(plane.ecs.end(plane.ecs.running[0].arn, 0))
    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 1)
    assert world.keptn.received[-1]["data"]["result"] == "pass"
    check_containers(plane)


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: {"event_id": payload["event_id"]},
        lambda payload: payload | {"schema": 2, "invented_later": {"by": "the poller"}},
    ],
    ids=["earlier", "later"],
)
def test_an_invocation_in_lambdas_queue_survives_a_deployment(
    world: World, plane: Plane, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> None:
    task = world.trigger()
    plane.cycle()
    (payload,) = plane.queue.invocations
    plane.queue.invocations.clear()

    plane.work(change(payload))
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]


def test_a_run_of_a_schema_that_is_not_known_is_left_to_the_code_that_knows_it(
    world: World, new_plane: PlaneMaker
) -> None:
    """A deployment was rolled back; the next one goes on with the run. Others are not held up."""
    plane = new_plane()
    task = world.trigger()
    plane.cycle()
    known = item_of(plane, task)
    later_item = {"schema": {"N": str(SCHEMA + 1)}, "state": {"S": "invented later"}, "run": {"S": "[]"}}
    put(plane, task, later_item)
    unknown = item_of(plane, task)
    (payload,) = plane.queue.invocations
    plane.queue.invocations.clear()

    other = world.trigger()
    world.cycles(5)
    with pytest.raises(LedgerUnavailable, match="schema"):
        plane.work(payload)

    assert world.keptn.counts(other) == (1, 1)
    assert world.keptn.counts(task) == (0, 0)
    assert item_of(plane, task) == unknown
    put(plane, task, known)
    bring_to_rest(world)
    check_invariants(world, [task, other])
    assert sorted(plane.tasks.begun) == sorted([task, other])
