"""A dispatched run, or the end of a step that another service did."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3

import execution_plane.cold_start  # noqa: F401 - what it sets
from execution_plane.clock import Deadline
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.ledger.job_configs import JobConfigs
from execution_plane.ledger.replies import Replies
from execution_plane.settings import ContainerSettings, InvalidSetting, Settings, TaskSettings
from execution_plane.shared_clients import CHANGES, SharedClients, all_steps, aws_client
from execution_plane.telemetry import invocation, logger, metrics
from jobs.images import ImageAllowlist, InvalidImagePattern
from jobs.model import Rules
from runners.allowlists import StoredAllowlists
from runners.containers.runner import FargateRunner
from runners.http.exchange import HttpExchange
from runners.http.runner import HttpRunner
from runners.lambda_function import LambdaFunctionRunner
from runners.python_function import PythonFunctionRunner
from runners.state_machine import StateMachineRunner
from runners.task_secrets import TaskSecrets
from runs.actions import ActionPerformer, StepRunner, TaskRunner
from runs.executor import RunExecutor
from runs.job_config_lookup import AT_ONCE, LEVELS, BundledLookup, KeptnLookup
from runs.unhandled import UnhandledEvents
from runs.work_finder import JobConfigWorkFinder

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from botocore.config import Config
    from mypy_boto3_lambda.client import LambdaClient


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, str]:
    """Bring one run on: to its end, or to the step that it waits for next.

    `event` is what the poller dispatches (`schema`, `event_id`, `type`, `project`, `version`, and, of a plane
    that is registered, `integration_id` and `subscription_id`), or what EventBridge says of a step. What it
    raises goes to the failure queue, and the poller finds the run where it stands.
    """
    invocation.begin("worker", context)
    if "event_id" in event:
        subject = {"event_id": event["event_id"]}
    else:
        change = CHANGES[event["source"]](event["detail"])
        subject = {change.kind: change.handle}
    try:
        clients, worker, errors = build()
        deadline = Deadline.from_context(clients.clock, context)
        done = serve(worker, errors, event, deadline, context.aws_request_id)
    except Exception as problem:
        logger.error("run failed", **subject, reason=str(problem), kind=type(problem).__name__)
        raise
    logger.info("invocation done", **subject, what=done)
    return {**subject, "what": done}


def serve(
    worker: RunExecutor, errors: ErrorLog, event: Mapping[str, Any], deadline: Deadline, invocation: str
) -> str:
    """Let the worker handle one event of either kind, then log its errors; what happened, in a few words.

    `invocation` is the function's request id.
    """
    if "event_id" in event:
        integration_id = str(event.get("integration_id", ""))
        done = worker.handle(
            str(event["event_id"]),
            deadline,
            invocation=invocation,
            version=event.get("version"),
            integration_id=integration_id,
            subscription_id=str(event.get("subscription_id", "")),
        )
        errors.send(integration_id, deadline)
        return done
    change = CHANGES[event["source"]](event["detail"])
    if change.end is None:
        return f"the {change.kind} has not ended"
    run = worker.waiting_for(change.token)
    if run is None or run.step is None:
        return f"no run waits for this {change.kind}"
    done = worker.handle_end(run, change.end, deadline, invocation)
    errors.send(run.step.integration_id, deadline)
    return done


@cache
def build() -> tuple[SharedClients, RunExecutor, ErrorLog]:
    """Build the clients and the worker, once per execution environment. Raises InvalidSetting."""
    clients, settings = SharedClients.from_environment(), ContainerSettings.from_environment()
    tasks = TaskSettings.from_environment()
    allowed = StoredAllowlists(tasks.allowlists_parameter, partial(aws_client, "ssm"), clients.clock)
    secrets = TaskSecrets(settings.secret_store, settings.secret_prefix, aws_client)
    containers = FargateRunner(
        client=aws_client,
        control_plane=clients.control_plane,
        secrets=secrets,
        settings=settings,
        allowed=allowed,
        clock=clients.clock,
    )
    runners: dict[str, TaskRunner] = {
        "function": PythonFunctionRunner(secrets, allow_secret_references=settings.allow_secret_references),
        "lambda": LambdaFunctionRunner(allowed, _lambda_client),
        "http": HttpRunner(
            allowed,
            HttpExchange(
                ca_bundle_path=Settings.from_environment().ca_bundle_path,
                proxy_resolves=tasks.proxy_resolves_hosts,
            ),
            secrets,
            allow_secret_references=settings.allow_secret_references,
        ),
    }
    elsewhere: dict[str, StepRunner] = {
        "stateMachine": StateMachineRunner(allowed, tasks.account, partial(aws_client, "stepfunctions")),
        **({"image": containers} if settings.are_on else {}),
    }
    performer = ActionPerformer(runners, clients.clock, elsewhere)
    errors = ErrorLog(clients.control_plane)
    worker = RunExecutor(
        control_plane=clients.control_plane,
        ledger=clients.ledger,
        replies=Replies(clients.control_plane, clients.ledger, clients.clock, patient=True),
        work_finder=JobConfigWorkFinder(
            _lookup(tasks, clients),
            performer,
            rules(settings),
            answer_unhandled_events=tasks.answer_unhandled_events,
            unhandled=UnhandledEvents(errors),
        ),
        steps=all_steps(aws_client),
        errors=errors,
        clock=clients.clock,
        pool=ThreadPoolExecutor(AT_ONCE),
    )
    return clients, worker, errors


def _lookup(tasks: TaskSettings, clients: SharedClients) -> BundledLookup | KeptnLookup:
    """Where job configs are."""
    if tasks.is_job_config_bundled:
        return BundledLookup()
    return KeptnLookup(
        clients.control_plane,
        JobConfigs(aws_client("dynamodb"), Settings.from_environment().ledger_table),
        clients.clock,
        max_age=tasks.job_config_max_age,
        pool=ThreadPoolExecutor(AT_ONCE * len(LEVELS)),
    )


def rules(settings: ContainerSettings) -> Rules:
    """What this deployment allows in a job config. Raises InvalidSetting."""
    try:
        images = ImageAllowlist.parse(settings.allowed_images)
    except InvalidImagePattern as problem:
        raise InvalidSetting(f"AllowedImages: {problem}") from None
    return Rules(images=images, allow_privileged=settings.allow_privileged)


def _lambda_client(config: "Config") -> "LambdaClient":
    return boto3.client("lambda", config=config)
