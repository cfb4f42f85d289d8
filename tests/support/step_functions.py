"""AWS Step Functions on a simulated clock: a test decides how and when executions end.

It has the methods of boto3's client that we call, with their shapes and errors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from execution_plane.clock import Clock

PREFIX = "arn:aws:states:eu-west-1:123456789012:stateMachine:"
MACHINES = {name: PREFIX + name for name in ("load-test", "build", "ship")}


def refusal(code: str, message: str = "", operation: str = "StartExecution") -> ClientError:
    """An error as Step Functions answers it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Execution:
    """One that was started."""

    arn: str
    machine: str
    name: str
    given: str
    started_at: float
    status: str = "RUNNING"
    output: str | None = None
    error: str = ""
    cause: str = ""
    stopped_at: float | None = None

    @property
    def event_id(self) -> str:
        """Of the triggered event, as its input has it."""
        return str(json.loads(self.given)["event"]["id"])


@dataclass
class FakeStepFunctions:
    """One account's. `refusals` are answered, one after the other, before any execution is started."""

    clock: Clock
    machines: dict[str, str] = field(default_factory=lambda: dict.fromkeys(MACHINES.values(), "STANDARD"))
    executions: dict[str, Execution] = field(default_factory=dict)
    refusals: list[ClientError] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1", partition="aws"))

    def describe_state_machine(self, *, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803
        if stateMachineArn not in self.machines:
            raise refusal("StateMachineDoesNotExist", "State Machine Does Not Exist", "DescribeStateMachine")
        return {"stateMachineArn": stateMachineArn, "type": self.machines[stateMachineArn]}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803
        if self.refusals:
            raise self.refusals.pop(0)
        arn = f"{stateMachineArn.replace('stateMachine', 'execution')}:{name}"
        known = self.executions.get(arn)
        if known and (known.status != "RUNNING" or known.given != input):
            raise refusal("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        if not known:
            self.executions[arn] = Execution(arn, stateMachineArn, name, input, self.clock.now())
        return {"executionArn": arn, "startDate": _moment(self.executions[arn].started_at)}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self.described.append(executionArn)
        found = self._known(executionArn, "DescribeExecution")
        said = {**self._shape(found), "startDate": _moment(found.started_at)}
        return said if found.stopped_at is None else said | {"stopDate": _moment(found.stopped_at)}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803
        found = self._known(executionArn, "StopExecution")
        if found.status != "RUNNING":
            raise refusal("ValidationException", "Execution is not running", "StopExecution")
        self.end(executionArn, status="ABORTED", error=error, cause=cause)
        return {"stopDate": _moment(self.clock.now())}

    @property
    def running(self) -> Sequence[Execution]:
        return [each for each in self.executions.values() if each.status == "RUNNING"]

    def end(
        self,
        arn: str | None = None,
        exit_code: int = 0,
        *,
        status: str = "",
        output: object = None,
        error: str = "",
        cause: str = "",
    ) -> dict[str, Any]:
        """End an execution, the only one if none is named; gives the event that EventBridge then sends."""
        found = self.executions[arn] if arn else self.running[0]
        found.status = status or ("FAILED" if exit_code else "SUCCEEDED")
        found.output = json.dumps(output) if found.status == "SUCCEEDED" else None
        found.error, found.cause = error, cause
        found.stopped_at = self.clock.now()
        return self.end_event(found)

    def end_event(self, found: Execution) -> dict[str, Any]:
        assert found.stopped_at is not None
        milliseconds = {
            "startDate": int(found.started_at * 1000),
            "stopDate": int(found.stopped_at * 1000),
        }
        shape = {"output": None, "error": None, "cause": None} | self._shape(found) | milliseconds
        detail_type = "Step Functions Execution Status Change"
        return {"source": "aws.states", "detail-type": detail_type, "detail": shape}

    def _known(self, arn: str, operation: str) -> Execution:
        if arn not in self.executions:
            raise refusal("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", operation)
        return self.executions[arn]

    def _shape(self, found: Execution) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "executionArn": found.arn,
            "stateMachineArn": found.machine,
            "name": found.name,
            "status": found.status,
            "input": found.given,
        }
        more = {"output": found.output, "error": found.error, "cause": found.cause}
        return shape | {name: value for name, value in more.items() if value}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
