"""A plane that drains: it claims nothing new, and ends whatever it has begun."""

import json
from typing import Any, cast

import pytest

from control.probes import LONGEST
from local.keptn.faults import Answer
from local.keptn.release import RELEASE_0_16, RELEASE_1_4, Release
from local.keptn.timing import Timing
from tests.faults.invariants import bring_to_rest
from tests.support.container_runs import ONE
from tests.support.job_configs import use_job_config
from tests.support.memory_ledger import MemoryLedger
from tests.support.recording import record
from tests.support.world import Plane, World

NO_EVENTS = Answer(200, json.dumps({"events": [], "totalCount": 0}), "application/json")
NO_EXECUTIONS = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")
LOOK = "/sequence-execution"


def a_plane(world: World) -> Plane:
    plane = Plane(world, cast("Any", MemoryLedger()), source="keptn-lambda-executor/1/APAC/x")
    world.planes.append(plane)
    return plane


@pytest.fixture
def plane(world: World) -> Plane:
    return a_plane(world)


def forget_tasks(world: World, plane: Plane) -> None:
    """Let Keptn list nothing for long enough to have the runs closed."""
    world.keptn.faults.add(NO_EVENTS, "event/triggered")
    world.keptn.faults.add(NO_EXECUTIONS, LOOK)
    for _ in range(3):
        plane.cycle()
        world.clock.advance(31)
    world.keptn.faults.clear()
    assert plane.ledger.active() == []


@pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_1_4], ids=lambda each: each.version)
def test_a_task_that_keptn_lists_again_is_ended_by_a_plane_that_drains(release: Release) -> None:
    world = World(release=release)
    plane = a_plane(world)
    use_job_config(plane, ONE)
    task = world.trigger()
    world.cycles(3)
    plane.drain()

    forget_tasks(world, plane)
    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 1)
    assert "then listed it again" in world.finished(task)["message"]


def test_a_run_that_no_worker_had_is_taken_by_a_plane_that_drains_once_keptn_lists_it_again(
    world: World, plane: Plane
) -> None:
    task = world.trigger()
    plane.cycle()
    plane.queue.invocations.clear()
    plane.drain()

    forget_tasks(world, plane)
    bring_to_rest(world)

    assert plane.tasks.begun == [task]
    assert world.finished(task)["message"] == "done"


def test_a_plane_that_drains_ends_what_it_started_though_the_ledger_is_lost(
    world: World, plane: Plane
) -> None:
    use_job_config(plane, ONE)
    task = world.trigger()
    world.cycles(3)
    cast("Any", plane.ledger).runs.clear()
    plane.drain()

    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 1)
    assert "lost its record" in world.finished(task)["message"]


def test_a_started_that_keptn_counts_late_is_adopted_by_a_plane_that_drains() -> None:
    world = World(timing=Timing(reply_delay=15.0))
    plane = a_plane(world)
    use_job_config(plane, ONE)
    task = world.trigger()
    world.cycles(1, 1)
    cast("Any", plane.ledger).runs.clear()
    plane.drain()
    plane.cycle()
    assert plane.ledger.active() == []

    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 1)


@pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_1_4], ids=lambda each: each.version)
def test_a_new_task_costs_a_plane_that_drains_a_question_now_and_then(release: Release) -> None:
    world = World(release=release)
    recording = record(world)
    plane = a_plane(world)
    plane.drain()
    task = world.trigger()
    world.clock.advance(300)
    plane.cycle()
    plane.cycle()  # the first one learns of an old Keptn that it answers no looks
    recording.clear()

    world.cycles(20, LONGEST / 2)

    assert plane.ledger.get(task) is None
    assert len(recording.asked("GET", "/sequence")) == 20 / 2 - 1
