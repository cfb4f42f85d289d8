from tests.conftest import PlaneMaker
from tests.support.world import SAYHELLO, Plane, World


def test_a_task_is_started_done_and_finished_once(world: World, plane: Plane) -> None:
    task = world.trigger("APAC")

    world.cycles(2)

    assert world.keptn.counts(task) == (1, 1)
    assert world.keptn.open_events(SAYHELLO) == []
    assert plane.tasks.begun == [task]


def test_only_the_plane_that_is_meant_answers(world: World, new_plane: PlaneMaker) -> None:
    apac, eu = new_plane("APAC"), new_plane("EU")
    task = world.trigger("EU")

    world.cycles(2)

    assert world.keptn.counts(task) == (1, 1)
    assert (apac.tasks.begun, eu.tasks.begun) == ([], [task])
