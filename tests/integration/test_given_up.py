"""Invocations that AWS gives up on, that wait for long, and that kill their worker each time."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import boto3
import pytest

from cli.runs import forecast
from control.observing import FAILURES_EVERY
from control.plan import START_AFTER
from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome, TriggeredEvent
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.runs import BEGIN_LEASE, MOST_ATTEMPTS, Run, State
from local.keptn.uniform import LogQuery
from runs.work import Find, TaskContext, Work
from tests.conftest import PlaneMaker
from tests.faults.injection import Fault, Injector, Killed
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.container_runs import ONE, begin
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

IMPORT_ERROR = "Unable to import module 'worker': No module named 'yaml'"
EXITED = "RequestId: 1 Error: Runtime exited with error: signal: killed"


class Given:
    """Lambda, as it gives up on invocations of a plane's worker."""

    def __init__(self, queue_url: str) -> None:
        self._sqs = boto3.client("sqs")
        self.queue_url = queue_url

    def up(
        self,
        payload: dict[str, Any],
        error: str = "",
        condition: str = "RetriesExhausted",
        invocation: str = "1",
    ) -> None:
        record = {
            "requestContext": {"requestId": invocation, "condition": condition},
            "requestPayload": payload,
            **({"responsePayload": {"errorMessage": error}} if error else {}),
        }
        self._sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(record))


@pytest.fixture
def given(aws: None) -> Given:
    return Given(str(boto3.client("sqs").create_queue(QueueName="failures")["QueueUrl"]))


@pytest.fixture
def plane(new_plane: PlaneMaker, given: Given) -> Plane:
    return new_plane(sqs=boto3.client("sqs"), failure_queue_url=given.queue_url)


def deliver(plane: Plane, given: Given, invoke: Callable[..., object]) -> None:
    """Everything in Lambda's queue; what fails goes to the failure queue."""
    invocations, plane.queue.invocations[:] = list(plane.queue.invocations), []
    for payload in invocations:
        invocation = str(uuid4())
        try:
            invoke(payload, invocation=invocation)
        except Killed:
            given.up(payload, EXITED, invocation=invocation)
        except ImportError as error:
            given.up(payload, str(error), invocation=invocation)


def test_a_worker_that_can_not_be_imported_shows_in_keptn_within_minutes(
    world: World, plane: Plane, given: Given
) -> None:
    """A deployment broke it: every task that is triggered fails, and says why."""

    def can_not_be_imported(_: dict[str, Any], **__: str) -> None:
        raise ImportError(IMPORT_ERROR)

    tasks = [world.trigger() for _ in range(3)]
    begun = world.clock.now()
    while any(world.keptn.counts(task) != (1, 1) for task in tasks):
        plane.cycle()
        deliver(plane, given, can_not_be_imported)
        world.clock.advance(10)
        assert world.clock.now() - begun < 120

    for task in tasks:
        data = world.finished(task)
        assert (data["status"], data["result"]) == ("errored", "fail")
        assert IMPORT_ERROR in data["message"]
    bring_to_rest(world)
    check_invariants(world, tasks)
    assert plane.tasks.begun == []


def test_a_run_in_flight_meets_a_worker_that_can_not_be_imported(
    world: World, plane: Plane, given: Given
) -> None:
    """Its first worker was lost, and then a deployment broke the next."""

    def fails(_: dict[str, Any], **__: str) -> None:
        raise Killed if plane.run(task).dispatches == 1 else ImportError(IMPORT_ERROR)

    task = world.trigger()
    plane.cycle()
    plane.ledger.move(plane.run(task), plane.run(task).acquired(world.clock.now()))
    for _ in range(60):
        deliver(plane, given, fails)
        world.clock.advance(10)
        plane.cycle()
    world.settle()

    assert IMPORT_ERROR in world.finished(task)["message"]
    assert world.keptn.counts(task) == (1, 1)


def test_a_worker_that_can_not_be_imported_at_a_containers_end_shows_in_keptn_within_minutes(
    world: World, plane: Plane, given: Given
) -> None:
    def can_not_be_imported(_: dict[str, Any], **__: str) -> None:
        raise ImportError(IMPORT_ERROR)

    use_job_config(plane, ONE)
    task = world.trigger()
    begin(plane)
    plane.ecs.end()
    begun = world.clock.now()
    while world.keptn.counts(task) != (1, 1):
        plane.cycle()
        deliver(plane, given, can_not_be_imported)
        world.clock.advance(10)
        assert world.clock.now() - begun < 300

    assert IMPORT_ERROR in world.finished(task)["message"]


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.FAILED])
def test_a_started_whose_sender_is_lost_while_the_run_is_queued_is_repaired_in_time(
    world: World, plane: Plane, fault: Fault
) -> None:
    """Keptn times the task out after ten minutes."""
    injector = Injector(world.clock)
    injector.wrap_session(world.session)
    task = world.trigger()
    plane.cycle()
    world.clock.advance(START_AFTER)
    injector.ambush = ("POST", 0, fault)
    with suppress(Killed):
        plane.cycle()
    assert injector.struck

    for _ in range(60):
        plane.cycle()
        world.clock.advance(10)
    assert world.keptn.counts(task) == (1, 0)
    bring_to_rest(world)

    check_invariants(world, [task])
    assert world.finished(task)["result"] == "pass"


def test_an_invocation_that_aws_gives_up_on_ends_its_run_with_awss_reason(
    world: World, new_plane: PlaneMaker, given: Given
) -> None:
    """Throttled until it is too old; the invocations that followed it are still queued."""
    day = 86_400.0
    plane = new_plane(sqs=boto3.client("sqs"), failure_queue_url=given.queue_url, run_deadline=day)
    task = world.trigger()
    plane.cycle()
    (payload,) = plane.queue.invocations
    for _ in range(6 * 60):
        world.clock.advance(60)
        plane.cycle()
    assert plane.run(task).state is State.CLAIMED
    given.up(payload, condition="EventAgeExceeded")
    world.clock.advance(10)

    bring_to_rest(world)

    check_invariants(world, [task])
    assert "EventAgeExceeded" in world.finished(task)["message"]
    assert plane.tasks.begun == []


def test_a_run_that_waits_five_minutes_in_lambdas_queue_gets_its_started_from_the_poller(
    world: World, plane: Plane
) -> None:
    """Keptn times a task out that nobody has started after ten minutes."""
    task = world.trigger()
    plane.cycle()
    world.clock.advance(START_AFTER - 1)
    plane.cycle()
    assert world.keptn.counts(task) == (0, 0)
    world.clock.advance(1)

    for _ in range(100):
        plane.cycle()
        world.clock.advance(10)
    assert world.keptn.counts(task) == (1, 0)
    assert len(plane.queue.invocations) > 1
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]
    assert world.finished(task)["result"] == "pass"


class Poisoned:
    """A work finder that kills its worker at some events, and else is the plane's own."""

    def __init__(self, plane: Plane, poison: set[str], most: int = 1_000) -> None:
        self.acquired: list[str] = []
        self._tasks = plane.tasks
        self._poison = poison
        self._most = most
        plane.work_finder = self

    def search(self, _: Run, __: Deadline) -> Find:
        return self._find

    def _find(self, event: TriggeredEvent) -> Work | None:
        self.acquired.append(event.ref.id)
        if event.ref.id in self._poison and self.acquired.count(event.ref.id) <= self._most:
            raise Killed
        return self._tasks.find(event)


def live(world: World, plane: Plane, given: Given, minutes: int) -> None:
    for _ in range(minutes * 6):
        plane.cycle()
        deliver(plane, given, plane.work)
        world.clock.advance(10)


def test_a_task_that_crashes_the_worker_each_time_is_taken_three_times_and_then_errored(
    world: World, plane: Plane, given: Given
) -> None:
    task = world.trigger()
    poisoned = Poisoned(plane, {task})

    live(world, plane, given, minutes=12)

    assert poisoned.acquired == [task] * MOST_ATTEMPTS
    assert (world.finished(task)["status"], world.keptn.counts(task)) == ("errored", (1, 1))
    assert "lost 3 times" in world.finished(task)["message"]
    assert "signal: killed" in world.finished(task)["message"]
    bring_to_rest(world)
    check_invariants(world, [task])


def test_a_worker_that_crashes_once_before_its_task_is_replaced(
    world: World, plane: Plane, given: Given
) -> None:
    """Lambda reports the crash to the failure queue; it is no reason to give the task up."""
    task = world.trigger()
    poisoned = Poisoned(plane, {task}, most=1)

    live(world, plane, given, minutes=5)

    assert poisoned.acquired == [task] * 2
    check_invariants(world, [task])
    assert world.finished(task)["result"] == "pass"


def test_a_worker_that_dies_in_its_task_shows_in_keptn_within_seconds(
    world: World, plane: Plane, given: Given
) -> None:
    """Its function has still a quarter of an hour."""

    def die(_: TaskContext) -> Outcome:
        raise Killed

    plane.tasks.does = die
    task = world.trigger()
    plane.cycle()
    world.clock.advance(10)
    deliver(plane, given, plane.work)
    world.clock.advance(5)

    plane.cycle()
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    assert "while the task ran" in world.finished(task)["message"]
    assert "signal: killed" in world.finished(task)["message"]


def test_a_record_of_an_earlier_attempt_ends_no_later_one(world: World, plane: Plane, given: Given) -> None:
    """The first worker's lease is over before its record comes, while the second is at the task."""

    def receive_the_record(context: TaskContext) -> Outcome:
        given.up(late, EXITED, invocation="first")
        for _ in range(3):
            world.clock.advance(10)
            plane.cycle()
            assert context.still_wanted()
        return Outcome("pass", "succeeded", "done")

    task = world.trigger()
    Poisoned(plane, {task}, most=1)
    plane.tasks.does = receive_the_record
    plane.cycle()
    late = plane.queue.invocations.pop()
    with pytest.raises(Killed):
        plane.work(late, invocation="first")
    world.clock.advance(BEGIN_LEASE)
    plane.cycle()
    plane.cycle()
    plane.work_all()
    world.settle()

    assert world.finished(task)["message"] == "done"
    assert plane.run(task).attempt == 2


def test_a_worker_that_gave_its_run_back_and_then_fails_is_no_reason_to_give_it_up(
    world: World, plane: Plane, given: Given
) -> None:
    task = world.trigger()
    plane.cycle()
    (payload,) = plane.queue.invocations
    claimed = plane.ledger.move(plane.run(task), plane.run(task).acquired(world.clock.now(), "first"))
    plane.ledger.move(claimed, claimed.given_back(world.clock.now()))
    plane.queue.invocations.clear()
    given.up(payload, EXITED, invocation="first")

    bring_to_rest(world)

    check_invariants(world, [task])
    assert world.finished(task)["message"] == "done"


def test_the_failure_queue_is_read_only_for_runs_that_a_worker_may_have(
    world: World, new_plane: PlaneMaker, given: Given
) -> None:
    """And each few seconds at most: a busy plane polls each second, and each request to SQS costs."""
    received: list[float] = []

    class Counting:
        def receive_message(self, **_: Any) -> dict[str, Any]:
            received.append(world.clock.now())
            return {}

    plane = new_plane(sqs=Counting(), failure_queue_url=given.queue_url)

    def poll(seconds: int) -> int:
        received.clear()
        for _ in range(seconds):
            plane.cycle()
            world.clock.advance(1)
        return len(received)

    assert poll(60) == 0, "idle"
    use_job_config(plane, ONE)
    world.trigger()
    assert poll(60) <= 60 / FAILURES_EVERY, "a worker may have it"
    begin(plane)
    assert poll(60) == 0, "a container has it"


def test_an_invocation_that_aws_refuses_for_good_is_said_at_once_and_errored_after_some_tries(
    world: World, new_plane: PlaneMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker function was deleted."""
    plane = new_plane(integration=Integration("plane", "1/eu/plane", "eu", "0.1.0"))
    plane.queue.refusals = 1_000
    task = world.trigger()

    plane.cycle()

    run = plane.run(task)
    assert (run.state, run.refusals) == (State.CLAIMED, 1)
    assert "Function not found" in run.refused
    assert "Function not found" in forecast.stands(run, forecast.View(), world.clock.now())
    (logged,) = world.keptn.uniform.logs(LogQuery())
    assert (logged["triggeredid"], "Function not found" in logged["message"]) == (task, True)
    assert "no worker can be invoked" in caplog.messages

    began = world.clock.now()
    while world.keptn.counts(task) != (1, 1):
        world.clock.advance(1)
        plane.cycle()
        assert world.clock.now() - began < 300
    assert plane.run(task).dispatches == MOST_ATTEMPTS
    assert "Function not found" in world.finished(task)["message"]


def test_a_worker_that_can_be_invoked_again_has_the_task(world: World, plane: Plane) -> None:
    """As while the permissions of a new stack spread."""
    plane.queue.refusals = 2
    task = world.trigger()

    bring_to_rest(world)

    check_invariants(world, [task])
    assert world.finished(task)["message"] == "done"
    assert plane.run(task).refusals == 0


def test_a_containers_end_for_which_no_worker_can_be_invoked_is_errored_after_some_tries(
    world: World, plane: Plane
) -> None:
    use_job_config(plane, ONE)
    task = world.trigger()
    begin(plane)
    plane.ecs.end()
    plane.queue.refusals = 1_000

    for _ in range(40):
        plane.cycle()
        world.clock.advance(10)

    assert world.keptn.counts(task) == (1, 1)
    message = world.finished(task)["message"]
    assert "end could not be handled" in message
    assert "Function not found" in message


def test_a_poison_event_does_not_slow_the_others(world: World, plane: Plane, given: Given) -> None:
    Poisoned(plane, {world.trigger()})

    for _ in range(20):
        good = [world.trigger() for _ in range(2)]
        plane.cycle()
        deliver(plane, given, plane.work)
        world.settle()
        assert [world.keptn.counts(task) for task in good] == [(1, 1)] * 2
        world.clock.advance(30)
    bring_to_rest(world)
