"""Has an AWS Step Functions state machine do a task: starts an execution, and reads its end."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from execution_plane.executions import KIND, ExecutionEnd, console_link, execution_arn, execution_name
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import RemoteStep
from execution_plane.steps import StepEnd
from jobs.environment import InvalidEnvironment, environment
from jobs.model import DEFAULT_MAX_POLL_DURATION, Task
from runners.allowlists import Allowed, AllowlistsUnreadable
from runners.answers import outcome_in
from runners.fields import log_meaningless
from runs.work import (
    NoCapacity,
    Prepared,
    SubmissionRefused,
    SubmissionUncertain,
    TaskContext,
    TaskUnusable,
    put_off,
)

MEANINGFUL: Final = frozenset({"name", "stateMachine", "env", "maxPollDuration", "onError"})
LONGEST_INPUT: Final = 262_144  # bytes (AWS Step Functions developer guide, "Quotas")
LATER: Final = frozenset({"ExecutionLimitExceeded", "ThrottlingException", "ServiceUnavailable"})
REFUSALS: Final = frozenset(
    {
        "AccessDeniedException",
        "InvalidArn",
        "InvalidExecutionInput",
        "InvalidName",
        "KmsAccessDeniedException",
        "KmsInvalidStateException",
        "StateMachineDeleting",
        "StateMachineDoesNotExist",
        "ValidationException",
    }
)


class StateMachineRunner:
    """Runs tasks whose kind is `stateMachine`.

    A name that is not allowed fails only its own task: planes that share a job config may allow others.
    """

    kind = KIND
    max_poll_duration = DEFAULT_MAX_POLL_DURATION

    def __init__(self, allowed: Allowed, account: str, client: Callable[[], Any]) -> None:
        """`account` has the machines; `client` gives boto3's, when a task needs it."""
        self._allowed = allowed
        self._account = account
        self._client = client

    def target(self, task: Task) -> str:
        """The state machine's ARN."""
        here = self._client().meta
        place = f"arn:{here.partition}:states:{here.region_name}:{self._account}"
        return f"{place}:stateMachine:{task.state_machine}"

    def prepare(self, task: Task, token: str, context: TaskContext) -> Prepared:
        """Make the execution's input, and see that the machine keeps a record of what it executes.

        Raises TaskUnusable. What Step Functions or SSM may say later puts off the submission.
        """
        context.lease.prepare()
        log_meaningless(task, MEANINGFUL, context)
        try:
            allowed = self._allowed().state_machines
        except AllowlistsUnreadable as problem:
            return Prepared(put_off(NoCapacity(str(problem))))
        if task.state_machine not in allowed:
            raise TaskUnusable(
                f"The state machine {task.state_machine} is not among those that this plane may start "
                f"(AllowedStateMachines: {', '.join(sorted(allowed)) or 'there is none'})."
            )
        arn, given = self.target(task), _input(task, context)
        try:
            machine = self._client().describe_state_machine(stateMachineArn=arn)
        except (ClientError, BotoCoreError) as problem:
            text = f"The state machine {task.state_machine} can't be read: Step Functions: {problem}"
            if _is_refusal(problem):
                raise TaskUnusable(text) from problem
            return Prepared(put_off(NoCapacity(text)))
        if machine["type"] == "EXPRESS":
            raise TaskUnusable(
                f"The state machine {task.state_machine} is an EXPRESS one, whose executions can be neither "
                "observed nor stopped: make it a STANDARD one."
            )
        return Prepared(partial(self._submit, arn, token, given, context.report))

    def collect(self, _: Task, step: RemoteStep, end: StepEnd) -> Outcome:
        """What the execution came to: its output, or its error and cause."""
        if not isinstance(end, ExecutionEnd):
            return Outcome.errored(f"The execution was not started: {end.reason}")
        if end.status == "SUCCEEDED":
            return read_output(end.output)
        return Outcome.errored(f"{_failure(step, end)}\n{console_link(end.handle)}")

    def _submit(self, arn: str, token: str, given: str, report: Callable[[str], None]) -> str:
        """Start the execution. Its name has the token; of one name a machine has one in 90 days."""
        handle, name = execution_arn(arn, token), execution_name(token)
        try:
            self._client().start_execution(stateMachineArn=arn, name=name, input=given)
        except (ClientError, BotoCoreError) as problem:
            text = f"Step Functions: {problem}"
            code = problem.response["Error"]["Code"] if isinstance(problem, ClientError) else ""
            if code in LATER:
                raise NoCapacity(text) from problem
            if _is_refusal(problem):
                raise SubmissionRefused(text) from problem
            if code != "ExecutionAlreadyExists":
                raise SubmissionUncertain(text) from problem
        report(f"Execution {name} of {arn.rpartition(':')[2]}: {console_link(handle)}")
        return handle


def read_output(output: str | None) -> Outcome:
    """The outcome in an execution's output: what has a `result` is one, all else is the data of a pass."""
    answer = json.loads(output or "null")
    if answer is None:
        return Outcome("pass", "succeeded")
    if not isinstance(answer, dict):
        return Outcome("pass", "succeeded", data={"output": answer})
    return outcome_in(answer) or Outcome("pass", "succeeded", data=answer)


def _input(task: Task, context: TaskContext) -> str:
    """What the execution gets, as JSON. Raises TaskUnusable."""
    ref = context.event.ref
    try:
        made = environment(
            task, context.event.attributes, _no_secret, allow_secret_references=False
        ).variables
    except InvalidEnvironment as problem:
        raise TaskUnusable(str(problem)) from None
    given = json.dumps(
        {
            "event": context.event.attributes,
            "env": {name: variable.value for name, variable in made.items()},
            "project": ref.project,
            "stage": ref.stage,
            "service": ref.service,
            "context": ref.context,
        }
    )
    if len(given) > LONGEST_INPUT:
        raise TaskUnusable(
            f"The execution's input, which is the event and the variables, has {len(given)} bytes; Step "
            f"Functions takes {LONGEST_INPUT}."
        )
    return given


def refuse_secrets(task: Task) -> None:
    """Raises TaskUnusable for a task with a variable of a secret."""
    if secrets := [each.name for each in task.env if each.value_from in {"secret", "secretKey"}]:
        _no_secret(", ".join(secrets))


def _no_secret(name: str) -> Mapping[str, str]:
    raise TaskUnusable(
        f"The secret {name} would stand in plain text in the execution's input, which AWS's console shows: "
        "let the state machine read it itself."
    )


def _is_refusal(problem: ClientError | BotoCoreError) -> bool:
    """Whether Step Functions, or the client before it, refuses the same at any time."""
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"] in REFUSALS
    return isinstance(problem, ParamValidationError)


def _failure(step: RemoteStep, end: ExecutionEnd) -> str:
    """How an execution ended that did not succeed, with its error and cause."""
    why = ": ".join(filter(None, (end.error, end.reason)))
    reason = f": {why}" if why else ""
    if end.is_missing:
        return "The execution has ended, and Step Functions no longer knows how."
    if end.status == "TIMED_OUT":
        return f"The execution was still running at its state machine's own time limit{reason}"
    if end.status != "ABORTED":
        return f"The execution failed{reason}"
    if end.stopped_at and end.stopped_at >= step.deadline:
        seconds = round(step.deadline - step.since)
        return f"The execution was still running after {seconds} s (maxPollDuration) and was stopped."
    return f"The execution was stopped{reason}"
