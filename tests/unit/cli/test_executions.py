"""What the operator's commands say of executions and state machines."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from cli.runs.doctor.machines import check_state_machines
from cli.runs.ending import STOP_COMMANDS
from cli.runs.executions import execution_lines
from cli.runs.plane import Plane
from execution_plane.ledger.runs import RemoteStep
from execution_plane.settings import Allowlists
from tests.support.clock import SimulatedClock
from tests.support.step_functions import MACHINES, PREFIX, FakeStepFunctions, refusal

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)


def event(number: int, kind: str, previous: int, **details: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "previousEventId": previous, "timestamp": NOON, **details}


HISTORY = [
    event(1, "ExecutionStarted", 0),
    event(2, "TaskStateEntered", 1, stateEnteredEventDetails={"name": "Load"}),
    event(3, "TaskScheduled", 2, taskScheduledEventDetails={"resource": "invoke"}),
    event(4, "TaskFailed", 3, taskFailedEventDetails={"error": "TooSlow", "cause": "p99 was 7 s"}),
    event(5, "ExecutionFailed", 4, executionFailedEventDetails={"error": "TooSlow", "cause": "p99 was 7 s"}),
]


def plane_of(client: Any, *machines: str) -> Plane:
    aws = SimpleNamespace(client=lambda _: client, region="eu-west-1")
    allowed = Allowlists(state_machines=frozenset(machines))
    plane = SimpleNamespace(aws=aws, allowlists=allowed, state_machine_arn=lambda name: f"{PREFIX}{name}")
    return cast("Plane", plane)


def test_a_failed_execution_names_the_state_that_failed() -> None:
    client = SimpleNamespace(get_execution_history=lambda **_: {"events": HISTORY[::-1]})

    lines = execution_lines(plane_of(client), "arn", 3)

    assert [(line.text, line.level) for line in lines] == [
        ("TaskScheduled in Load", ""),
        ("TaskFailed in Load: TooSlow: p99 was 7 s", "ERROR"),
        ("ExecutionFailed in Load: TooSlow: p99 was 7 s", "ERROR"),
    ]
    assert {(line.who, line.at) for line in lines} == {("execution", NOON.timestamp())}


def test_a_forgotten_execution_has_no_lines() -> None:
    def forgotten(**_: Any) -> None:
        raise refusal("ExecutionDoesNotExist")

    assert execution_lines(plane_of(SimpleNamespace(get_execution_history=forgotten)), "arn", 3) == []


def test_the_doctor_looks_at_each_state_machine() -> None:
    client = FakeStepFunctions(SimulatedClock())
    client.machines[MACHINES["build"]] = "EXPRESS"
    plane = plane_of(client, "load-test", "build", "gone")

    assert [(each.is_problem, each.sentence) for each in check_state_machines(plane)] == [
        (True, "build is an EXPRESS one, which the worker refuses: make it anew."),
        (True, "gone is not there: make it, or change AllowedStateMachines."),
        (False, "load-test is there."),
    ]


def test_the_doctor_says_where_no_state_machine_may_be_started() -> None:
    (found,) = check_state_machines(plane_of(FakeStepFunctions(SimulatedClock())))

    assert found.is_fine
    assert found.sentence == "AllowedStateMachines is empty: no task starts an execution."


def test_what_to_do_about_an_execution_that_could_not_be_stopped_is_a_command() -> None:
    step = RemoteStep(0, 0, "token", f"{PREFIX}build", "digest", 0.0, 1.0, "execution")

    assert STOP_COMMANDS["execution"](step) == (
        "aws stepfunctions stop-execution --execution-arn "
        "arn:aws:states:eu-west-1:123456789012:execution:build:keptn-token"
    )
