from execution_plane.keptn.events import Outcome
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.support.recording import record
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


def test_keptn_is_not_asked_about_a_started_that_it_answered(world: World, new_plane: PlaneMaker) -> None:
    recording = record(world)
    plane = new_plane()
    asked: list[str] = []

    def take_minutes(_: TaskContext) -> Outcome:
        recording.clear()
        world.cycles(30, seconds=10)
        asked.extend(recording.asked("GET", "/sequence-execution"))
        return Outcome("pass", "succeeded", "done")

    plane.tasks.does = take_minutes
    task = world.trigger("APAC")
    world.cycles(2)

    assert world.keptn.counts(task) == (1, 1)
    assert asked == []
