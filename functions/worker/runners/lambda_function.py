"""Invokes another Lambda function with the event, and takes its JSON answer for the task's outcome."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from execution_plane.keptn.connecting import retry_after
from execution_plane.keptn.events import Outcome
from execution_plane.telemetry import logger
from jobs.model import Task
from runners.allowlists import Allowed, awaited
from runners.answers import FIELDS, outcome_in
from runners.backoff import backoff
from runners.cancel_scope import CancelScope, DeadlineOver
from runners.fields import log_meaningless
from runs.work import TaskContext

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

MEANINGFUL: Final = frozenset({"name", "lambda", "maxPollDuration", "onError"})
CONNECT_SECONDS: Final = 3.0
SHORTEST_SECONDS: Final = 1.0
LONGEST_SHOWN: Final = 200
# By these Lambda says that the function was not begun, and may be later (its API reference, Invoke).
NOT_BEGUN: Final = frozenset(
    {
        "CodeArtifactUserPendingException",
        "EC2ThrottledException",
        "ENINotReadyException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SnapStartNotReadyException",
        "TooManyRequestsException",
    }
)


class NotBegun(Exception):
    """Lambda has no place for an invocation now; `seconds` are those that it wants to be left alone for."""

    def __init__(self, outcome: Outcome, seconds: float) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome
        self.seconds = seconds


class LambdaFunctionRunner:
    """Runs tasks whose kind is `lambda`.

    A name that is not allowed fails only its own task: planes that share a job config may allow others.
    """

    def __init__(self, allowed: Allowed, client: Callable[[Config], Any]) -> None:
        """`client` makes a boto3 client of Lambda with the timeouts of one invocation."""
        self._allowed = allowed
        self._client = client

    def run(self, task: Task, context: TaskContext) -> Outcome:
        """Invoke the function with the whole event, and wait for its answer until the deadline.

        Where Lambda has no place for it, it is invoked again later. Raises TaskCancelled, TaskUnusable.
        """
        log_meaningless(task, MEANINGFUL, context)
        name, scope = task.lambda_name, CancelScope(context.deadline, context.still_wanted)
        allowed = awaited(self._allowed, scope).lambdas
        if name not in allowed:
            return Outcome.errored(
                f"The Lambda function {name} is not among those that this plane may invoke "
                f"(AllowedLambdas: {', '.join(sorted(allowed)) or 'there is none'})."
            )
        pauses = backoff()
        while True:
            try:
                return self._invoke(name, context)
            except NotBegun as put_off:
                outcome, pause = put_off.outcome, put_off.seconds + next(pauses)
            if context.deadline.remaining() - SHORTEST_SECONDS <= pause:
                return outcome
            logger.warning("function put off", function=name, reason=outcome.message, seconds=pause)
            try:
                scope.pause(pause)
            except DeadlineOver:
                return outcome

    def _invoke(self, name: str, context: TaskContext) -> Outcome:
        """Invoke the function once. Raises NotBegun."""
        seconds = context.deadline.remaining()
        if seconds < SHORTEST_SECONDS:
            return Outcome.errored(f"There was no time left to invoke the Lambda function {name}.")
        # Never again by itself: the function may have begun.
        config = Config(
            connect_timeout=min(CONNECT_SECONDS, seconds),
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,  # a NAT gateway forgets a connection on which nothing is said for 350 seconds
        )
        client: LambdaClient = self._client(config)
        try:
            answer = client.invoke(
                FunctionName=name,
                InvocationType="RequestResponse",
                Payload=json.dumps(context.event.attributes).encode(),
            )
            payload = answer["Payload"].read()
        except ReadTimeoutError:
            return Outcome.errored(
                f"The Lambda function {name} had not answered at the task's deadline; it may still run."
            )
        except (ClientError, BotoCoreError) as problem:
            outcome = Outcome.errored(f"The Lambda function {name} could not be invoked: {problem}")
            if isinstance(problem, ClientError) and problem.response["Error"]["Code"] in NOT_BEGUN:
                headers = problem.response["ResponseMetadata"].get("HTTPHeaders", {})
                now = context.deadline.clock.now()
                raise NotBegun(outcome, retry_after(headers.get("retry-after"), now)) from problem
            return outcome
        finally:
            client.close()
        return read_answer(name, payload, is_error="FunctionError" in answer)


def read_answer(name: str, payload: bytes, *, is_error: bool) -> Outcome:
    """The outcome in a function's answer.

    An object with a `result` is an outcome, whose `message` and `data` may be left out; any other object is
    the data of a pass, and null a pass without any.
    """
    try:
        answer = json.loads(payload or b"null", parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Outcome.errored(f"The Lambda function {name} answered something that is not JSON.")
    if is_error:
        said = answer if isinstance(answer, dict) else {}
        kind, message = said.get("errorType") or "error", said.get("errorMessage") or "without a message"
        return Outcome.errored(f"The Lambda function {name} failed: {kind}: {message}")
    if answer is None:
        return Outcome("pass", "succeeded")
    if not isinstance(answer, dict):
        return _refused(name, answer)
    if "result" not in answer:
        return Outcome("pass", "succeeded", data=answer)
    outcome = outcome_in(answer)
    if outcome is None:
        return _refused(name, answer)
    if unknown := answer.keys() - FIELDS:
        logger.warning("ignored in a function's answer", function=name, fields=sorted(unknown))
    return outcome


def _refused(name: str, answer: object) -> Outcome:
    return Outcome.errored(
        f"The Lambda function {name} answered {json.dumps(answer)[:LONGEST_SHOWN]}; expected an object, "
        'as in {"result": "pass", "warning" or "fail", "message": a text, "data": an object}.'
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
