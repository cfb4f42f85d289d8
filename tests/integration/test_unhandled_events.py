"""What becomes of an event that no action of its job config handles."""

import pytest

from control.plan import START_AFTER
from execution_plane.clock import Deadline
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.uniform import Integration
from jobs.model import Rules
from local.keptn.uniform import LogQuery
from runs.actions import ActionPerformer
from runs.unhandled import UnhandledEvents
from runs.work_finder import JobConfigWorkFinder
from tests.conftest import PlaneMaker
from tests.faults.invariants import check_invariants
from tests.support.job_configs import lookup, write, write_job_config
from tests.support.world import SAYHELLO, Plane, World

APAC = Integration("keptn-lambda-executor", "1/ap-south-1/apac", "ap-south-1", "0.1.0")
NOBODY = """\
apiVersion: v2
actions:
  - name: Another
    events: [{name: sh.keptn.event.another.triggered}]
    tasks: [{name: Another, function: another}]
"""


BROKEN = NOBODY.replace("tasks:", "tasks: [{cmd: a}] #")


def serve(
    world: World,
    plane: Plane,
    *,
    answer: bool = False,
    queued: float = 0.0,
    config: str = NOBODY,
    unhandled: UnhandledEvents | None = None,
) -> str:
    """Let the plane serve an event that its job config does not name; gives the event's id.

    `queued` is for how many seconds the invocation waits in Lambda's queue.
    """
    performer = ActionPerformer({}, world.clock)
    plane.work_finder = JobConfigWorkFinder(
        lookup(world), performer, Rules(), answer_unhandled_events=answer, unhandled=unhandled
    )
    write_job_config(plane, config)
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
    task = serve(world, plane)

    assert world.keptn.counts(task) == (0, 0)
    assert [event["id"] for event in world.keptn.open_events(SAYHELLO)] == [task]


def test_an_event_that_nobody_handles_is_logged_once(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    task = serve(world, plane)
    world.cycles(10)

    (line,) = [vars(record) for record in caplog.records if record.message == "no action handles the event"]
    assert (line["event_id"], line["type"]) == (task, SAYHELLO)


def test_what_nobody_handles_is_a_warning_and_in_the_bridge_once_for_each_job_config_and_type(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    errors = ErrorLog(world.client())
    unhandled = UnhandledEvents(errors)
    for _ in range(3):
        serve(world, plane, answer=False, unhandled=unhandled)
    write(plane, {"job/config.yaml": NOBODY.encode()}, service="")
    serve(world, plane, answer=False, unhandled=unhandled)
    integration = world.keptn.uniform.register(APAC.as_json([]))[0]
    errors.send(integration, Deadline.after(world.clock, 60))

    lines = [vars(each) for each in caplog.records if each.levelname == "WARNING"]
    assert [(line["type"], line["job_config"]) for line in lines] == [
        (SAYHELLO, "job/config.yaml of project podtato"),
        (SAYHELLO, "job/config.yaml of stage podtato/dev"),
    ]
    assert all("AnswerUnhandledEvents=true" in line["message"] for line in lines)
    messages = [entry["message"] for entry in world.keptn.uniform.logs(LogQuery())]
    assert len(messages) == 2
    assert (
        f"No action of job/config.yaml of project podtato handles a {SAYHELLO}: if no other plane takes it, "
        "Keptn gives up on it after ten minutes; AnswerUnhandledEvents=true ends it at once, as errored."
    ) in messages


def test_an_event_that_nobody_handles_is_ended_once_it_has_been_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    task = serve(world, plane, queued=START_AFTER + 60)
    world.cycles(2)

    data = world.finished(task)
    assert (data["status"], data["result"]) == ("succeeded", "warning")
    assert data["message"] == "Nothing was done: no action handles the event."
    check_invariants(world, [task])


def test_silent_work_is_ended_aloud_once_it_has_been_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    plane.tasks.is_silent = True
    task = world.trigger("APAC")
    wait_in_queue(world, plane, START_AFTER + 60)
    world.cycles(5)

    assert world.finished(task)["result"] == "pass"
    check_invariants(world, [task])


def test_silent_work_that_lost_its_worker_is_ended_aloud_once_it_has_been_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    task = world.trigger("APAC")
    plane.cycle()
    claimed = plane.run(task)
    taken = plane.ledger.move(claimed, claimed.acquired(world.aws_clock.now()))
    plane.ledger.move(taken, taken.preparing(world.aws_clock.now(), silent=True))
    wait_in_queue(world, plane, claimed.deadline - claimed.claimed_at)
    world.cycles(5)

    assert world.finished(task)["status"] == "errored"
    check_invariants(world, [task])


def test_a_deployment_may_answer_an_event_that_nobody_handles(world: World, plane: Plane) -> None:
    task = serve(world, plane, answer=True)

    assert world.keptn.counts(task) == (1, 1)
    (finished,) = [event for event in world.keptn.received if event["type"].endswith(".finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")
    assert finished["data"]["message"] == (
        "No action of job/config.yaml of project podtato handles this sh.keptn.event.sayhello.triggered."
    )


def test_an_invalid_job_config_that_does_not_name_an_event_leaves_it_to_others(
    world: World, new_plane: PlaneMaker, caplog: pytest.LogCaptureFixture
) -> None:
    plane = new_plane(integration=Integration("plane", "1/eu/plane", "eu", "0.1.0"))

    task = serve(world, plane, config=BROKEN)

    assert world.keptn.counts(task) == (0, 0)
    problem = "job/config.yaml of project podtato, line 5, actions[0].tasks[0].cmd: expected a list of texts"
    (line,) = [vars(record) for record in caplog.records if "job config is invalid" in record.message]
    assert (line["levelname"], line["event_id"]) == ("WARNING", task)
    assert line["reason"].startswith(problem)
    (entry,) = world.keptn.uniform.logs(LogQuery())
    assert entry["triggeredid"] == task
    assert entry["message"].startswith(
        f"The job config is invalid, and no action of it is for {SAYHELLO}:\n{problem}"
    )


def test_a_deployment_that_answers_unhandled_events_says_that_the_job_config_is_invalid(
    world: World, plane: Plane
) -> None:
    task = serve(world, plane, answer=True, config=BROKEN)

    assert "actions[0].tasks[0].cmd: expected a list of texts" in world.finished(task)["message"]


def test_an_invalid_job_config_ends_an_event_that_was_started_from_lambdas_queue(
    world: World, plane: Plane
) -> None:
    task = serve(world, plane, queued=START_AFTER + 60, config=BROKEN)
    world.cycles(2)

    assert world.finished(task)["message"] == "Nothing was done: no action handles the event."
    check_invariants(world, [task])
