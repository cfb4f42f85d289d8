"""Waiting runs that nobody can bring on: ECS, Keptn's repository or the worker is of no use for hours."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from execution_plane.ledger.runs import State
from local.keptn.faults import Answer
from tests.faults.injection import Killed
from tests.faults.invariants import check_invariants
from tests.support.container_runs import ONE, begin, counts, message
from tests.support.ecs import refusal
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

HOUR = 3600.0
DENIED = "User is not authorized to perform this"


@pytest.fixture
def task(plane: Plane, world: World) -> str:
    """A run that waits for its only container, which may take ten minutes."""
    use_job_config(plane, ONE)
    event_id = world.trigger()
    begin(plane)
    return event_id


def denied(*_: Any, **__: Any) -> Any:
    raise refusal("AccessDeniedException", DENIED)


@contextmanager
def deny(plane: Plane, *calls: str) -> Iterator[None]:
    """As long as it lasts, ECS refuses these calls."""
    with ExitStack() as stack:
        for call in calls:
            stack.enter_context(patch.object(plane.ecs, call, denied))
        yield


def live(world: World, plane: Plane, hours: float, work: Callable[[], object] | None = None) -> None:
    """Let time go by, until the run has its outcome at the latest."""
    end = world.clock.now() + hours * HOUR
    while world.clock.now() < end and any(run.state is not State.DONE for run in plane.ledger.active()):
        plane.cycle()
        (work or plane.work_all)()
        world.clock.advance(60)
    world.cycles(20)


def test_a_container_that_ecs_says_nothing_of_is_given_up_after_its_deadline(
    world: World, plane: Plane, task: str
) -> None:
    with deny(plane, "describe_tasks", "list_tasks", "stop_task"):
        live(world, plane, 1)

    assert "AWS does not say how the task's container ended" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_container_that_can_not_be_stopped_is_given_up_after_its_deadline(
    world: World, plane: Plane, task: str
) -> None:
    with deny(plane, "stop_task"):
        live(world, plane, 1)

    assert "still runs, long after its deadline (maxPollDuration)" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_container_whose_submission_ecs_says_nothing_of_is_given_up_after_its_deadline(
    world: World, plane: Plane
) -> None:
    use_job_config(plane, ONE)
    event_id = world.trigger()
    with deny(plane, "describe_tasks", "list_tasks", "stop_task"):
        with patch.object(plane.ecs, "run_task", side_effect=refusal("ServerException", "internal")):
            begin(plane)
        live(world, plane, 1)

    assert "AWS does not say whether the task's container was started" in message(world, event_id)
    assert counts(world, event_id) == (1, 1)


def test_a_cancelled_run_is_closed_although_its_container_can_not_be_stopped(
    world: World, plane: Plane, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.keptn.control("podtato", world.contexts[task], "abort")
    with deny(plane, "stop_task"):
        world.cycles(100, 20.0)

    assert plane.run(task).closed_as == "cancelled"
    assert "a step may be left running" in caplog.text


def test_a_container_of_a_run_that_is_given_up_is_stopped_if_ecs_will(
    world: World, plane: Plane, task: str
) -> None:
    with deny(plane, "describe_tasks"):
        live(world, plane, 1)

    assert counts(world, task) == (1, 1)
    check_invariants(world, [task])


def test_an_end_whose_job_config_keptn_can_not_read_for_an_hour_fails_the_task_with_its_reason(
    world: World, plane: Plane, task: str
) -> None:
    use_job_config(plane, ONE)  # in an execution environment that has no other, and a table that was lost
    plane.ecs.end()
    refused = Answer(424, '{"code": 424, "message": "Invalid git token"}', "application/json")
    world.keptn.faults.add(refused, "/resource")

    live(world, plane, 3)

    assert "its end could not be handled" in message(world, task)
    assert "Invalid git token" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_an_end_that_no_worker_takes_up_for_an_hour_fails_the_task(
    world: World, plane: Plane, task: str
) -> None:
    """The worker is throttled; Lambda gives an invocation up after six hours."""
    plane.ecs.end()
    live(world, plane, 3, work=lambda: None)

    assert "no worker took it up" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_container_that_kills_every_worker_that_makes_it_ready_is_given_up(
    world: World, plane: Plane
) -> None:
    use_job_config(plane, ONE.replace("600", "7200"))
    plane.ecs.refusals = ["Capacity is unavailable at this time."]
    event_id = world.trigger()
    begin(plane)
    found = 0

    def search(*_: object) -> None:
        nonlocal found
        found += 1
        raise Killed

    def work() -> None:
        while plane.queue.invocations:
            with pytest.raises(Killed):
                plane.work(plane.queue.invocations.pop())

    with patch.object(plane, "work_finder", SimpleNamespace(search=search)):
        live(world, plane, 2, work)

    assert found == 3
    assert "container could not be started: the worker was lost 3 times" in message(world, event_id)
    assert counts(world, event_id) == (1, 1)


def test_an_end_waits_for_a_keptn_that_is_down(world: World, plane: Plane, task: str) -> None:
    plane.ecs.end()
    begin(plane)
    world.keptn.faults.add(Answer(503))
    live(world, plane, 0.8)
    world.keptn.faults.clear()
    live(world, plane, 1)

    data = world.finished(task)
    assert (data["status"], data["result"]) == ("succeeded", "pass")
