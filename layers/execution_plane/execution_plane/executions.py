"""The steps that are executions of AWS Step Functions, as it tells of them: observed, found and stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.ledger.runs import RemoteStep
from execution_plane.steps import StepChange, StepEnd, StepsUnavailable, is_missing

KIND: Final = "execution"
RUNNING: Final = "RUNNING"
# A probe is one request for one execution, and an account has few of them a second for all that is in it; it
# only stands in for an event that was lost.
PROBE_SECONDS = 30.0
PROBES_A_SECOND = 5
CONSOLES: Final = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
NAME_PREFIX: Final = "keptn-"
"""Of executions' names: by it the roles may describe and stop them, and EventBridge tells of their ends."""
GONE: Final = frozenset({"ExecutionDoesNotExist", "StateMachineDoesNotExist"})


@dataclass(frozen=True)
class ExecutionEnd(StepEnd):
    """How an execution ended; `reason` is its cause."""

    status: str = ""
    output: str | None = None
    """JSON, of one that succeeded."""
    error: str = ""

    @property
    def how(self) -> str:
        """Its status and error."""
        return ", ".join(filter(None, (self.status or "no status", self.error)))

    @property
    def where(self) -> str:
        """Its page in AWS's console."""
        return f"it is at {console_link(self.handle)}"

    @property
    def codes(self) -> Mapping[str, object]:
        """Its status."""
        return {"status": self.status}


def execution_name(token: str) -> str:
    """The name of a step's execution."""
    return NAME_PREFIX + token


def execution_arn(state_machine_arn: str, token: str) -> str:
    """The ARN of a step's execution."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{execution_name(token)}"


def console_link(arn: str) -> str:
    """Where AWS's console shows an execution."""
    _, partition, _, region, *_ = arn.split(":")
    domain = CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{arn}"


class Executions:
    """Executions as steps: the target is their state machine's ARN, the handle their own."""

    def __init__(self, client: Callable[[], Any], *, probes: bool = False) -> None:
        """`client` gives boto3's, when a run waits. Who `probes` asks for each only now and then."""
        self._client = client
        self._probes = probes
        self._known: dict[str, tuple[float, ExecutionEnd | None]] = {}
        """When each was last asked for, and what was said."""

    def status(self, steps: Sequence[RemoteStep], now: float) -> Mapping[str, ExecutionEnd | None]:
        """By ARN, how each execution ended; one request for each."""
        pause = max(PROBE_SECONDS, len(steps) / PROBES_A_SECOND) if self._probes else 0.0
        known = {
            step.handle: self._known[step.handle]
            for step in steps
            if step.handle in self._known and now < self._known[step.handle][0] + pause
        }
        try:
            for step in steps:
                if step.handle not in known:
                    execution = self._describe(step.handle)
                    if execution is not None:
                        known[step.handle] = now, read_end(execution)
                    elif is_missing(step, now):
                        known[step.handle] = now, ExecutionEnd(step.handle, is_missing=True)
        finally:
            self._known = known
        return {handle: end for handle, (_, end) in known.items()}

    def find(self, step: RemoteStep) -> str | None:
        """The ARN of the execution that has the step's name."""
        arn = execution_arn(step.target, step.token)
        return arn if self._describe(arn) else None

    def stop(self, step: RemoteStep, reason: str) -> None:
        """Stop an execution; what it called, Step Functions stops where it can."""
        stop = self._client().stop_execution
        # It is refused as invalid for an execution that has ended.
        _unless(
            GONE | {"ValidationException"},
            partial(stop, executionArn=step.handle, error="Keptn.Stopped", cause=reason),
        )

    def _describe(self, arn: str) -> Mapping[str, Any] | None:
        describe = partial(self._client().describe_execution, executionArn=arn)
        answer: Mapping[str, Any] | None = _unless(GONE, describe)
        return answer


def read_change(execution: Mapping[str, Any]) -> StepChange:
    """What the detail of an event "Step Functions Execution Status Change" says.

    An output that was too large for the event is left to a probe.
    """
    end = read_end(execution)
    if end and end.status == "SUCCEEDED" and end.output is None:
        end = None
    token = str(execution.get("name")).removeprefix(NAME_PREFIX)
    return StepChange(KIND, str(execution["executionArn"]), token, end)


def read_end(execution: Mapping[str, Any]) -> ExecutionEnd | None:
    """How an execution ended, from DescribeExecution or from an event; None while it is under way.

    PENDING_REDRIVE is an end, for that comes by hand, and not soon.
    """
    if execution["status"] == RUNNING:
        return None
    return ExecutionEnd(
        handle=str(execution["executionArn"]),
        reason=str(execution.get("cause") or ""),
        stopped_at=_seconds(execution.get("stopDate")),
        status=str(execution["status"]),
        output=execution.get("output"),
        error=str(execution.get("error") or ""),
    )


def _seconds(moment: object) -> float | None:
    """boto3 gives a datetime, an event has milliseconds."""
    if isinstance(moment, int | float):
        return moment / 1000
    return moment.timestamp() if isinstance(moment, datetime) else None


def _unless(codes: frozenset[str], call: Callable[[], Any]) -> Any:
    """Make a call to Step Functions; its errors become ours here, but for those codes that mean nothing."""
    try:
        return call()
    except ClientError as problem:
        if problem.response["Error"]["Code"] in codes:
            return None
        raise StepsUnavailable(f"Step Functions: {problem}") from problem
    except BotoCoreError as problem:
        raise StepsUnavailable(f"Step Functions: {problem}") from problem
