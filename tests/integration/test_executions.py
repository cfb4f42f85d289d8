"""Tasks that an AWS Step Functions state machine does: how an execution is started, ends and is stopped."""

import json
from dataclasses import replace

import pytest

from cli.runs.ending import end as end_run
from execution_plane.executions import PROBE_SECONDS
from execution_plane.ledger.runs import SUBMIT_LEASE, State
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.container_runs import begin, counts, message, progress
from tests.support.deletion import delete_stack
from tests.support.job_configs import use_job_config
from tests.support.step_functions import MACHINES, refusal
from tests.support.world import Plane, World

LOAD = """\
apiVersion: v2
actions:
  - name: Test
    events: [{name: sayhello}]
    tasks:
      - name: Load
        stateMachine: load-test
        maxPollDuration: 600
        env: [{name: WHERE, value: $.data.sayhello.location, valueFrom: event}]
"""


@pytest.fixture
def task(world: World, plane: Plane) -> str:
    use_job_config(plane, LOAD)
    task = world.trigger()
    begin(plane)
    return task


def end(plane: Plane, **how: object) -> str:
    """The only execution ends, and EventBridge says so."""
    event = plane.sfn.end(**how)
    plane.clock.advance(1)
    return plane.work(event)


def test_an_execution_has_the_steps_token_for_its_name_and_the_worker_does_not_wait(
    plane: Plane, world: World, task: str
) -> None:
    (execution,) = plane.sfn.running
    step = plane.run(task).step

    assert step is not None
    assert (step.kind, f"keptn-{step.token}", step.handle) == ("execution", execution.name, execution.arn)
    assert plane.run(task).state is State.WAITING
    assert counts(world, task) == (1, 0)


def test_its_input_is_the_event_with_the_variables_and_where_it_is(plane: Plane, task: str) -> None:
    given = json.loads(plane.sfn.running[0].given)

    assert given.pop("event")["id"] == task
    assert given.pop("context") == plane.world.contexts[task]
    assert given.pop("env") == {
        "WHERE": "APAC",
        "KEPTN_PROJECT": "podtato",
        "KEPTN_STAGE": "dev",
        "KEPTN_SERVICE": "head",
    }
    assert given == {"project": "podtato", "stage": "dev", "service": "head"}


def test_keptn_is_told_which_execution_it_is_and_where_to_see_it(
    plane: Plane, world: World, task: str
) -> None:
    (execution,) = plane.sfn.running

    assert progress(world)[-1] == (
        f"Execution {execution.name} of load-test: https://eu-west-1.console.aws.amazon.com/states/home"
        f"?region=eu-west-1#/v2/executions/details/{execution.arn}"
    )


@pytest.mark.parametrize(
    ("output", "result", "said", "data"),
    [
        ({"result": "warning", "message": "slow", "data": {"p99": 7}}, "warning", "slow", {"p99": 7}),
        ({"result": "fail", "message": "too slow"}, "fail", "too slow", {}),
        ({"p99": 7}, "pass", "", {"p99": 7}),
        ({"result": {"p99": 7}}, "pass", "", {"result": {"p99": 7}}),
        ([1, 2], "pass", "", {"output": [1, 2]}),
        (None, "pass", "", {}),
    ],
)
def test_its_output_is_the_tasks_or_its_data(
    plane: Plane, world: World, task: str, output: object, result: str, said: str, data: dict[str, object]
) -> None:
    end(plane, output=output)

    finished = world.finished(task)
    assert (finished["result"], finished.get("message", "")) == (result, said)
    assert finished.get("sayhello", {}).items() >= data.items()
    assert counts(world, task) == (1, 1)


def test_a_failures_error_and_cause_are_the_message(plane: Plane, world: World, task: str) -> None:
    end(plane, status="FAILED", error="Load.TooSlow", cause="p99 was 7 s")

    said = message(world, task)
    assert said.startswith("The execution failed: Load.TooSlow: p99 was 7 s\nhttps://")
    assert world.finished(task)["status"] == "errored"


def test_a_state_machines_own_timeout_is_named(plane: Plane, world: World, task: str) -> None:
    end(plane, status="TIMED_OUT")

    assert message(world, task).startswith(
        "The execution was still running at its state machine's own time limit"
    )


def test_an_execution_past_its_deadline_is_stopped_with_the_reason(
    plane: Plane, world: World, task: str
) -> None:
    world.clock.advance(600)
    world.cycles(8)

    (execution,) = plane.sfn.executions.values()
    assert (execution.status, execution.error) == ("ABORTED", "Keptn.Stopped")
    assert "maxPollDuration" in execution.cause
    assert message(world, task).startswith(
        "The execution was still running after 600 s (maxPollDuration) and was stopped."
    )


def test_an_abort_stops_it(plane: Plane, world: World, task: str) -> None:
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.cycles(8)

    (execution,) = plane.sfn.executions.values()
    assert (execution.status, execution.cause) == ("ABORTED", "Its Keptn sequence was aborted or timed out.")
    assert plane.run(task).state is State.CLOSED


def test_a_deleted_stack_stops_it(plane: Plane, world: World, task: str) -> None:
    assert delete_stack(plane) == 1

    (execution,) = plane.sfn.executions.values()
    assert (execution.status, execution.cause) == (
        "ABORTED",
        "The execution plane that had this task was deleted.",
    )
    assert counts(world, task) == (1, 1)


def test_an_end_that_is_lost_is_seen_by_a_probe(plane: Plane, world: World, task: str) -> None:
    plane.sfn.end(output={"p99": 7})
    world.cycles(6)

    assert counts(world, task) == (1, 1)


def test_an_output_that_was_too_large_for_the_event_is_read_by_a_probe(
    plane: Plane, world: World, task: str
) -> None:
    event = plane.sfn.end(output={"p99": 7})
    event["detail"] |= {"output": None, "outputDetails": {"included": False}}

    assert plane.work(event) == "the execution has not ended"
    world.cycles(6)
    assert world.finished(task)["sayhello"]["p99"] == 7


def test_step_functions_is_asked_no_more_than_once_in_half_a_minute(plane: Plane, world: World) -> None:
    use_job_config(plane, LOAD)
    world.trigger()
    begin(plane)
    probing = plane.probing_steps()
    active = plane.ledger.active()
    now = plane.world.aws_clock.now()

    for second in range(60):
        probing.observe(active, now + second)

    assert len(plane.sfn.described) == 60 / PROBE_SECONDS


def test_a_start_whose_answer_was_lost_is_found_again_and_not_repeated(plane: Plane, world: World) -> None:
    use_job_config(plane, LOAD)
    task = world.trigger()
    start = plane.sfn.start_execution

    def started_without_an_answer(**request: str) -> None:
        start(**request)
        raise refusal("InternalFailure", "no answer")

    plane.sfn.start_execution = started_without_an_answer
    begin(plane)
    plane.sfn.start_execution = start
    assert not plane.run(task).step.handle  # type: ignore[union-attr]

    world.clock.advance(SUBMIT_LEASE)
    world.cycles(2)
    (execution,) = plane.sfn.executions.values()
    assert plane.run(task).step.handle == execution.arn  # type: ignore[union-attr]


def test_an_execution_that_ended_before_its_start_was_answered_is_not_started_again(
    plane: Plane, world: World, task: str
) -> None:
    """StartExecution is then refused, since a name is taken for 90 days; it is ours all the same."""
    run = plane.run(task)
    assert run.step is not None
    plane.sfn.end(output={"p99": 7})
    unknown = plane.ledger.move(run, replace(run, step=replace(run.step, handle=""), version=run.version + 1))

    plane.work({"event_id": task, "version": unknown.version})
    world.cycles(6)

    assert len(plane.sfn.executions) == 1
    assert counts(world, task) == (1, 1)


REFUSED = {
    "not allowed": (
        LOAD.replace("load-test", "deploy"),
        "The state machine deploy is not among those that this plane may start (AllowedStateMachines: build, "
        "load-test, ship).",
    ),
    "a secret": (
        LOAD.replace("env: [", "env: [{name: db, valueFrom: secret}, "),
        "The secret db would stand in plain text in the execution's input",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_task_that_can_not_be_started_says_why(plane: Plane, world: World, why: str) -> None:
    config, said = REFUSED[why]
    use_job_config(plane, config)
    task = world.trigger()
    begin(plane)

    assert said in message(world, task)
    assert not plane.sfn.executions


def test_an_express_machine_is_refused_with_a_sentence(plane: Plane, world: World) -> None:
    plane.sfn.machines[MACHINES["load-test"]] = "EXPRESS"
    use_job_config(plane, LOAD)
    task = world.trigger()
    begin(plane)

    assert message(world, task) == (
        "The state machine load-test is an EXPRESS one, whose executions can be neither observed nor "
        "stopped: make it a STANDARD one."
    )


def test_a_machine_that_is_not_there_ends_the_task(plane: Plane, world: World) -> None:
    plane.sfn.machines.clear()
    use_job_config(plane, LOAD)
    task = world.trigger()
    begin(plane)

    assert "The state machine load-test can't be read: Step Functions:" in message(world, task)


def test_an_input_that_is_too_large_ends_the_task(plane: Plane, world: World) -> None:
    use_job_config(plane, LOAD)
    task = world.trigger(padding="x" * 262_144)
    begin(plane)

    assert "Step Functions takes 262144" in message(world, task)


def test_a_quota_that_is_used_up_puts_the_start_off(plane: Plane, world: World) -> None:
    plane.sfn.refusals = [refusal("ExecutionLimitExceeded", "too many")]
    use_job_config(plane, LOAD)
    task = world.trigger()
    world.cycles(6)

    assert plane.run(task).step.handle  # type: ignore[union-attr]


def test_only_an_item_with_an_execution_is_left_alone_by_code_that_knows_none(
    plane: Plane, world: World, task: str
) -> None:
    """So that a deployment can be rolled back: that code would take it for a container's."""

    def schema() -> str:
        key = {"event_id": {"S": task}}
        item = plane.ledger._client.get_item(TableName=plane.ledger._table, Key=key)["Item"]
        return str(item["schema"]["N"])

    assert schema() == "2"
    use_job_config(plane, LOAD.replace("stateMachine: load-test", "image: alpine"))
    task = world.trigger()
    begin(plane)
    assert schema() == "1"


def test_an_execution_that_step_functions_has_forgotten_ends_the_task(
    plane: Plane, world: World, task: str
) -> None:
    plane.sfn.executions.clear()
    world.cycles(50)

    assert "no longer knows how" in message(world, task)
    bring_to_rest(world)
    check_invariants(world, [task])


def test_an_operator_who_ends_the_run_stops_it(plane: Plane, world: World, task: str) -> None:
    ended = end_run(plane.ledger, plane.steps(), plane.world.aws_clock, plane.run(task), "it hangs")
    world.cycles(3)

    (execution,) = plane.sfn.executions.values()
    assert not ended.problem
    assert (execution.status, execution.cause) == ("ABORTED", "Its run was ended: it hangs")
    assert counts(world, task) == (1, 1)


def test_a_draining_plane_brings_it_to_its_end(plane: Plane, world: World, task: str) -> None:
    plane.drain()
    world.cycles(2)
    assert plane.sfn.running

    end(plane, output={"p99": 7})
    assert counts(world, task) == (1, 1)
