"""`./plane doctor` of a deployed stack that is dead: each way to kill it, and the way back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.planes import deploy, parameters
from tests.deploy.sam_cli import SamCli, Stack
from tests.deploy.test_operating import Operator, Said

REGION = "sa-east-1"
FIVE_MINUTES = {"ScheduleExpression": "rate(5 minutes)"}  # so that nothing polls but what a test has poll


@pytest.fixture(scope="module")
def given(keptn: KeptnServer) -> dict[str, str]:
    """The parameters of a plane of which each invocation of the poller polls once."""
    return parameters(keptn, PollIntervalSeconds="0", PollIntervalBusySeconds="0", **FIVE_MINUTES)


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer, given: dict[str, str]) -> Iterator[Stack]:
    made = deploy(sam, "examined", REGION, given, keptn.token)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def operator(stack: Stack, sam: SamCli) -> Operator:
    """Somebody with all rights: the emulator takes lambda:GetFunctionConcurrency for another."""
    paths = "layers/execution_plane:functions/poller:functions/worker"
    variables = sam.aws.environment() | {"AWS_DEFAULT_REGION": REGION, "PYTHONPATH": paths, "COLUMNS": "400"}
    return Operator(stack, variables)


def poll(stack: Stack) -> dict[str, Any]:
    """Have the poller poll; what Lambda says of the invocation."""
    name = stack.outputs()["PollerFunctionName"]
    answer: dict[str, Any] = stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    answer["Payload"].read()
    return answer


def wrong(said: Said) -> list[str]:
    """The subjects of what the doctor finds wrong."""
    return [line[2:].partition("  ")[0] for line in said.out.splitlines() if line.startswith("✗")]


def line(said: Said, subject: str) -> str:
    """The only line about a subject, without it."""
    (found,) = [each for each in said.out.splitlines() if each[2:].startswith(f"{subject} ")]
    return f"{found[0]} {found[2 + len(subject) :].strip()}"


def test_a_plane_that_has_yet_to_poll_is_not_in_order_and_not_wrong(stack: Stack, operator: Operator) -> None:
    said = operator("doctor")

    assert (said.code, wrong(said)) == (1, [])
    assert line(said, "polls").startswith(
        "? the plane has yet to poll: the schedule starts the poller at about "
    )
    assert line(said, "registration").endswith("yet: the first poll registers it.")


def test_a_plane_that_was_seen_to_poll_is_in_order(stack: Stack, operator: Operator) -> None:
    assert "FunctionError" not in poll(stack)

    said = operator("doctor")

    assert (said.code, wrong(said)) == (0, [])
    assert line(said, "polls").startswith("✓ the last that succeeded was at ")


def test_ticks_that_fail_are_told_with_when_and_why(stack: Stack, operator: Operator) -> None:
    """The emulator's functions have the rights of their roles."""
    iam, (_, role) = stack.client("iam"), stack.resources()["PollerRole"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="poller")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="poller")
    failed = [poll(stack) for _ in range(2)]  # the first may be in the minute of one that succeeded

    said = operator("doctor")

    iam.put_role_policy(RoleName=role, PolicyName="poller", PolicyDocument=json.dumps(policy))
    assert all("FunctionError" in each for each in failed)
    assert "failed" in line(said, "polls")
    assert "AccessDenied" in line(said, "polls")
    poll(stack)
    assert operator("doctor").code == 0


@pytest.mark.parametrize("name", ["Poller", "Worker"])
def test_a_throttled_function_is_wrong(stack: Stack, operator: Operator, name: str) -> None:
    function, client = stack.outputs()[f"{name}FunctionName"], stack.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)

    said = operator("doctor")

    assert (said.code, wrong(said)) == (1, ["concurrency"])
    assert line(said, "concurrency").startswith(f"✗ the {name.lower()} never runs")
    client.delete_function_concurrency(FunctionName=function)
    assert operator("doctor").code == 0


def test_a_schedule_that_was_disabled_by_hand_is_told_from_one_that_was_deployed_so(
    stack: Stack, operator: Operator
) -> None:
    switch(stack, "DISABLED")

    said = operator("doctor")

    assert (said.code, wrong(said)) == (1, ["schedule"])
    assert line(said, "schedule").startswith("✗ disabled by hand")
    switch(stack, "ENABLED")
    assert operator("doctor").code == 0


def switch(stack: Stack, state: str) -> None:
    """Have the schedule be enabled or disabled, as the console does."""
    client, name = stack.client("scheduler"), stack.outputs()["ScheduleName"]
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    found = client.get_schedule(Name=name)
    client.update_schedule(State=state, **{each: found[each] for each in kept})


def test_what_somebody_deleted_is_wrong_and_a_deployment_does_not_bring_it_back(
    stack: Stack, operator: Operator, given: dict[str, str], keptn: KeptnServer, sam: SamCli
) -> None:
    outputs = stack.outputs()
    functions, dynamodb = stack.client("lambda"), stack.client("dynamodb")

    stack.client("scheduler").delete_schedule(Name=outputs["ScheduleName"])
    assert wrong(operator("doctor")) == ["schedule"]
    functions.delete_function(FunctionName=outputs["WorkerFunctionName"])
    assert wrong(operator("doctor")) == ["functions", "schedule"]
    functions.delete_function(FunctionName=outputs["PollerFunctionName"])
    said = operator("doctor")
    assert (said.code, wrong(said)[:2]) == (1, ["functions", "schedule"])
    assert f"deploy it again with LedgerTableName={outputs['LedgerTableName']}" in said.out
    assert "No changes to deploy" in stack.deploy(given)

    stack.remove()
    deploy(sam, stack.name, REGION, given | {"LedgerTableName": outputs["LedgerTableName"]}, keptn.token)
    assert "FunctionError" not in poll(stack)
    assert operator("doctor").code == 0

    dynamodb.delete_table(TableName=outputs["LedgerTableName"])
    said = operator("doctor")
    assert (said.code, wrong(said)) == (1, ["ledger"])
