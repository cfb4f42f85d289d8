"""How long a container may run: only its own time bounds it, and its run's clock stands still meanwhile."""

from typing import Any

import pytest

from tests.conftest import PlaneMaker
from tests.support.container_runs import begin, end, message
from tests.support.job_configs import Functions, use_job_config
from tests.support.world import Plane, World

RUN_DEADLINE = 600.0
CONFIG = """\
apiVersion: v2
actions:
  - name: Measure
    events: [{{name: sayhello}}]
    tasks:
      - {{name: Load, image: k6{}}}
      - {{name: Report, function: report}}
"""


@pytest.fixture
def plane(new_plane: PlaneMaker) -> Plane:
    return new_plane(run_deadline=RUN_DEADLINE)


def start(world: World, plane: Plane, given: str = "", **environ: Any) -> tuple[str, Functions]:
    """Let the plane start the container of an event; gives the event's id."""
    functions = use_job_config(plane, CONFIG.format(given), **environ)
    task = world.trigger("APAC")
    begin(plane)
    assert len(plane.ecs.running) == 1
    return task, functions


def seconds_until_stopped(plane: Plane) -> float:
    begun = plane.clock.now()
    while plane.ecs.running:
        plane.clock.advance(20)
        plane.cycle()
    return plane.clock.now() - begun


@pytest.mark.parametrize(
    ("given", "deployment", "seconds"),
    [
        ("", {}, 300),
        ("", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "60"}, 60),
        ("", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "7200"}, 7200),
        (", maxPollDuration: 60", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "7200"}, 60),
        (", maxPollDuration: 7200", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "60"}, 7200),
        (", maxPollDuration: 300", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "60"}, 300),
        (", maxPollDuration: null", {"CONTAINER_MAX_POLL_DURATION_SECONDS": "60"}, 60),
    ],
)
def test_a_container_is_stopped_after_its_own_time_or_else_the_deployments(
    world: World, plane: Plane, given: str, deployment: dict[str, str], seconds: int
) -> None:
    task, _ = start(world, plane, given, **deployment)

    assert seconds_until_stopped(plane) == pytest.approx(seconds, abs=20)

    plane.clock.advance(61)
    begin(plane, times=2)
    assert f"The container was still running after {seconds} s (maxPollDuration)" in message(world, task)


def test_a_container_may_run_for_longer_than_the_run_and_leaves_the_next_task_its_time(
    world: World, plane: Plane
) -> None:
    task, functions = start(world, plane, CONTAINER_MAX_POLL_DURATION_SECONDS="7200")
    for _ in range(250):
        plane.clock.advance(20)
        plane.cycle()

    end(plane, "loaded")

    assert functions.begun == [f"{task} report"]
    assert functions.seconds == [pytest.approx(RUN_DEADLINE, abs=20)]
    assert world.finished(task)["result"] == "pass"
