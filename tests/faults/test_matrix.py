"""For every call that a scenario makes, and every way in which it can go wrong: one run to the end."""

import json
from functools import cache
from typing import Any

import boto3

from control.plan import ABSENT
from execution_plane.keptn.credentials import ApiToken
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.table import Ledger
from execution_plane.settings import Match
from local.aws import create_table, read_template
from local.keptn.faults import Answer, LoseEvent
from runs.work import Performance, TaskCancelled
from tests.faults.injection import Killed
from tests.faults.theatre import Theatre, matrix
from tests.support.world import Plane

TABLE = "ledger"
TEMPLATE = read_template()
INTEGRATION = Integration("keptn-lambda-executor", "1/eu-west-1/x", "eu-west-1", "0.1.0")
NO_EVENTS = Answer(200, json.dumps({"events": [], "totalCount": 0}), "application/json")
NO_EXECUTIONS = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")


@cache
def client(service: str, whose: str) -> Any:
    """A client of the functions', or of the test's own; making one takes as long as a short scenario."""
    return boto3.client(service)  # type: ignore[call-overload]


class Stage(Theatre):
    """A plane with moto's table, queue and secret."""

    def new_plane(self, **more: Any) -> Plane:
        create_table(client("dynamodb", "test"), TABLE, TEMPLATE)
        client("secretsmanager", "test").create_secret(Name="token", SecretString=self.world.keptn.token)
        self.sqs = client("sqs", "test")
        # A message that is received and not deleted is there again at once: moto's clock is not simulated.
        visible = {"VisibilityTimeout": "0"}
        self.queue_url = self.sqs.create_queue(QueueName="failures", Attributes=visible)["QueueUrl"]
        dynamodb, sqs, secrets = (
            self.injector.wrap_aws(client(service, "functions"))
            for service in ("dynamodb", "sqs", "secretsmanager")
        )
        self.world.credentials = lambda: ApiToken(secrets, "token")
        return Plane(
            self.world,
            Ledger(dynamodb, TABLE),
            source="keptn-lambda-executor/1/eu-west-1/x",
            match=Match("$.data.sayhello.location", "APAC"),
            sqs=sqs,
            failure_queue_url=self.queue_url,
            **more,
        )

    def lose_the_ledger(self) -> None:
        """Delete every run, but one that nobody but the ledger knows of."""
        self.world.clock.advance(1.0)
        for run in self.plane.ledger.active():
            if self.world.keptn.counts(run.event.id) == (1, 0):
                key = {"event_id": {"S": run.event.id}}
                client("dynamodb", "test").delete_item(TableName=TABLE, Key=key)


class RegisteredStage(Stage):
    """A plane that is in the Bridge, and whose subscriptions are there."""

    def new_plane(self, **more: Any) -> Plane:
        return super().new_plane(integration=INTEGRATION, **more)


def one_task(stage: Stage) -> None:
    stage.trigger()
    stage.play(6)


def two_tasks_and_two_pollers(stage: Stage) -> None:
    stage.trigger()
    stage.play(1, pollers=2)
    stage.trigger()
    stage.play(5, pollers=2)


def aborted_while_it_runs(stage: Stage) -> None:
    stage.injector.others = stage.abort
    stage.plane.tasks.does = lambda performance: _abort_and_watch(stage, performance)
    stage.trigger()
    stage.play(6)


def _abort_and_watch(stage: Stage, performance: Performance) -> Outcome:
    """A task in whose middle the sequence is aborted; it goes on until it is unwanted."""
    stage.control("abort")
    for _ in range(6):
        stage.world.clock.advance(10.0)
        stage.poll()
        if not performance.still_wanted():
            raise TaskCancelled
    return Outcome("pass", "succeeded", "done all the same")


def a_worker_that_dies(stage: Stage) -> None:
    stage.plane.tasks.does = _die
    stage.trigger()
    stage.play(4)
    stage.play(16, seconds=60.0)
    stage.play(3)


def a_worker_that_dies_before_its_task(stage: Stage) -> None:
    stage.plane.tasks.find = _die  # type: ignore[method-assign, assignment]
    stage.trigger()
    stage.play(2)
    del stage.plane.tasks.find
    stage.world.clock.advance(130)
    stage.play(3)


def _die(_: object) -> Outcome:
    raise Killed


def a_worker_that_can_not_be_imported(stage: Stage) -> None:
    stage.trigger()
    stage.poll()
    stage.world.clock.advance(10.0)
    stage.poll()
    for payload in stage.plane.queue.invocations:
        stage.give_up(payload, ImportError("No module named 'yaml'"))
    stage.plane.queue.invocations.clear()
    stage.world.clock.advance(20.0)
    stage.wait(4, 10.0)


def five_minutes_in_lambdas_queue(stage: Stage) -> None:
    stage.trigger()
    stage.wait(5, 75.0)
    stage.play(3)


def five_minutes_in_lambdas_queue_and_then_nothing_handles_it(stage: Stage) -> None:
    stage.keptn_may_time_out = True
    stage.trigger(work="none")
    stage.wait(5, 75.0)
    stage.play(3)


def five_minutes_in_lambdas_queue_and_then_the_work_is_silent(stage: Stage) -> None:
    stage.keptn_may_time_out = True
    stage.trigger(work="silent")
    stage.wait(5, 75.0)
    stage.play(3)


def silent_work(stage: Stage) -> None:
    _send_nothing(stage, "silent")


def nothing_handles_the_event(stage: Stage) -> None:
    _send_nothing(stage, "none")


def _send_nothing(stage: Stage, work: str) -> None:
    """No reply is sent, but where AWS gave up on the invocation before anybody knew what the work is."""
    stage.keptn_may_time_out = True
    stage.trigger(work=work)
    stage.play(6)
    sent = [event for event in stage.world.keptn.received if event.get("triggeredid")]
    assert not sent or any(event["data"].get("status") == "errored" for event in sent)


def a_task_that_takes_its_time(stage: Stage) -> None:
    def take_time(performance: Performance) -> Outcome:
        for step in range(4):
            performance.report(f"step {step}")
            stage.world.clock.advance(45)
            stage.poll()
        return Outcome("warning", "succeeded", "slow", {"steps": 4})

    stage.plane.tasks.does = take_time
    stage.trigger()
    stage.play(5)


def keptn_refuses_the_finished_for_a_while(stage: Stage) -> None:
    stage.world.keptn.faults.add(Answer(429), "/v1/event", "POST", body=r"\.finished")
    stage.trigger()
    stage.play(3)
    stage.world.keptn.faults.clear()
    stage.wait(3, 45.0)


def keptn_loses_the_started(stage: Stage) -> None:
    _lose_a_reply(stage, "started")


def keptn_loses_the_finished(stage: Stage) -> None:
    _lose_a_reply(stage, "finished")


def _lose_a_reply(stage: Stage, kind: str) -> None:
    stage.keptn_loses = True
    stage.world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body=rf"\.{kind}", times=1)
    stage.trigger()
    stage.play(3)
    stage.wait(5, 65.0)
    stage.play(2)


def paused_before_it_begins_and_resumed(stage: Stage) -> None:
    stage.trigger()
    stage.control("pause")
    stage.play(2)
    stage.control("resume")
    stage.world.clock.advance(30.0)
    stage.play(4)


def a_ledger_lost_while_the_task_runs(stage: Stage) -> None:
    def be_forgotten(_: Performance) -> Outcome:
        stage.lose_the_ledger()
        stage.poll()
        return Outcome("pass", "succeeded", "done")

    stage.plane.tasks.does = be_forgotten
    stage.trigger()
    stage.play(5)


def forgotten_by_keptn_for_a_moment_and_for_some_minutes(stage: Stage) -> None:
    stage.trigger()
    stage.wait(2, 5.0)
    for cycles in (1, 3):
        stage.world.keptn.faults.add(NO_EVENTS, "event/triggered")
        stage.world.keptn.faults.add(NO_EXECUTIONS, "sequence-execution")
        stage.wait(cycles, ABSENT)
        stage.world.keptn.faults.clear()
        stage.wait(1, 5.0)
    stage.play(4)


SCENARIOS = (
    one_task,
    two_tasks_and_two_pollers,
    aborted_while_it_runs,
    a_worker_that_dies,
    a_worker_that_dies_before_its_task,
    a_worker_that_can_not_be_imported,
    five_minutes_in_lambdas_queue,
    five_minutes_in_lambdas_queue_and_then_nothing_handles_it,
    five_minutes_in_lambdas_queue_and_then_the_work_is_silent,
    silent_work,
    nothing_handles_the_event,
    a_task_that_takes_its_time,
    keptn_refuses_the_finished_for_a_while,
    keptn_loses_the_started,
    keptn_loses_the_finished,
    paused_before_it_begins_and_resumed,
    a_ledger_lost_while_the_task_runs,
    forgotten_by_keptn_for_a_moment_and_for_some_minutes,
)
test_the_promise_is_kept = matrix(Stage, *SCENARIOS)
test_the_promise_is_kept_by_a_registered_plane = matrix(RegisteredStage, one_task)
