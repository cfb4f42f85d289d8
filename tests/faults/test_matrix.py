"""For every call that a scenario makes, and every way in which it can go wrong: one run to the end."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from execution_plane.credentials import ApiToken
from execution_plane.events import Outcome
from execution_plane.ledger import Ledger
from execution_plane.settings import Match
from local.aws import create_table, read_template
from tests.faults.injection import Call, Fault, Injector, Killed
from tests.faults.promise import bring_to_rest, check_promise
from tests.support.world import Plane, World
from work import Performance, TaskCancelled

TABLE = "ledger"
TEMPLATE = read_template()


class Theatre:
    """A world in which a fault strikes one call of the functions."""

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        self.world = World(reply_delay=0.5, dispatch_gap=0.5)
        self.injector = Injector(self.world.clock, point, fault)
        self.world.clock.on_advance.append(self.injector.catch_up)
        self.tasks: list[str] = []
        self.plane = self._plane()
        self.injector.others = self.another_poller_cycles

    def _plane(self) -> Plane:
        dynamodb, sqs, secrets = boto3.client("dynamodb"), boto3.client("sqs"), boto3.client("secretsmanager")
        create_table(dynamodb, TABLE, TEMPLATE)
        secrets.create_secret(Name="token", SecretString=self.world.keptn.token)
        self.queue_url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        self.world.wrap_session = self.injector.wrap_session
        self.injector.wrap_aws(secrets)
        self.world.credentials = lambda: ApiToken(secrets, "token")
        plane = Plane(
            self.world,
            Ledger(self.injector.wrap_aws(dynamodb), TABLE),
            source="keptn-lambda-executor/1/eu-west-1/x",
            match=Match("$.data.sayhello.location", "APAC"),
            sqs=self.injector.wrap_aws(sqs),
            failure_queue_url=self.queue_url,
        )
        plane.queue.invoke = self.injector.wrap_invoke(plane.queue.invoke)  # type: ignore[method-assign]
        self.world.planes.append(plane)
        return plane

    def another_poller_cycles(self) -> None:
        """A tick that overlaps whatever is under way."""
        self.plane.cycle(self.plane.new_poller())

    def abort(self) -> None:
        """A user aborts the sequences, and a poller sees it at once."""
        for context in self.world.contexts.values():
            self.world.keptn.control("podtato", context, "abort")
        self.another_poller_cycles()

    def trigger(self) -> None:
        self.tasks.append(self.world.trigger("APAC"))

    def play(self, cycles: int = 1, pollers: int = 1) -> None:
        """Cycle on, with functions that may die and are then replaced."""
        for _ in range(cycles):
            for _ in range(pollers):
                self._poll()
            invocations, self.plane.queue.invocations[:] = list(self.plane.queue.invocations), []
            for payload in invocations:
                self._work(payload)
            self.world.clock.advance(10.0)

    def _poll(self) -> None:
        try:
            self.plane.cycle()
        except Killed:
            self.plane.poller = self.plane.new_poller()
        except Exception:
            pass

    def _work(self, payload: dict[str, Any]) -> None:
        try:
            self.plane.work(payload)
        except (Killed, Exception) as death:
            record = {
                "requestContext": {"condition": "RetriesExhausted"},
                "requestPayload": payload,
                "responsePayload": {"errorMessage": f"injected: {death!r}"},
            }
            boto3.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(record))

    def end(self) -> None:
        """No more faults: everything must come to rest, with the promise kept."""
        self.injector.is_armed = False
        bring_to_rest(self.world)
        lost = self.injector.fault is Fault.LOST
        check_promise(self.world, self.tasks, keptn_lost_nothing=not lost)


def one_task(theatre: Theatre) -> None:
    theatre.trigger()
    theatre.play(6)


def two_tasks_and_two_pollers(theatre: Theatre) -> None:
    theatre.trigger()
    theatre.play(1, pollers=2)
    theatre.trigger()
    theatre.play(5, pollers=2)


def aborted_while_it_runs(theatre: Theatre) -> None:
    theatre.injector.others = theatre.abort
    theatre.plane.tasks.does = lambda performance: _abort_and_watch(theatre, performance)
    theatre.trigger()
    theatre.play(6)


def _abort_and_watch(theatre: Theatre, performance: Performance) -> Outcome:
    """A task in whose middle the sequence is aborted; it goes on until it is unwanted."""
    ref = performance.event.ref
    theatre.world.keptn.control(ref.project, ref.context, "abort")
    for _ in range(6):
        theatre.world.clock.advance(10.0)
        theatre._poll()
        if not performance.still_wanted():
            raise TaskCancelled
    return Outcome("pass", "succeeded", "done all the same")


def a_worker_that_dies(theatre: Theatre) -> None:
    def die(_: Performance) -> Outcome:
        raise Killed

    theatre.plane.tasks.does = die
    theatre.trigger()
    theatre.play(4)
    theatre.world.clock.advance(940)
    theatre.play(3)


def a_task_that_takes_its_time(theatre: Theatre) -> None:
    def take_time(performance: Performance) -> Outcome:
        for step in range(4):
            performance.report(f"step {step}")
            theatre.world.clock.advance(45)
            theatre._poll()
        return Outcome("warning", "succeeded", "slow", {"steps": 4})

    theatre.plane.tasks.does = take_time
    theatre.trigger()
    theatre.play(5)


Scenario = Callable[[Theatre], None]
SCENARIOS: tuple[Scenario, ...] = (
    one_task,
    two_tasks_and_two_pollers,
    aborted_while_it_runs,
    a_worker_that_dies,
    a_task_that_takes_its_time,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_promise_is_kept(
    scenario: Scenario, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    calls = play(scenario, None, None)
    points = [index for index, call in enumerate(calls) if call.suffers(fault)]
    broken = []
    for point in points:
        try:
            play(scenario, point, fault)
        except AssertionError as failure:
            broken.append(f"{point} {calls[point]}: {failure}")
    record_property("faults tried", len(points))
    record_property("faults survived", len(points) - len(broken))
    assert points
    assert not broken, "\n".join(broken)


def play(scenario: Scenario, point: int | None, fault: Fault | None) -> list[Call]:
    """Play a scenario to its end; the calls that were made in it."""
    with mock_aws():
        theatre = Theatre(point, fault)
        scenario(theatre)
        theatre.end()
        return theatre.injector.calls
