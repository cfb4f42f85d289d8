"""Tasks of paused sequences: taken in the first cycle after they go on, and asked after once a cycle."""

import pytest

from local.keptn.faults import Answer, Delay
from local.keptn.release import RELEASE_0_16, RELEASE_1_4, Release
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.recording import Recording, record
from tests.support.world import SHIPYARD, Plane, World

RELEASES = pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_1_4], ids=lambda each: each.version)


@pytest.fixture
def release() -> Release:
    return RELEASE_1_4


@pytest.fixture
def world(release: Release) -> World:
    return World(release=release)


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


def pause(world: World, *tasks: str) -> None:
    for task in tasks:
        world.keptn.control("podtato", world.contexts[task], "pause")


def resume(world: World, task: str) -> None:
    world.keptn.control("podtato", world.contexts[task], "resume")
    world.settle()


def found_paused(world: World, number: int, plane: Plane) -> list[str]:
    """So many paused tasks, which the plane has seen."""
    tasks = [world.trigger() for _ in range(number)]
    pause(world, *tasks)
    world.clock.advance(5)
    plane.cycle()
    plane.cycle()  # the first one learns of an old Keptn that it answers no looks
    assert plane.ledger.active() == []
    return tasks


@RELEASES
def test_a_task_is_taken_in_the_first_cycle_after_it_goes_on(world: World, plane: Plane) -> None:
    first, second = found_paused(world, 2, plane)
    resume(world, first)

    plane.cycle()

    assert [run.event.id for run in plane.ledger.active()] == [first]
    assert plane.ledger.get(second) is None


@RELEASES
def test_however_many_are_paused_a_cycle_asks_after_them_once(
    world: World, recording: Recording, plane: Plane
) -> None:
    found_paused(world, 40, plane)
    recording.clear()

    world.cycles(3, seconds=1)

    assert len(recording.asked("GET", "/sequence")) == 3


def test_a_plane_without_paused_tasks_asks_after_none(
    world: World, recording: Recording, plane: Plane
) -> None:
    (task,) = found_paused(world, 1, plane)
    resume(world, task)
    bring_to_rest(world)
    check_invariants(world, [task])
    recording.clear()

    world.cycles(3)

    assert recording.asked("GET", "/sequence") == []


def test_projects_with_paused_tasks_take_turns(
    world: World, recording: Recording, new_plane: PlaneMaker
) -> None:
    world.keptn.create_project("sockshop", SHIPYARD, services=("head",))
    plane = new_plane()
    tasks = found_paused(world, 2, plane)
    context = world.keptn.trigger("sockshop", "dev", "head", "sequence1", {"sayhello": {"location": "APAC"}})
    world.settle()
    world.keptn.control("sockshop", context, "pause")
    plane.cycle()
    recording.clear()
    world.keptn.control("sockshop", context, "resume")

    world.cycles(2, seconds=1)

    urls = [str(answer.request.url) for answer in recording.answers]
    asked = [url.partition("project=")[2].partition("&")[0] for url in urls if "status=paused" in url]
    assert sorted(asked) == ["podtato", "sockshop"]
    assert {world.keptn.counts(task) for task in tasks} == {(0, 0)}
    assert [run.event.project for run in plane.ledger.active()] == ["sockshop"]


def test_a_keptn_that_does_not_say_what_is_paused_is_asked_again(
    world: World, recording: Recording, plane: Plane
) -> None:
    (task,) = found_paused(world, 1, plane)
    world.keptn.faults.add(Answer(502), "status=paused")
    resume(world, task)
    plane.cycle()
    assert plane.ledger.get(task) is None
    world.keptn.faults.clear()

    plane.cycle()

    assert plane.run(task).event.id == task


def test_a_list_that_fails_does_not_forget_what_is_paused(
    world: World, recording: Recording, plane: Plane
) -> None:
    found_paused(world, 5, plane)
    world.keptn.faults.add(Answer(502), "event/triggered", times=1)
    world.cycles(1)
    recording.clear()

    world.cycles(2)

    assert len(recording.asked("GET", "/sequence")) == 2


def test_a_paused_task_that_is_aborted_is_forgotten(world: World, recording: Recording, plane: Plane) -> None:
    (task,) = found_paused(world, 1, plane)
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.cycles(1)
    recording.clear()

    world.cycles(2)

    assert recording.asked("GET", "/sequence") == []
    assert world.keptn.counts(task) == (0, 0)


def test_a_keptn_that_no_longer_answers_looks_is_asked_otherwise(
    world: World, recording: Recording, plane: Plane
) -> None:
    (task,) = found_paused(world, 1, plane)
    world.keptn.faults.add(Answer(404, "404 page not found"), "sequence-execution")
    world.cycles(3)
    assert plane.ledger.get(task) is None
    resume(world, task)

    world.cycles(3)

    assert world.keptn.counts(task) == (1, 1)


def test_what_keptn_says_of_paused_sequences_may_have_no_task(world: World, plane: Plane) -> None:
    (task,) = found_paused(world, 1, plane)
    world.keptn.faults.add(
        Answer(200, '{"sequenceExecutions": [{"status": {"state": "paused"}}]}', "application/json"),
        "status=paused",
    )
    looks = world.keptn.faults.add(Delay(0), "keptnContext")

    plane.cycle()

    assert looks.seen == 1
    assert plane.ledger.get(task) is None
