"""A Keptn that does not give job configs for a while: no task ends that could still start."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from execution_plane.ledger.runs import START_WITHIN, State
from jobs.model import Rules
from local.keptn.faults import Answer
from runs.actions import ActionPerformer
from runs.job_config_lookup import BundledLookup
from runs.work_finder import JobConfigWorkFinder
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.job_configs import Functions, use_job_config
from tests.support.world import Plane, World

CONFIG = """\
apiVersion: v2
actions:
  - name: Greet
    events: [{name: sayhello}]
    tasks: [{name: Hello, function: hello}]
"""
REFUSED = Answer(424, '{"code": 424, "message": "Invalid git token"}', "application/json")


@pytest.fixture
def functions(plane: Plane) -> Functions:
    return use_job_config(plane, CONFIG)


@pytest.mark.parametrize("trouble", [Answer(500), Answer(429), REFUSED])
@pytest.mark.parametrize("minutes", [1, 4, 7])
def test_a_task_starts_once_keptn_gives_its_job_config(
    world: World, plane: Plane, functions: Functions, trouble: Answer, minutes: int
) -> None:
    task = world.trigger()
    world.keptn.faults.add(trouble, "/resource-service")
    end = world.clock.now() + minutes * 60
    while world.clock.now() < end:
        world.cycles(1)
    assert functions.begun == []
    world.keptn.faults.clear()

    bring_to_rest(world)

    assert functions.begun == [f"{task} hello"]
    assert world.finished(task)["result"] == "pass"
    assert world.keptn.counts(task) == (1, 1)


def test_a_keptn_that_gives_no_job_config_for_nine_minutes_ends_the_task_with_its_reason(
    world: World, plane: Plane, functions: Functions
) -> None:
    task = world.trigger()
    world.keptn.faults.add(REFUSED, "/resource-service")
    begun = world.clock.now()

    while plane.ledger.get(task) is None or plane.run(task).state is not State.DONE:
        world.cycles(1)
    waited = world.clock.now() - begun
    bring_to_rest(world)

    assert START_WITHIN <= waited < 600
    assert functions.begun == []
    said = world.finished(task)
    assert (said["status"], said["result"]) == ("errored", "fail")
    assert "job config could not be read" in said["message"]
    assert "Invalid git token" in said["message"]
    check_invariants(world, [])


def test_a_plane_of_its_own_job_config_needs_no_repository(world: World, plane: Plane) -> None:
    performer = ActionPerformer({"function": Functions()}, world.clock)
    plane.work_finder = JobConfigWorkFinder(BundledLookup(), performer, Rules())
    world.keptn.faults.add(Answer(500), "/resource-service")
    task = world.trigger()

    world.cycles(2)

    assert world.finished(task)["message"] == "say_hello is done"


def test_the_job_config_is_looked_up_while_the_event_is_fetched(world: World, plane: Plane) -> None:
    """Either waits for the other."""
    both = threading.Barrier(2)
    tasks, world_client = plane.tasks, world.client

    def search(*_: Any) -> Any:
        both.wait(timeout=30)
        return tasks.find

    def client() -> Any:
        made = world_client()
        fetch = made.fetch_event

        def fetch_event(ref: Any) -> Any:
            both.wait(timeout=30)
            return fetch(ref)

        made.fetch_event = fetch_event  # type: ignore[method-assign]
        return made

    world.trigger()
    plane.cycle()
    tasks.search = search  # type: ignore[assignment, method-assign]
    world.client = client  # type: ignore[method-assign]
    plane.pool = cast("Any", ThreadPoolExecutor(1))

    assert plane.work_all() == ["done: succeeded, pass"]
    plane.pool.shutdown()
