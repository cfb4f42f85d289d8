"""For every call that a scenario makes, and every way in which it can go wrong: one run to the end."""

import json
from functools import cache
from typing import Any

import boto3

from cli.template import read_template
from control.plan import ABSENT
from execution_plane.keptn.credentials import ApiToken
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.job_configs import JobConfigs
from execution_plane.ledger.table import Ledger
from execution_plane.settings import Match
from local.aws import create_table
from local.keptn.faults import Answer, LoseEvent
from runs.work import TaskCancelled, TaskContext
from tests.faults.injection import Killed
from tests.faults.matrix import matrix
from tests.faults.simulation import Simulation
from tests.support.job_configs import use_job_config
from tests.support.world import Plane

ON_MOTO = 1  # of a sample: a scenario on moto's table takes four times as long as one in memory
TABLE = "ledger"
CONFIG = """\
apiVersion: v2
actions:
  - name: Greet
    events: [{name: sayhello}]
    tasks: [{name: Hello, function: hello}]
"""
TEMPLATE = read_template()
INTEGRATION = Integration("keptn-lambda-executor", "1/eu-west-1/x", "eu-west-1", "0.1.0")
NO_EVENTS = Answer(200, json.dumps({"events": [], "totalCount": 0}), "application/json")
NO_EXECUTIONS = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")


@cache
def client(service: str, whose: str) -> Any:
    """A client of the functions', or of the test's own; making one takes as long as a short scenario."""
    return boto3.client(service)  # type: ignore[call-overload]


class MotoSimulation(Simulation):
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


class RegisteredSimulation(MotoSimulation):
    """A plane that is in the Bridge, and whose subscriptions are there."""

    def new_plane(self, **more: Any) -> Plane:
        return super().new_plane(integration=INTEGRATION, **more)


def one_task(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.cycles(6)


def two_tasks_and_two_pollers(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.cycles(1, pollers=2)
    simulation.trigger()
    simulation.cycles(5, pollers=2)


def aborted_while_it_runs(simulation: MotoSimulation) -> None:
    simulation.injector.others = simulation.abort
    simulation.plane.tasks.does = lambda context: _abort_and_watch(simulation, context)
    simulation.trigger()
    simulation.cycles(6)


def _abort_and_watch(simulation: MotoSimulation, context: TaskContext) -> Outcome:
    """A task in whose middle the sequence is aborted; it goes on until it is unwanted."""
    simulation.control("abort")
    for _ in range(6):
        simulation.world.clock.advance(10.0)
        simulation.poll()
        if not context.still_wanted():
            raise TaskCancelled
    return Outcome("pass", "succeeded", "done all the same")


def a_worker_that_dies(simulation: MotoSimulation) -> None:
    simulation.plane.tasks.does = _die
    simulation.trigger()
    simulation.cycles(4)
    simulation.cycles(16, seconds=60.0)
    simulation.cycles(3)


def a_worker_that_dies_before_its_task(simulation: MotoSimulation) -> None:
    simulation.plane.tasks.find = _die  # type: ignore[method-assign, assignment]
    simulation.trigger()
    simulation.cycles(2)
    del simulation.plane.tasks.find
    simulation.world.clock.advance(130)
    simulation.cycles(3)


def _die(_: object) -> Outcome:
    raise Killed


def a_worker_that_can_not_be_imported(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.poll()
    simulation.world.clock.advance(10.0)
    simulation.poll()
    for payload in simulation.plane.queue.invocations:
        simulation.give_up(payload, ImportError("No module named 'yaml'"))
    simulation.plane.queue.invocations.clear()
    simulation.world.clock.advance(20.0)
    simulation.wait(4, 10.0)


def a_worker_function_that_is_not_there(simulation: MotoSimulation) -> None:
    simulation.plane.queue.refusals = 1_000
    simulation.trigger()
    simulation.wait(8, 65.0)


def a_worker_function_that_is_not_there_for_a_while(simulation: MotoSimulation) -> None:
    simulation.plane.queue.refusals = 2
    simulation.trigger()
    simulation.wait(5, 65.0)
    simulation.cycles(3)


def five_minutes_in_lambdas_queue(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.wait(5, 75.0)
    simulation.cycles(3)


def five_minutes_in_lambdas_queue_and_then_nothing_handles_it(simulation: MotoSimulation) -> None:
    simulation.keptn_may_time_out = True
    simulation.trigger(work="none")
    simulation.wait(5, 75.0)
    simulation.cycles(3)


def five_minutes_in_lambdas_queue_and_then_the_work_is_silent(simulation: MotoSimulation) -> None:
    simulation.keptn_may_time_out = True
    simulation.trigger(work="silent")
    simulation.wait(5, 75.0)
    simulation.cycles(3)


def silent_work(simulation: MotoSimulation) -> None:
    _send_nothing(simulation, "silent")


def nothing_handles_the_event(simulation: MotoSimulation) -> None:
    _send_nothing(simulation, "none")


def _send_nothing(simulation: MotoSimulation, work: str) -> None:
    """No reply is sent, but where AWS gave up on the invocation before anybody knew what the work is."""
    simulation.keptn_may_time_out = True
    simulation.trigger(work=work)
    simulation.cycles(6)
    sent = [event for event in simulation.world.keptn.received if event.get("triggeredid")]
    assert not sent or any(event["data"].get("status") == "errored" for event in sent)


def a_task_that_takes_its_time(simulation: MotoSimulation) -> None:
    def take_time(context: TaskContext) -> Outcome:
        for step in range(4):
            context.report(f"step {step}")
            simulation.world.clock.advance(45)
            simulation.poll()
        return Outcome("warning", "succeeded", "slow", {"steps": 4})

    simulation.plane.tasks.does = take_time
    simulation.trigger()
    simulation.cycles(5)


def keptn_refuses_the_finished_for_a_while(simulation: MotoSimulation) -> None:
    simulation.world.keptn.faults.add(Answer(429), "/v1/event", "POST", body=r"\.finished")
    simulation.trigger()
    simulation.cycles(3)
    simulation.world.keptn.faults.clear()
    simulation.wait(3, 45.0)


def keptn_loses_the_started(simulation: MotoSimulation) -> None:
    _lose_a_reply(simulation, "started")


def keptn_loses_the_finished(simulation: MotoSimulation) -> None:
    _lose_a_reply(simulation, "finished")


def _lose_a_reply(simulation: MotoSimulation, kind: str) -> None:
    simulation.keptn_loses = True
    simulation.world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body=rf"\.{kind}", times=1)
    simulation.trigger()
    simulation.cycles(3)
    simulation.wait(5, 65.0)
    simulation.cycles(2)


def paused_before_it_begins_and_resumed(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.control("pause")
    simulation.cycles(2)
    simulation.control("resume")
    simulation.world.clock.advance(30.0)
    simulation.cycles(4)


def a_job_config_of_keptns(simulation: MotoSimulation) -> None:
    """Read once for two tasks, and kept where both workers find it."""
    job_configs = JobConfigs(simulation.injector.wrap_aws(client("dynamodb", "functions")), TABLE)
    functions = use_job_config(simulation.plane, CONFIG, job_configs=job_configs)
    functions.on_run = lambda context: simulation.plane.tasks.begun.append(context.event.ref.id)
    simulation.trigger()
    simulation.trigger()
    simulation.cycles(6)


def a_ledger_lost_while_the_task_runs(simulation: MotoSimulation) -> None:
    def be_forgotten(_: TaskContext) -> Outcome:
        simulation.lose_the_ledger()
        simulation.poll()
        return Outcome("pass", "succeeded", "done")

    simulation.plane.tasks.does = be_forgotten
    simulation.trigger()
    simulation.cycles(5)


def forgotten_by_keptn_for_a_moment_and_for_some_minutes(simulation: MotoSimulation) -> None:
    simulation.trigger()
    simulation.wait(2, 5.0)
    for cycles in (1, 3):
        simulation.world.keptn.faults.add(NO_EVENTS, "event/triggered")
        simulation.world.keptn.faults.add(NO_EXECUTIONS, "sequence-execution")
        simulation.wait(cycles, ABSENT)
        simulation.world.keptn.faults.clear()
        simulation.wait(1, 5.0)
    simulation.cycles(4)


SCENARIOS = (
    one_task,
    two_tasks_and_two_pollers,
    aborted_while_it_runs,
    a_worker_that_dies,
    a_worker_that_dies_before_its_task,
    a_worker_that_can_not_be_imported,
    a_worker_function_that_is_not_there,
    a_worker_function_that_is_not_there_for_a_while,
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
    a_job_config_of_keptns,
    a_ledger_lost_while_the_task_runs,
    forgotten_by_keptn_for_a_moment_and_for_some_minutes,
)
test_the_invariants_hold = matrix(MotoSimulation, *SCENARIOS, sampled_strikes=ON_MOTO)
test_the_invariants_hold_by_a_registered_plane = matrix(
    RegisteredSimulation, one_task, sampled_strikes=ON_MOTO
)
