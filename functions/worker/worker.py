"""A dispatched run, or the end of a step that another service did."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3

import execution_plane.cold_start  # noqa: F401 - what it sets
from execution_plane.clock import Deadline
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.ledger.job_configs import JobConfigs
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.runs import Origin
from execution_plane.settings import Allowlists, ContainerSettings, InvalidSetting, Settings, TaskSettings
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
        worker = build()
        done = serve(worker, event, Deadline.from_context(worker.clock, context), context.aws_request_id)
    except Exception as problem:
        logger.error("run failed", **subject, reason=str(problem), kind=type(problem).__name__)
        raise
    logger.info("invocation done", **subject, what=done)
    return {**subject, "what": done}


def serve(worker: RunExecutor, event: Mapping[str, Any], deadline: Deadline, invocation: str) -> str:
    """Let the worker handle one event of either kind, then log its errors; what happened, in a few words.

    `invocation` is the function's request id.
    """
    if "event_id" in event:
        origin = Origin(str(event.get("integration_id", "")), str(event.get("subscription_id", "")))
        done = worker.handle(
            str(event["event_id"]), deadline, origin, invocation=invocation, version=event.get("version")
        )
    else:
        change = CHANGES[event["source"]](event["detail"])
        if change.end is None:
            return f"the {change.kind} has not ended"
        run = worker.waiting_for(change.token)
        if run is None or run.step is None:
            return f"no run waits for this {change.kind}"
        origin = run.step.origin
        done = worker.handle_end(run, change.end, deadline, invocation)
    worker.errors.send(origin.integration_id, deadline)
    return done


@cache
def build() -> RunExecutor:
    """Build the worker, once per execution environment. Raises InvalidSetting."""
    return assemble(os.environ, SharedClients.from_environment(), aws_client)


def assemble(environ: Mapping[str, str], clients: SharedClients, client: Callable[[str], Any]) -> RunExecutor:
    """The worker of one plane; `client` makes a boto3 client by a service's name. Raises InvalidSetting."""
    tasks, errors = TaskSettings.from_environment(environ), ErrorLog(clients.control_plane)
    allowed = StoredAllowlists(tasks.allowlists_parameter, partial(client, "ssm"), clients.clock)
    lookup: BundledLookup | KeptnLookup = BundledLookup()
    if not tasks.is_job_config_bundled:
        lookup = KeptnLookup(
            clients.control_plane,
            JobConfigs(client("dynamodb"), Settings.from_environment(environ).ledger_table),
            clients.clock,
            max_age=tasks.job_config_max_age,
            pool=ThreadPoolExecutor(AT_ONCE * len(LEVELS)),
        )
    return RunExecutor(
        control_plane=clients.control_plane,
        ledger=clients.ledger,
        replies=Replies(clients.control_plane, clients.ledger, clients.clock, patient=True),
        work_finder=JobConfigWorkFinder(
            lookup,
            performer(environ, clients, client, allowed),
            rules(ContainerSettings.from_environment(environ)),
            answer_unhandled_events=tasks.answer_unhandled_events,
            unhandled=UnhandledEvents(errors),
        ),
        steps=all_steps(client),
        errors=errors,
        clock=clients.clock,
        pool=ThreadPoolExecutor(AT_ONCE),
    )


def performer(
    environ: Mapping[str, str],
    clients: SharedClients,
    client: Callable[[str], Any],
    allowed: Callable[[], Allowlists],
) -> ActionPerformer:
    """What does the tasks of every kind. Raises InvalidSetting."""
    settings, tasks = ContainerSettings.from_environment(environ), TaskSettings.from_environment(environ)
    secrets = TaskSecrets(settings.secret_store, settings.secret_prefix, client)
    runners: dict[str, TaskRunner] = {
        "function": PythonFunctionRunner(secrets, allow_secret_references=settings.allow_secret_references),
        "lambda": LambdaFunctionRunner(allowed, lambda config: boto3.client("lambda", config=config)),
        "http": HttpRunner(
            allowed,
            HttpExchange(ca_bundle_path=tasks.ca_bundle_path, proxy_resolves=tasks.proxy_resolves_hosts),
            secrets,
            allow_secret_references=settings.allow_secret_references,
        ),
    }
    elsewhere: dict[str, StepRunner] = {
        "stateMachine": StateMachineRunner(allowed, tasks.account, partial(client, "stepfunctions"))
    }
    if settings.are_on:
        elsewhere["image"] = FargateRunner(
            client=client,
            control_plane=clients.control_plane,
            secrets=secrets,
            settings=settings,
            allowed=allowed,
            clock=clients.clock,
        )
    return ActionPerformer(runners, clients.clock, elsewhere)


def rules(settings: ContainerSettings) -> Rules:
    """What this deployment allows in a job config. Raises InvalidSetting."""
    try:
        images = ImageAllowlist.parse(settings.allowed_images)
    except InvalidImagePattern as problem:
        raise InvalidSetting(f"AllowedImages: {problem}") from None
    return Rules(images=images, allow_privileged=settings.allow_privileged)
