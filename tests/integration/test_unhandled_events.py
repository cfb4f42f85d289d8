"""What becomes of an event that no action of its job config handles."""

import pytest

from actions import ActionPerformer
from jobs.model import Rules
from planner import JobConfigPlanner
from tests.support.job_configs import write_job_config
from tests.support.world import SAYHELLO, Plane, World

NOBODY = """\
apiVersion: v2
actions:
  - name: Another
    events: [{name: sh.keptn.event.another.triggered}]
    tasks: [{name: Another, function: another}]
"""


def serve(world: World, plane: Plane, *, answer: bool) -> str:
    """Let the plane serve an event that its job config does not name; gives the event's id."""
    control_plane = world.client()
    plane.planner = JobConfigPlanner(
        control_plane,
        ActionPerformer({}, world.clock),
        Rules(),
        world.clock,
        answer_unhandled_events=answer,
    )
    write_job_config(plane, NOBODY)
    task = world.trigger("APAC")
    world.cycles(2)
    return task


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


def test_a_deployment_may_answer_an_event_that_nobody_handles(world: World, plane: Plane) -> None:
    task = serve(world, plane, answer=True)

    assert world.keptn.counts(task) == (1, 1)
    (finished,) = [event for event in world.keptn.received if event["type"].endswith(".finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")
    assert finished["data"]["message"] == (
        "No action of job/config.yaml of project podtato handles this sh.keptn.event.sayhello.triggered."
    )
