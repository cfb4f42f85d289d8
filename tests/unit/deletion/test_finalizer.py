"""Leaving: open runs are reported, and nobody waits for a Keptn that is down."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import boto3
import pytest

import finalizer
from control import integration
from control.integration import describe
from control.plan import BETWEEN_LOOKS
from deletion.finalizer import LONGEST_PAUSE
from execution_plane import shared_clients
from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.events import Outcome, read_triggered, started
from execution_plane.keptn.transport import KeptnError
from execution_plane.ledger.runs import RemoteStep, Run, State
from execution_plane.ledger.table import Ledger, LedgerUnavailable
from execution_plane.settings import IntegrationSettings
from execution_plane.shared_clients import all_steps
from execution_plane.steps import KNOWN_AFTER
from local.aws import create_table
from local.keptn.faults import Answer, Delay, DropConnection, LoseEvent
from local.keptn.release import RELEASE_0_16
from local.keptn.server import KeptnServer
from local.keptn.timing import Timing
from runs.work import TaskContext
from tests.conftest import TEMPLATE, PlaneMaker
from tests.support.deletion import delete_stack
from tests.support.ecs import CLUSTER, refusal
from tests.support.job_configs import use_job_config
from tests.support.lambda_context import Context
from tests.support.memory_ledger import MemoryLedger
from tests.support.world import SAYHELLO, SHIPYARD, Plane, World

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

# What the function's own time leaves for it.
FUNCTION_SECONDS = (
    TEMPLATE["Resources"]["FinalizerFunction"]["Properties"]["Timeout"]
    - finalizer.RETURN_SECONDS
    - finalizer.UNREGISTER_SECONDS
)

CONTAINER = """\
apiVersion: v2
actions:
  - name: Load
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks: [{name: Load, image: alpine, cmd: [sleep], args: ["60"]}]
"""


SILENT_TWICE = """\
apiVersion: v2
actions:
  - name: Unheard
    silent: true
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks:
      - {name: Measure, image: alpine, onError: warning}
      - {name: Clean, image: alpine}
"""


@pytest.fixture
def plane_of() -> Callable[[World], Plane]:
    """A plane of another world than the tests' own, with its ledger in memory."""
    return lambda world: Plane(world, cast("Any", MemoryLedger()), source="keptn-lambda-executor/1/APAC/x")


def stop_after(plane: Plane, seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let containers take so long to stop; gives the ARNs of those that are told to."""
    told: list[str] = []
    ends: dict[str, float] = {}

    def stop_task(*, task: str, **_: Any) -> dict[str, Any]:
        told.append(task)
        ends.setdefault(task, plane.clock.now() + seconds)
        return {"task": {"taskArn": task}}

    def stop_what_is_due() -> None:
        for arn, at in ends.items():
            if plane.clock.now() >= at and plane.ecs.tasks[arn].is_running:
                plane.ecs.end(arn, exit_code=137, stop_code="UserInitiated", reason="stopped")

    monkeypatch.setattr(plane.ecs, "stop_task", stop_task)
    plane.clock.on_advance.append(stop_what_is_due)
    return told


def test_a_claimed_run_is_reported_with_its_started(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()

    assert delete_stack(plane) == 1
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["status"] == "errored"
    assert "deleted" in world.finished(task)["message"]


def test_a_waiting_run_is_reported_and_its_container_stopped(world: World, plane: Plane) -> None:
    use_job_config(plane, CONTAINER)
    task = world.trigger()
    world.cycles(1)
    assert plane.run(task).state is State.WAITING

    assert delete_stack(plane) == 1
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    assert "deleted" in world.finished(task)["message"]
    assert [container.is_running for container in plane.ecs.tasks.values()] == [False]


def test_it_waits_until_the_containers_have_stopped(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation can't delete a cluster before."""
    told = stop_after(plane, 45.0, monkeypatch)
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    begun = world.clock.now()

    delete_stack(plane)

    assert told == list(plane.ecs.tasks), "each is told once"
    assert plane.ecs.running == []
    assert world.clock.now() - begun <= 45 + LONGEST_PAUSE


def test_it_does_not_wait_for_containers_longer_than_there_is_time(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop_after(plane, 1000.0, monkeypatch)
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    begun = world.clock.now()

    delete_stack(plane, 60.0)

    assert world.clock.now() - begun <= 60
    assert "a step has yet to stop" in caplog.text


def test_a_keptn_that_does_not_answer_delays_no_container(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    use_job_config(plane, CONTAINER)
    for _ in range(10):
        world.trigger()
    world.cycles(1)
    assert len(plane.ecs.running) == 10
    world.keptn.faults.add(Delay(10_000))

    delete_stack(plane, 60.0)

    assert plane.ecs.running == []
    assert "a step has yet to stop" not in caplog.text


def test_a_container_that_ecs_told_of_once_to_stop_is_waited_for_by_the_next_attempt(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda invokes the function again where it was lost."""
    stop_after(plane, 45.0, monkeypatch)
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    delete_stack(plane, 3.0)
    assert plane.ecs.running

    delete_stack(plane)

    assert plane.ecs.running == []


def test_a_stop_that_ecs_refuses_is_tried_again(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    stop_task = plane.ecs.stop_task

    def refuse_once(**_: Any) -> None:
        monkeypatch.setattr(plane.ecs, "stop_task", stop_task)
        raise refusal("ThrottlingException", "Rate exceeded", "StopTask")

    monkeypatch.setattr(plane.ecs, "stop_task", refuse_once)

    delete_stack(plane)

    assert plane.ecs.running == []


def test_a_silent_run_ends_with_its_container_and_no_worker_takes_it_up(world: World, plane: Plane) -> None:
    use_job_config(plane, SILENT_TWICE)
    task = world.trigger()
    world.cycles(1)
    assert plane.run(task).silent

    assert delete_stack(plane) == 0
    (container,) = plane.ecs.tasks.values()
    assert not container.is_running
    plane.deliver_end(plane.ecs.end_event(container))
    plane.work_all()

    assert plane.run(task).state is State.DONE
    assert len(plane.ecs.tasks) == 1
    assert world.keptn.counts(task) == (0, 0)


def test_a_container_that_ecs_tells_of_late_is_stopped(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its submission was under way; ECS is eventually consistent."""
    run_task, list_tasks = plane.ecs.run_task, plane.ecs.list_tasks

    def unanswered(**request: Any) -> None:
        run_task(**request)
        raise refusal("ServerException", "Internal error")

    monkeypatch.setattr(plane.ecs, "run_task", unanswered)
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    told_of_at = world.clock.now() + 10

    def late(**request: Any) -> Any:
        return list_tasks(**request) if world.clock.now() >= told_of_at else {"taskArns": []}

    monkeypatch.setattr(plane.ecs, "list_tasks", late)

    delete_stack(plane)

    assert plane.ecs.running == []


def test_a_container_whose_submission_was_never_answered_is_stopped(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_task = plane.ecs.run_task

    def unanswered(**request: Any) -> None:
        run_task(**request)
        raise refusal("ServerException", "Internal error")

    monkeypatch.setattr(plane.ecs, "run_task", unanswered)
    use_job_config(plane, CONTAINER)
    world.trigger()
    world.cycles(1)
    assert plane.ecs.running

    delete_stack(plane)

    assert plane.ecs.running == []


def test_containers_are_asked_for_a_hundred_at_a_time_until_they_stop_or_are_forgotten(
    world: World, plane: Plane
) -> None:
    ecs, now = plane.ecs, world.clock.now()
    ecs.definitions["family"] = {}
    steps = []
    for token in map(str, range(101)):
        answer = ecs.run_task(taskDefinition="family", clientToken=token, startedBy=token)
        arn = answer["tasks"][0]["taskArn"]
        steps.append(
            RemoteStep(
                0, 0, token, CLUSTER, "digest", now, now + 600, kind="container", handle=arn, submitted_at=now
            )
        )
    unknown = replace(steps[0], handle="just submitted")
    containers = all_steps(lambda _: ecs)
    for step in steps[:-2]:
        ecs.end(step.handle)

    assert containers.not_stopped([*steps, unknown], now) == {
        "just submitted", steps[-2].handle, steps[-1].handle
    }  # fmt: skip
    ecs.end(steps[-2].handle)
    assert containers.not_stopped([*steps, unknown], now + KNOWN_AFTER) == {steps[-1].handle}
    assert ecs.described == 4


def test_a_running_run_is_reported_and_its_worker_sends_nothing_more(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()

    def be_deleted_meanwhile(_: TaskContext) -> Outcome:
        delete_stack(plane)
        return Outcome("pass", "succeeded", "done")

    plane.tasks.does = be_deleted_meanwhile
    plane.work_all()
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    assert "deleted" in world.finished(task)["message"]


def test_a_run_that_moves_on_meanwhile_is_reported_as_it_then_stands(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index may be stale, and workers still work."""
    tasks = [world.trigger() for _ in range(4)]
    plane.cycle()
    seen_before = plane.ledger.active()
    taken, done, closed, _ = (plane.run(task) for task in tasks)
    plane.ledger.move(taken, taken.acquired(world.clock.now()))
    plane.ledger.move(closed, closed.closed(world.clock.now()))
    plane.work(next(each for each in plane.queue.invocations if each["event_id"] == done.event.id))
    monkeypatch.setattr(plane.ledger, "active", lambda: seen_before)

    delete_stack(plane)
    world.settle()

    assert [world.keptn.counts(task) for task in tasks] == [(1, 1), (1, 1), (0, 0), (1, 1)]
    assert world.finished(tasks[0])["status"] == "errored"
    assert world.finished(tasks[1])["message"] == "done"


def test_an_outcome_that_was_never_sent_is_sent_as_it_is(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(Answer(429), "/v1/event", "POST", body="finished")
    plane.work_all()
    world.keptn.faults.clear()

    assert delete_stack(plane) == 1
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["message"] == "done"


@pytest.mark.parametrize("before", [10.0, 600.0])
def test_a_finished_that_was_lost_is_sent_again_after_two_looks(
    world: World, plane: Plane, before: float
) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(DropConnection(), "/v1/event", "POST", body=r"\.finished", times=1)
    plane.work_all()
    world.clock.advance(before)
    assert world.keptn.counts(task) == (1, 0)
    begun = world.clock.now()

    delete_stack(plane, FUNCTION_SECONDS)

    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["message"] == "done"
    assert world.clock.now() - begun >= BETWEEN_LOOKS


@pytest.mark.parametrize("kind", ["started", "finished"])
def test_a_reply_that_keptn_lost_of_those_just_sent_is_sent_again(
    world: World, plane: Plane, kind: str
) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body=rf"\.{kind}", times=1)

    assert delete_stack(plane, FUNCTION_SECONDS) == 1

    assert world.keptn.counts(task) == (1, 1)
    assert "deleted" in world.finished(task)["message"]


def test_a_reply_that_is_only_counted_late_is_not_sent_again(plane_of: Callable[[World], Plane]) -> None:
    world = World(timing=Timing(reply_delay=25.0))
    plane = plane_of(world)
    task = world.trigger()
    plane.cycle()
    begun = world.clock.now()

    delete_stack(plane, FUNCTION_SECONDS)

    assert world.keptn.counts(task) == (1, 1)
    assert world.clock.now() - begun < 40, "no longer than it takes Keptn"


def test_a_look_that_fails_is_taken_again(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body=r"\.finished", times=1)
    world.keptn.faults.add(Answer(502), "sequence-execution", skip=2, times=3)

    delete_stack(plane, FUNCTION_SECONDS)

    assert world.keptn.counts(task) == (1, 1)


def test_what_another_executor_keeps_open_is_not_waited_for(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    (event,) = world.keptn.open_events(SAYHELLO)
    world.client().send(started(read_triggered(event).ref, "another"), Deadline.after(world.clock, 10))
    plane.work_all()
    world.clock.advance(600)
    begun, received = world.clock.now(), len(world.keptn.received)

    delete_stack(plane)

    assert world.keptn.open_events(SAYHELLO)
    assert world.clock.now() == begun
    assert len(world.keptn.received) == received
    assert world.keptn.counts(task) == (2, 1)


def test_a_keptn_that_can_not_be_asked_gets_nothing_twice(plane_of: Callable[[World], Plane]) -> None:
    world = World(release=RELEASE_0_16)
    plane = plane_of(world)
    lost, new = world.trigger(), world.trigger()
    plane.cycle()
    world.clock.advance(5)
    plane.cycle()
    world.keptn.faults.add(DropConnection(), "/v1/event", "POST", body=r"\.finished", times=1)
    plane.work(plane.queue.invocations.pop(0))
    begun = world.clock.now()

    delete_stack(plane, FUNCTION_SECONDS)
    world.settle()

    assert sorted(world.keptn.counts(task) for task in (lost, new)) == [(1, 0), (1, 1)]
    assert world.clock.now() == begun


def test_a_reply_that_keptn_may_lack_in_the_end_is_in_the_log(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body=r"\.finished")

    delete_stack(plane, 60.0)

    assert world.keptn.counts(task) == (1, 0)
    assert "the sequence may have to be aborted" in caplog.text


def test_what_was_reported_or_owes_nothing_is_left_alone(world: World, plane: Plane) -> None:
    world.trigger()
    plane.cycle()
    plane.work_all()
    plane.tasks.is_silent = True
    world.trigger()
    plane.cycle()
    plane.work_all()
    received = len(world.keptn.received)

    assert delete_stack(plane) == 0
    assert len(world.keptn.received) == received


def test_with_keptn_down_it_ends_in_time(world: World, plane: Plane) -> None:
    for _ in range(20):
        world.trigger()
    plane.cycle()
    world.keptn.faults.add(Delay(10_000))
    begun = world.clock.now()

    assert delete_stack(plane, 60) == 20

    assert world.clock.now() - begun <= 62


def test_a_ledger_that_can_not_be_read_is_no_obstacle(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(plane.ledger, "active", fail)

    assert delete_stack(plane) == 0


def test_a_run_that_can_not_be_reported_does_not_stop_the_others(
    world: World, new_plane: PlaneMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = new_plane()
    tasks = [world.trigger(), world.trigger()]
    plane.cycle()
    move = plane.ledger.move

    def fail_once(*arguments: Any) -> Any:
        monkeypatch.setattr(plane.ledger, "move", move)
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(plane.ledger, "move", fail_once)

    assert delete_stack(plane) == 2
    world.settle()

    assert sorted(world.keptn.counts(task) for task in tasks) == [(0, 0), (1, 1)]


def test_the_function_reports_what_is_open_and_leaves_the_bridge_and_may_be_invoked_again(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "SETTLED_AFTER", 0.0)
    with KeptnServer() as server:
        task = a_claimed_run(server, dynamodb, monkeypatch)
        shown = describe(IntegrationSettings.from_environment())
        shared_clients.SharedClients.from_environment().control_plane.register(shown.as_json([]))
        assert len(server.keptn.uniform.integrations()) == 1

        for _ in range(2):
            finalizer.handler({}, Context("finalizer"))

        assert server.keptn.wait_for(lambda: server.keptn.counts(task) == (1, 1))
        assert server.keptn.uniform.integrations() == []
    run = Ledger(dynamodb, "ledger").get(task)
    assert run is not None
    assert (run.state, run.reported_at is not None) == (State.DONE, True)


def test_the_function_fails_with_the_reason_if_keptn_is_down(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KeptnServer() as server:
        a_claimed_run(server, dynamodb, monkeypatch)

    with pytest.raises(KeptnError, match="check KeptnApiUrl"):
        finalizer.handler({}, Context("finalizer"))


def test_the_function_ends_in_time_with_a_keptn_that_never_answers(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is cut off in time, so that Lambda does not end the function before it has said why."""
    monkeypatch.setattr(finalizer, "RETURN_SECONDS", 1.0)
    monkeypatch.setattr(finalizer, "UNREGISTER_SECONDS", 0.0)
    with KeptnServer() as server:
        a_claimed_run(server, dynamodb, monkeypatch)
        server.faults.add(Delay(100))
        begun = SystemClock().monotonic()

        finalizer.handler({}, Context("finalizer", 4.0))

        assert SystemClock().monotonic() - begun < 4.0


def a_claimed_run(server: KeptnServer, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plane in the environment with one run of a task; gives the task."""
    create_table(dynamodb, "ledger", TEMPLATE)
    boto3.client("secretsmanager").create_secret(Name="token", SecretString=server.token)
    monkeypatch.setattr(shared_clients, "_clients", {})
    for name, value in {
        "KEPTN_API_URL": server.url,
        "KEPTN_API_TOKEN_SECRET_ARN": "token",
        "LEDGER_TABLE_NAME": "ledger",
        "PLANE_SOURCE": "keptn-lambda-executor/1/eu-west-1/plane",
    }.items():
        monkeypatch.setenv(name, value)
    server.keptn.create_project("podtato", SHIPYARD, ("head",))
    server.keptn.trigger("podtato", "dev", "head", "sequence1")
    assert server.keptn.wait_for(lambda: bool(server.keptn.open_events(SAYHELLO)))
    (event,) = server.keptn.open_events(SAYHELLO)
    now = SystemClock().now()
    Ledger(dynamodb, "ledger").create(Run.claimed(read_triggered(event).ref, "plane", now, now + 3600))
    return str(event["id"])
