"""Keptn's clock and AWS's differ by minutes; and a run has one deadline, by AWS's."""

from typing import Any, cast

import pytest

from execution_plane.keptn.events import Outcome
from local.keptn.faults import Answer
from local.keptn.release import RELEASE_0_16, RELEASE_1_4, Release
from local.keptn.timing import Timing
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.faults.injection import Killed
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.job_configs import use_job_config
from tests.support.memory_ledger import MemoryLedger
from tests.support.world import Plane, World

MINUTES = [-600.0, -300.0, -7.0, 7.0, 300.0, 600.0]
FUNCTION = """\
apiVersion: v2
actions:
  - name: Greet
    events: [{name: sayhello}]
    tasks: [{name: Greet, function: greet}]
"""


@pytest.mark.parametrize("ahead", MINUTES)
@pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_1_4], ids=lambda each: each.version)
class TestAKeptnWithAnotherTime:
    @pytest.fixture
    def world(self, release: Release, ahead: float) -> World:
        world = World(release=release, timing=Timing(reply_delay=0.5, dispatch_gap=1.0))
        world.aws_clock.skew = ahead
        return world

    @pytest.fixture
    def plane(self, world: World) -> Plane:
        plane = Plane(world, cast("Any", MemoryLedger()), source="keptn-lambda-executor/1/APAC/x")
        world.planes.append(plane)
        return plane

    def test_gets_its_replies_at_the_same_moment(self, world: World, plane: Plane) -> None:
        task = world.trigger()
        begun = world.clock.now()

        while world.keptn.counts(task) != (1, 1):
            world.cycles(1, seconds=1)
            assert world.clock.now() - begun <= 6
        bring_to_rest(world)

        check_invariants(world, [task])

    def test_gets_one_finished_of_a_worker_that_was_lost(self, world: World, plane: Plane) -> None:
        def die(_: TaskContext) -> Outcome:
            raise Killed

        plane.tasks.does = die
        task = world.trigger()
        world.clock.advance(5)
        plane.cycle()
        world.clock.advance(5)
        plane.cycle()
        with pytest.raises(Killed):
            plane.work_all()

        bring_to_rest(world)

        check_invariants(world, [task])

    def test_gets_a_finished_once_that_it_refused_for_ten_minutes(self, world: World, plane: Plane) -> None:
        task = world.trigger()
        world.keptn.faults.add(Answer(429), "/v1/event", "POST", body="finished")
        world.cycles(60, seconds=10)
        world.keptn.faults.clear()

        bring_to_rest(world)

        check_invariants(world, [task])


@pytest.mark.parametrize("ahead", MINUTES)
def test_a_started_that_the_poller_sends_comes_before_keptns_own_timeout(ahead: float) -> None:
    world = World()
    world.aws_clock.skew = ahead
    plane = Plane(world, cast("Any", MemoryLedger()), source="plane")
    world.planes.append(plane)
    task = world.trigger()

    for _ in range(100):
        plane.cycle()
        world.clock.advance(10)

    assert world.keptn.counts(task) == (1, 0)
    bring_to_rest(world)
    check_invariants(world, [task])


@pytest.mark.parametrize(("waited", "left"), [(0, 300), (250, 50)])
def test_a_task_has_the_time_that_is_left_until_its_runs_deadline(
    world: World, new_plane: PlaneMaker, waited: float, left: float
) -> None:
    plane = new_plane(run_deadline=300)
    functions = use_job_config(plane, FUNCTION)
    world.trigger()
    plane.cycle()
    world.clock.advance(waited)

    plane.work_all()

    assert functions.seconds == [pytest.approx(left, abs=1)]


def test_a_run_that_no_worker_takes_ends_at_its_deadline(world: World, new_plane: PlaneMaker) -> None:
    plane = new_plane(run_deadline=3600)
    task = world.trigger()
    for _ in range(361):
        plane.cycle()
        world.clock.advance(10)
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    finished = world.keptn.received[-1]["data"]
    assert (finished["status"], "RunDeadlineSeconds" in finished["message"]) == ("errored", True)
    assert set(plane.work_all()) == {"nothing to do"}
