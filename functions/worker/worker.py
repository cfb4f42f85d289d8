"""A dispatched run."""

from functools import cache
from typing import TYPE_CHECKING, Any

from actions import ActionPerformer
from execution_plane.clock import Deadline
from execution_plane.error_log import ErrorLog
from execution_plane.parts import Parts
from execution_plane.replies import Replies
from execution_plane.telemetry import logger, metrics
from jobs.model import Rules
from planner import JobConfigPlanner
from run import Worker
from runners.python_function import PythonFunctionRunner

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(dispatched: dict[str, Any], context: "LambdaContext") -> dict[str, str]:
    """Bring one run to its end.

    `dispatched` has `schema`, `event_id`, `type`, `project`, and, of a plane that is registered,
    `integration_id` and `subscription_id`. What it raises goes to the failure queue, and the poller finds the
    run where it stands.
    """
    try:
        parts, worker, errors = build()
        deadline = Deadline.from_context(parts.clock, context)
        done = worker.handle(
            str(dispatched["event_id"]), deadline, str(dispatched.get("subscription_id", ""))
        )
        errors.send(str(dispatched.get("integration_id", "")), deadline)
    except Exception as problem:
        logger.error("run failed", reason=str(problem), kind=type(problem).__name__)
        raise
    logger.info("invocation done", event_id=dispatched["event_id"], what=done)
    return {"event_id": str(dispatched["event_id"]), "what": done}


@cache
def build() -> tuple[Parts, Worker, ErrorLog]:
    """Build the parts and the worker, once per execution environment. Raises InvalidSetting."""
    parts = Parts.from_environment()
    errors = ErrorLog(parts.control_plane)
    worker = Worker(
        control_plane=parts.control_plane,
        ledger=parts.ledger,
        replies=Replies(parts.control_plane, parts.ledger, parts.clock, patient=True),
        planner=JobConfigPlanner(
            parts.control_plane,
            ActionPerformer({"function": PythonFunctionRunner()}, parts.clock),
            Rules(),
            parts.clock,
        ),
        errors=errors,
        clock=parts.clock,
    )
    return parts, worker, errors
