"""What becomes of an event that no action of its job config handles."""

import pytest

from control.plan import START_AFTER
from jobs.model import Rules
from runs.actions import ActionPerformer
from runs.work_finder import JobConfigWorkFinder
from tests.faults.promise import check_promise
from tests.support.job_configs import write_job_config
from tests.support.world import SAYHELLO, Plane, World

NOBODY = """\
apiVersion: v2
actions:
  - name: Another
    events: [{name: sh.keptn.event.another.triggered}]
    tasks: [{name: Another, function: another}]
"""


def serve(world: World, plane: Plane, *, answer: bool, queued: float = 0.0) -> str:
    """Let the plane serve an event that its job config does not name; gives the event's id.

    `queued` is for how many seconds the invocation waits in Lambda's queue.
    """
    control_plane = world.client()
    plane.work_finder = JobConfigWorkFinder(
        control_plane,
        ActionPerformer({}, world.clock),
        Rules(),
        world.clock,
        answer_unhandled_events=answer,
    )
    write_job_config(plane, NOBODY)
    task = world.trigger("APAC")
    wait_in_queue(world, plane, queued)
    world.cycles(2)
    return task


def wait_in_queue(world: World, plane: Plane, seconds: float) -> None:
    end = world.clock.now() + seconds
    while world.clock.now() < end:
        plane.cycle()
        world.clock.advance(10)


def test_an_event_that_nobody_handles_is_left_to_others(world: World, plane: Plane) -> None:
    task = serve(world, plane, answer=False)

    assert world.keptn.counts(task) == (0, 0)
    assert [event["id"] for event in world.keptn.open_events(SAYHELLO)] == [task]


def test_an_event_that_nobody_handles_is_logged_once(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    task = serve(world, plane, answer=False)
    world.cycles(10)

    (line,) = [vars(record) for record in caplog.records if record.message == "no action handles the event"]
    assert (line["event_id"], line["type"]) == (task, SAYHELLO)


def test_an_event_that_nobody_handles_is_ended_once_it_has_been_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    task = serve(world, plane, answer=False, queued=START_AFTER + 60)
    world.cycles(2)

    data = world.finished(task)
    assert (data["status"], data["result"]) == ("succeeded", "warning")
    assert data["message"] == "Nothing was done: no action handles the event."
    check_promise(world, [task])


def test_silent_work_is_ended_aloud_once_it_has_been_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    plane.tasks.is_silent = True
    task = world.trigger("APAC")
    wait_in_queue(world, plane, START_AFTER + 60)
    world.cycles(5)

    assert world.finished(task)["result"] == "pass"
    check_promise(world, [task])


def test_a_deployment_may_answer_an_event_that_nobody_handles(world: World, plane: Plane) -> None:
    task = serve(world, plane, answer=True)

    assert world.keptn.counts(task) == (1, 1)
    (finished,) = [event for event in world.keptn.received if event["type"].endswith(".finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")
    assert finished["data"]["message"] == (
        "No action of job/config.yaml of project podtato handles this sh.keptn.event.sayhello.triggered."
    )
