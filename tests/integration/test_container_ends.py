"""How containers are asked for, how their ends are told, and what of their logs."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from execution_plane.ledger.runs import State
from runners.containers import logs as container_logs
from tests.support.container_runs import ONE, begin, counts, end, message
from tests.support.ecs import CLUSTER, refusal
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

NETWORK = {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]}


@pytest.fixture
def task(world: World) -> str:
    return world.trigger("APAC")


@pytest.fixture
def one(plane: Plane, task: str) -> str:
    """A run whose only container is on its way; its event's id."""
    use_job_config(plane, ONE)
    begin(plane)
    return task


@pytest.mark.parametrize(("setting", "expected"), [("true", "ENABLED"), ("false", "DISABLED")])
def test_a_container_runs_in_the_planes_cluster_and_network(
    plane: Plane, task: str, setting: str, expected: str
) -> None:
    use_job_config(plane, ONE, CONTAINER_ASSIGN_PUBLIC_IP=setting)
    begin(plane)

    (started,) = plane.ecs.running
    assert (started.request["cluster"], started.request["launchType"]) == (CLUSTER, "FARGATE")
    assert started.request["clientToken"] == started.request["startedBy"]
    assert started.request["networkConfiguration"] == {
        "awsvpcConfiguration": {**NETWORK, "assignPublicIp": expected}
    }
    assert {"key": "keptn.sh/event-id", "value": task} in started.request["tags"]


def test_fields_without_a_meaning_are_named_in_one_log_line(
    plane: Plane, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields = "namespace: n\n        imagePullPolicy: Always\n        securityContext: {runAsNonRoot: true}"
    use_job_config(plane, ONE.replace("image: alpine", f"image: alpine\n        {fields}"))

    begin(plane)

    (line,) = [vars(record) for record in caplog.records if "meaning" in record.message]
    assert line["fields"] == "imagePullPolicy, namespace, securityContext.runAsNonRoot"
    assert (line["task"], line["event_id"]) == ("Hello", task)


def test_a_size_that_fargate_does_not_have_is_rounded_up_and_said(
    plane: Plane, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    resources = "resources: {limits: {cpu: 300m, memory: 600Mi}}"
    use_job_config(plane, ONE.replace("image: alpine", f"image: alpine\n        {resources}"))

    begin(plane)

    (definition,) = plane.ecs.definitions.values()
    assert (definition["cpu"], definition["memory"]) == ("512", "1024")
    (line,) = [vars(record) for record in caplog.records if "rounded up" in record.message]
    assert (line["asked"], line["size"]) == ("0.300781 CPU and 600 MiB", "0.5 CPU and 1024 MiB")


def test_a_container_that_ecs_has_by_its_token_already_is_the_runs(
    plane: Plane, world: World, task: str
) -> None:
    arn = "arn:aws:ecs:eu-west-1:123456789012:task/containers/known"
    use_job_config(plane, ONE)
    plane.ecs.refusals = [refusal("ConflictException", "The token is in use.", resourceIds=[arn])]

    begin(plane)

    run = plane.run(task)
    assert run.step is not None
    assert (run.state, run.step.handle) == (State.WAITING, arn)


THROTTLED_BY_EC2 = (
    "Error retrieving security group information for [sg-1]: Request limit exceeded. "
    "(ErrorCode: RequestLimitExceeded)"
)
TOO_MANY_AT_ONCE = "Too many concurrent attempts to create a new revision of the specified family."
FULL = "You've reached the limit on the number of vCPUs you can run concurrently"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ThrottlingException", "Rate exceeded"),
        ("InvalidParameterException", THROTTLED_BY_EC2),
        ("ClientException", THROTTLED_BY_EC2),
        ("ClientException", FULL),
    ],
)
def test_throttling_is_waited_out(plane: Plane, world: World, task: str, code: str, text: str) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = [refusal(code, text)]
    begin(plane)
    plane.clock.advance(31)

    begin(plane)

    end(plane, "at last")
    assert message(world, task) == "at last"


@pytest.mark.parametrize("operation", ["describe_task_definition", "register_task_definition"])
@pytest.mark.parametrize(
    "trouble",
    [
        refusal("ThrottlingException", "Rate exceeded", "RegisterTaskDefinition"),
        refusal("ServerException", "Internal error", "RegisterTaskDefinition"),
        refusal("ClientException", TOO_MANY_AT_ONCE, "RegisterTaskDefinition"),
        EndpointConnectionError(endpoint_url="https://ecs.eu-west-1.amazonaws.com"),
    ],
    ids=["throttled", "broken", "at once", "unreachable"],
)
def test_a_definition_that_fails_for_seconds_is_waited_for(
    plane: Plane, world: World, task: str, trouble: Exception, operation: str
) -> None:
    use_job_config(plane, ONE)
    with patch.object(plane.ecs, operation, side_effect=trouble):
        begin(plane)
    assert counts(world, task) == (1, 0)
    assert plane.ecs.tasks == {}
    plane.clock.advance(31)

    begin(plane)

    assert len(plane.ecs.registered) == 1
    end(plane, "at last")
    assert message(world, task) == "at last"
    assert counts(world, task) == (1, 1)


def test_a_definition_that_fails_until_the_deadline_ends_the_task_with_ecs_reason(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    trouble = refusal("ServerException", "No luck", "RegisterTaskDefinition")

    with patch.object(plane.ecs, "register_task_definition", side_effect=trouble):
        for _ in range(70):
            begin(plane)
            plane.clock.advance(10)

    assert plane.ecs.tasks == {}
    assert message(world, task) == (
        "The task's container did not start in time: The container could not be defined: ECS: "
        "An error occurred (ServerException) when calling the RegisterTaskDefinition operation: No luck"
    )
    assert counts(world, task) == (1, 1)


def test_a_request_that_the_client_does_not_even_send_ends_the_task(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    invalid = ParamValidationError(report="Invalid length")

    with patch.object(plane.ecs, "run_task", side_effect=invalid):
        begin(plane)

    assert "Invalid length" in message(world, task)


def test_a_definition_that_ecs_refuses_ends_the_task_with_its_reason(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)

    def refuse(**_: Any) -> None:
        raise refusal("ClientException", "Invalid image.", "RegisterTaskDefinition")

    with patch.object(plane.ecs, "register_task_definition", refuse):
        begin(plane)

    assert message(world, task).startswith("The container could not be defined: ECS: ")
    assert "Invalid image." in message(world, task)


def test_a_container_whose_run_ended_while_it_was_submitted_is_stopped(plane: Plane, task: str) -> None:
    use_job_config(plane, ONE)
    run_task = plane.ecs.run_task

    def end_meanwhile(**request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = run_task(**request)
        run = plane.run(task)
        plane.ledger.move(run, run.closed(plane.clock.now()))
        return answer

    with patch.object(plane.ecs, "run_task", end_meanwhile):
        begin(plane)

    (stopped,) = plane.ecs.tasks.values()
    assert (stopped.stop_code, stopped.reason) == ("UserInitiated", "Its run had ended before it began.")


def test_a_container_that_could_not_bring_the_files_says_why(plane: Plane, world: World, one: str) -> None:
    arn = plane.ecs.running[0].arn
    plane.logs.written[f"keptn/files/{arn.rpartition('/')[2]}"] = ["AccessDenied"]

    end(plane, exit_code=None, stop_code="TaskFailedToStart", reason="Dependency", files_exit_code=1)

    assert message(world, one) == (
        "The container of the task's files ended with exit code 1: Dependency\n\nLogs:\nAccessDenied"
    )


def test_a_container_that_somebody_stopped_failed_whatever_its_exit_code(
    plane: Plane, world: World, one: str
) -> None:
    end(plane, "bye", exit_code=0, stop_code="UserInitiated", reason="Stopped by an operator")

    assert world.finished(one)["result"] == "fail"
    assert message(world, one) == "The container was stopped: Stopped by an operator\n\nLogs:\nbye"


def test_the_log_is_read_when_cloudwatch_has_it(plane: Plane, one: str) -> None:
    event = plane.ecs.end()
    ended = plane.clock.now()

    plane.work(event)

    assert plane.clock.now() >= ended + 5


def test_of_several_outcomes_the_later_ones_count_and_what_is_none_is_shown(
    plane: Plane, world: World, one: str
) -> None:
    end(
        plane,
        'keptn-outcome: {"a": 1, "b": 1}',
        "keptn-outcome: no json",
        "keptn-outcome: [1]",
        'keptn-outcome: {"a": NaN}',
        "keptn-outcome: " + "[" * 10_000,
        'not a keptn-outcome: {"c": 1}',
        'keptn-outcome: {"b": 2}',
        exit_code=1,
    )

    assert world.finished(one)["sayhello"] == {"a": 1, "b": 2}
    shown = [line[:25] for line in message(world, one).partition("Logs:\n")[2].splitlines()]
    assert shown == [
        "keptn-outcome: no json",
        "keptn-outcome: [1]",
        'keptn-outcome: {"a": NaN}',
        "keptn-outcome: [[[[[[[[[[",
        'not a keptn-outcome: {"c"',
    ]


def test_a_log_that_has_no_end_is_not_read_to_its_beginning(plane: Plane, world: World, one: str) -> None:
    plane.logs.page = 10
    with patch.object(container_logs, "MOST_READ", 60_000):
        end(plane, *(f"{number:05d} {'x' * 993}" for number in range(1000)))

    assert message(world, one).startswith("(more than 60000 bytes, cut to the last ")
    assert message(world, one).endswith("x" * 993)


def test_a_log_that_cannot_be_read_does_not_fail_the_task(plane: Plane, world: World, one: str) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetLogEvents")

    with patch.object(plane.logs, "get_log_events", refuse):
        end(plane, "unseen")

    assert world.finished(one)["result"] == "pass"
    assert message(world, one).startswith("(The log is in /aws/ecs/containers, keptn/task/")
    assert counts(world, one) == (1, 1)


def delete(secrets: Any) -> None:
    secrets.delete_secret(SecretId="keptn/db", ForceDeleteWithoutRecovery=True)


def rotate(secrets: Any) -> None:
    secrets.put_secret_value(SecretId="keptn/db", SecretString=json.dumps({"PASSWORD": "another"}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (delete, "the secret keptn/db was deleted while its container ran"),
        (rotate, "a secret of the task was changed while its container ran"),
    ],
)
def test_a_log_whose_secrets_are_no_longer_known_is_not_shown(
    plane: Plane, world: World, task: str, aws: None, change: Callable[[Any], None], reason: str
) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="keptn/db", SecretString=json.dumps({"PASSWORD": "s3cr3t!"}))
    config = ONE.replace("env: [", "env: [{name: db, valueFrom: secret}, ")
    use_job_config(plane, config, secrets=secrets, SECRET_PREFIX="keptn/")
    begin(plane)
    change(secrets)

    end(plane, "the password is s3cr3t!")

    assert "s3cr3t!" not in message(world, task)
    assert f"can't be shown here: {reason})" in message(world, task)


def test_a_secret_in_the_command_is_refused_before_a_container_begins(
    plane: Plane, world: World, task: str, aws: None
) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="keptn/db", SecretString=json.dumps({"PASSWORD": "s3cr3t!"}))
    config = ONE.replace("$(WHERE)", "$(PASSWORD)").replace("env: [", "env: [{name: db, valueFrom: secret}, ")
    use_job_config(plane, config, secrets=secrets, SECRET_PREFIX="keptn/")

    begin(plane)

    assert plane.ecs.tasks == plane.ecs.definitions == {}
    assert "names a variable of the secret db" in message(world, task)
    assert "AllowSecretReferences" in message(world, task)
