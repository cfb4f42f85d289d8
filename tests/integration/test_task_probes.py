"""Asking about tasks that have no run: all of a project's at once, and what was left ever less often."""

import json
from typing import Any

import pytest

from control.probes import FEW, LONGEST
from execution_plane.keptn import control_plane
from local.keptn.faults import Answer
from local.keptn.release import RELEASE_0_16, RELEASE_1_4, Release
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.container_runs import ONE
from tests.support.job_configs import use_job_config
from tests.support.memory_ledger import MemoryLedger
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, SHIPYARD, Plane, World

RELEASES = pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_1_4], ids=lambda each: each.version)
MANY = FEW + 1
APPROVAL = "sh.keptn.event.approval.triggered"
NO_EXECUTIONS = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")
LONG = 300.0  # seconds after which a task that was left is old; Keptn gives up on it after 600
MINUTE = 60  # seconds


@pytest.fixture
def release() -> Release:
    return RELEASE_1_4


@pytest.fixture
def world(release: Release) -> World:
    return World(release=release)


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


@pytest.fixture
def plane(world: World) -> Plane:
    return a_plane(world)


def a_plane(world: World, **settings: Any) -> Plane:
    plane = Plane(world, MemoryLedger(), source="keptn-lambda-executor/1/APAC/x", **settings)  # type: ignore[arg-type]
    world.planes.append(plane)
    return plane


def asked(recording: Recording) -> list[str]:
    """What was asked of each question about tasks, in its query."""
    urls = [str(answer.request.url) for answer in recording.answers]
    return [url.partition("?")[2] for url in urls if "/controlPlane/v1/sequence" in url]


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
    world.clock.advance(1)
    return tasks


def stale(world: World, projects: int, each: int) -> None:
    """So many open events in each project, minutes old, that no sequence is at."""
    services = [f"service-{number}" for number in range(each)]
    for number in range(projects):
        world.keptn.create_project(f"project-{number}", SHIPYARD, tuple(services))
        for service in services:
            world.keptn.trigger(f"project-{number}", "dev", service, "sequence1", {})
    world.settle()
    assert len(world.keptn.open_events(SAYHELLO)) == projects * each
    world.keptn.faults.add(NO_EXECUTIONS, "sequence-execution")
    world.clock.advance(LONG)


def test_a_few_new_tasks_are_asked_about_by_their_sequences(
    world: World, recording: Recording, plane: Plane
) -> None:
    tasks = [world.trigger() for _ in range(FEW)]

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == set(tasks)
    assert [("keptnContext=" in query, "status=" in query) for query in asked(recording)] == [
        (True, False)
    ] * FEW


def test_many_new_tasks_are_asked_about_at_once_after_they_were_listed(
    world: World, recording: Recording, plane: Plane
) -> None:
    tasks = [world.trigger() for _ in range(40)]

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == set(tasks)
    listing, question = (str(answer.request.url) for answer in recording.answers)
    assert f"event/triggered/{SAYHELLO}" in listing
    assert "project=podtato&status=started" in question


def test_each_projects_tasks_are_asked_about_by_themselves(
    world: World, recording: Recording, plane: Plane
) -> None:
    world.keptn.create_project("sockshop", SHIPYARD, services=("head",))
    tasks = [world.trigger() for _ in range(MANY)]
    world.keptn.trigger("sockshop", "dev", "head", "sequence1", {})
    world.settle()

    plane.cycle()

    assert len(plane.ledger.active()) == len(tasks) + 1
    assert sorted(query.partition("&")[0] for query in asked(recording)) == [
        "project=podtato",
        "project=sockshop",
    ]


def test_tasks_that_one_page_has_no_room_for_are_found_in_the_next(
    world: World, recording: Recording, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane, "EXECUTIONS_PAGE", "2")
    tasks = [world.trigger() for _ in range(5)]

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == set(tasks)
    assert [query.rpartition("nextPageKey=")[2] for query in asked(recording)] == ["0", "2", "4"]


def test_no_page_is_asked_for_that_can_have_no_wanted_task(
    world: World, recording: Recording, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [world.trigger() for _ in range(5)]
    plane.cycle()
    recording.clear()
    monkeypatch.setattr(control_plane, "EXECUTIONS_PAGE", str(MANY))
    new = [world.trigger() for _ in range(MANY)]

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == {*tasks, *new}
    assert len(asked(recording)) == 1


def test_a_task_that_moves_between_two_pages_is_found_in_a_later_cycle(
    world: World, recording: Recording, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane, "EXECUTIONS_PAGE", "2")
    tasks = [world.trigger() for _ in range(5)]
    rule = world.keptn.faults.add(NO_EXECUTIONS, "nextPageKey=2")
    plane.cycle()
    assert len(plane.ledger.active()) == 2
    world.keptn.faults.clear()
    world.clock.advance(1)

    plane.cycle()

    assert rule.seen == 1
    assert {run.event.id for run in plane.ledger.active()} == set(tasks)


def test_approvals_are_found_though_keptn_has_another_state_for_their_sequences(
    world: World, recording: Recording
) -> None:
    world.keptn.create_project("gated", SHIPYARD.replace("sayhello", "approval"), services=("a", "b", "c"))
    plane = a_plane(world, event_types=(APPROVAL,))
    for service in ("a", "b", "c"):
        world.keptn.trigger("gated", "dev", service, "sequence1", {})
    world.settle()

    plane.cycle()

    assert len(plane.ledger.active()) == MANY
    assert len(asked(recording)) == 1


def test_many_tasks_that_a_lost_ledger_had_are_adopted(world: World, plane: Plane) -> None:
    use_job_config(plane, ONE)
    tasks = [world.trigger() for _ in range(MANY)]
    world.cycles(1)
    assert {world.keptn.counts(task) for task in tasks} == {(1, 0)}
    lost = a_plane(world)

    lost.cycle()

    assert {run.event.id for run in lost.ledger.active() if run.outcome} == set(tasks)


@RELEASES
def test_a_task_is_taken_in_the_first_cycle_after_it_goes_on(world: World, plane: Plane) -> None:
    first, second = found_paused(world, 2, plane)
    resume(world, first)

    plane.cycle()

    assert [run.event.id for run in plane.ledger.active()] == [first]
    assert plane.ledger.get(second) is None


@RELEASES
def test_a_task_that_was_paused_for_long_is_taken_within_ten_seconds(world: World, plane: Plane) -> None:
    (task,) = found_paused(world, 1, plane)
    world.cycles(MINUTE, seconds=10)
    resume(world, task)

    world.cycles(2, seconds=LONGEST)

    assert world.keptn.counts(task) == (1, 1)


@RELEASES
def test_however_many_are_paused_a_cycle_asks_after_them_once(
    world: World, recording: Recording, plane: Plane
) -> None:
    found_paused(world, 40, plane)
    recording.clear()

    world.cycles(3, seconds=10)

    assert len(asked(recording)) == 3


def test_a_plane_without_paused_tasks_asks_after_none(
    world: World, recording: Recording, plane: Plane
) -> None:
    (task,) = found_paused(world, 1, plane)
    resume(world, task)
    bring_to_rest(world)
    check_invariants(world, [task])
    recording.clear()

    world.cycles(3)

    assert asked(recording) == []


def test_a_keptn_that_does_not_answer_is_asked_again(
    world: World, recording: Recording, plane: Plane
) -> None:
    tasks = [world.trigger() for _ in range(MANY)]
    world.keptn.faults.add(Answer(502), "status=started")
    plane.cycle()
    assert plane.ledger.active() == []
    world.keptn.faults.clear()

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == set(tasks)


def test_a_list_that_fails_does_not_forget_what_was_left(
    world: World, recording: Recording, plane: Plane
) -> None:
    stale(world, projects=1, each=5)
    plane.cycle()
    world.keptn.faults.add(Answer(502), "event/triggered", times=1)
    plane.cycle()
    recording.clear()

    plane.cycle()

    assert asked(recording) == []


def test_a_paused_task_that_is_aborted_is_forgotten(world: World, recording: Recording, plane: Plane) -> None:
    (task,) = found_paused(world, 1, plane)
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.cycles(1)
    recording.clear()

    world.cycles(2)

    assert asked(recording) == []
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


def test_a_sequence_that_keptn_says_of_may_have_no_task(world: World, plane: Plane) -> None:
    tasks = [world.trigger() for _ in range(MANY)]
    world.keptn.faults.add(
        Answer(200, '{"sequenceExecutions": [{"status": {"state": "started"}}]}', "application/json"),
        "status=started",
        times=1,
    )
    plane.cycle()
    assert plane.ledger.active() == []
    world.clock.advance(1)

    plane.cycle()

    assert {run.event.id for run in plane.ledger.active()} == set(tasks)


@pytest.mark.parametrize(("projects", "each"), [(1, 100), (100, 1), (50, 2), (34, 3)])
def test_stale_tasks_cost_two_questions_a_second_at_most(
    world: World, recording: Recording, plane: Plane, projects: int, each: int
) -> None:
    stale(world, projects, each)
    plane.cycle()
    assert len(asked(recording)) == (projects if each > FEW else projects * each)
    recording.clear()

    world.cycles(2 * MINUTE, seconds=1)

    assert projects <= len(asked(recording)) <= 2 * 2 * MINUTE
    assert plane.ledger.active() == []


def test_beside_stale_tasks_a_new_one_is_asked_about_by_itself(
    world: World, recording: Recording, plane: Plane
) -> None:
    stale(world, projects=1, each=20)
    plane.cycle()
    world.keptn.faults.clear()
    recording.clear()
    task = world.trigger()

    plane.cycle()

    assert [run.event.id for run in plane.ledger.active()] == [task]
    assert [f"keptnContext={world.contexts[task]}" in query for query in asked(recording)] == [True]


def test_a_poller_that_remembers_nothing_asks_a_question_more_for_each_project(
    world: World, recording: Recording, plane: Plane
) -> None:
    stale(world, projects=2, each=10)
    plane.cycle()
    recording.clear()

    plane.cycle(plane.new_poller())

    assert len(asked(recording)) == 2


def test_nothing_is_planned_about_what_was_left(world: World, plane: Plane) -> None:
    stale(world, projects=1, each=MANY)

    assert plane.cycle().steps == 0
