"""Runs a task's image as a container on ECS with Fargate: makes it ready, submits it, and reads its end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock, Deadline
from execution_plane.containers import FILES_CONTAINER, KIND, TASK_CONTAINER, ContainerEnd, log_stream
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import LONGEST_TEXT, EventRef, Outcome
from execution_plane.ledger.runs import RemoteStep
from execution_plane.settings import ContainerSettings
from execution_plane.steps import StepEnd
from execution_plane.telemetry import logger
from jobs.environment import Environment, InvalidEnvironment, environment
from jobs.model import Task
from runners.allowlists import Allowed, AllowlistsUnreadable
from runners.containers.ecs_errors import is_later, is_refusal
from runners.containers.fargate import Size, fitting, wanted
from runners.containers.files import Repository, archive, store
from runners.containers.logs import LogsUnreadable, Written, joined, read_log
from runners.containers.secrets import References, given_to, named_by, references, versions
from runners.containers.spec import ContainerSpec, container_spec, meaningless
from runners.task_secrets import SecretUnusable, TaskSecret, TaskSecrets
from runs.work import (
    NoCapacity,
    Prepared,
    SubmissionRefused,
    SubmissionUncertain,
    TaskContext,
    TaskUnusable,
    put_off,
)

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient

LOG_SECONDS: Final = 5.0  # after its end by which CloudWatch has all that a container wrote
LONGEST_LOG: Final = LONGEST_TEXT - 2048  # bytes, so that what is said about it fits in as well
STOPPED_BY_US: Final = "UserInitiated"
ENDED_BY_ITSELF: Final = frozenset({"", "EssentialContainerExited"})
"""ECS's stop codes; with all others it was stopped, and may have made the best of it."""


class FargateRunner:
    """Runs tasks whose kind is `image`."""

    kind = KIND

    def __init__(
        self,
        *,
        client: Callable[[str], Any],
        control_plane: ControlPlane,
        secrets: TaskSecrets,
        settings: ContainerSettings,
        allowed: Allowed,
        clock: Clock,
    ) -> None:
        """`client` makes a boto3 client by a service's name; it is asked when a task needs it."""
        self._client = client
        self._control_plane = control_plane
        self._secrets = secrets
        self._settings = settings
        self._allowed = allowed
        self._clock = clock
        self.max_poll_duration = settings.max_poll_duration

    def target(self, _: Task) -> str:
        """The cluster."""
        return self._settings.cluster

    def prepare(self, task: Task, token: str, context: TaskContext) -> Prepared:
        """Fetch the task's files, find or make its definition. May be done again. Raises TaskUnusable.

        A definition that ECS may take later, or a role of which SSM may tell later, puts off the submission.
        """
        deadline = context.lease.prepare()
        ref = context.event.ref
        try:
            role = self._role(task)
        except AllowlistsUnreadable as problem:
            return Prepared(put_off(NoCapacity(str(problem))))
        variables, secrets, given = self._secrets_of(task, context)
        try:
            spec = container_spec(
                task,
                self._size(task),
                variables,
                given,
                self._settings,
                region=self._ecs.meta.region_name,
                ref=ref,
                archive=self._files(task, token, ref, deadline),
                role=role,
            )
        except InvalidEnvironment as problem:
            raise TaskUnusable(str(problem)) from None
        if ignored := ", ".join(meaningless(task, self._settings)):
            logger.info(
                "fields without a meaning on Fargate", event_id=ref.id, task=task.name, fields=ignored
            )
        try:
            self._define(spec)
        except NoCapacity as trouble:
            return Prepared(put_off(trouble), versions(secrets))
        return Prepared(partial(self._submit, spec, token), versions(secrets))

    def collect(self, task: Task, step: RemoteStep, end: StepEnd) -> Outcome:
        """What the container came to: its log, and how it ended where it did not end well."""
        if not isinstance(end, ContainerEnd):
            return Outcome.errored(f"The container was not started: {end.reason}")
        self._clock.sleep(
            max(0.0, min(LOG_SECONDS, (end.stopped_at or 0.0) + LOG_SECONDS - self._clock.now()))
        )
        names = (
            (FILES_CONTAINER, TASK_CONTAINER)
            if end.failed_container == FILES_CONTAINER
            else (TASK_CONTAINER,)
        )
        logs = [self._log(task, step, name, end.handle) for name in names]
        text = joined(log.text for log in logs)
        notices = [log.notice for log in logs if log.notice]
        if end.exit_code == 0 and end.stop_code in ENDED_BY_ITSELF:
            return Outcome("pass", "succeeded", "\n".join(filter(None, [*notices, text])), logs[-1].data)
        # In the first line, which is kept wherever a message is cut.
        failure = " ".join([_failure(step, end), *notices])
        message = joined((failure, f"Logs:\n{text}" if text else ""))
        return Outcome("fail", "errored", message, logs[-1].data)

    @property
    def _ecs(self) -> "ECSClient":
        client: ECSClient = self._client("ecs")
        return client

    def _secrets_of(
        self, task: Task, context: TaskContext
    ) -> tuple[Environment, Mapping[str, TaskSecret], References]:
        """The task's variables, the secrets that its container can read, and where ECS finds those."""
        found: dict[str, TaskSecret] = {}

        def find(name: str) -> Mapping[str, str]:
            found[name] = self._secrets.find(name)
            return found[name].values

        try:
            made = environment(
                task,
                context.event.attributes,
                find,
                allow_secret_references=self._settings.allow_secret_references,
            )
            field = "secretFiles"
            for files in task.secret_files:
                if files.name not in found:
                    find(files.name)
            field = "imagePullSecrets"
            return made, found, references(task, made, found, self._secrets.find)
        except (InvalidEnvironment, SecretUnusable) as problem:
            raise TaskUnusable(str(problem)) from None
        except KeyError as missing:
            raise TaskUnusable(f"{field}: the secret {missing.args[0]} is not found.") from None

    def _role(self, task: Task) -> str | None:
        """The role's ARN that the task's container has. Raises AllowlistsUnreadable, TaskUnusable."""
        if not task.service_account:
            return self._settings.task_role
        roles = self._allowed().task_roles
        if task.service_account not in roles:
            raise TaskUnusable(
                f"The serviceAccount {task.service_account} is not among those that this plane allows "
                f"(ContainerTaskRoles: {', '.join(sorted(roles)) or 'there is none'})."
            )
        return roles[task.service_account]

    def _size(self, task: Task) -> Size:
        asked = wanted(task.resources, Size(self._settings.cpu, self._settings.memory))
        size = fitting(asked)
        if size != asked:
            logger.info(
                "resources rounded up to a size of Fargate's",
                task=task.name,
                asked=str(asked),
                size=str(size),
            )
        return size

    def _files(self, task: Task, token: str, ref: EventRef, deadline: Deadline) -> tuple[str, str] | None:
        if not task.files:
            return None
        repository = Repository(self._control_plane, self._clock, ref, deadline)
        content = archive(repository.fetch(task.name, task.files))
        return store(self._client("s3"), self._settings.bucket, token, content)

    def _define(self, spec: ContainerSpec) -> None:
        """Find the definition by its family, whose name says what is in it; else register it.

        Raises TaskUnusable if ECS refuses it, and NoCapacity for everything else: another try does no harm.
        """
        try:
            try:
                self._ecs.describe_task_definition(taskDefinition=spec.family)
            except self._ecs.exceptions.ClientException as problem:
                if is_later(problem):
                    raise
                self._ecs.register_task_definition(**spec.definition)
                logger.info("task definition registered", family=spec.family)
        except (ClientError, BotoCoreError) as problem:
            text = f"The container could not be defined: ECS: {problem}"
            if is_refusal(problem):
                raise TaskUnusable(text) from problem
            raise NoCapacity(text) from problem

    def _submit(self, spec: ContainerSpec, token: str) -> str:
        """Start the container; ECS starts no second one for the same token."""
        network: Any = {
            "subnets": list(self._settings.subnets),
            "securityGroups": list(self._settings.security_groups),
            "assignPublicIp": "ENABLED" if self._settings.assign_public_ip else "DISABLED",
        }
        try:
            answer = self._ecs.run_task(
                cluster=self._settings.cluster,
                taskDefinition=spec.family,
                launchType="FARGATE",
                count=1,
                clientToken=token,
                startedBy=token,
                networkConfiguration={"awsvpcConfiguration": network},
                overrides=spec.overrides,  # type: ignore[arg-type]
                tags=spec.tags,  # type: ignore[arg-type]
            )
        except ClientError as problem:
            return _known_by_token(problem)
        except BotoCoreError as problem:
            if is_refusal(problem):
                raise SubmissionRefused(f"ECS: {problem}") from problem
            raise SubmissionUncertain(f"ECS: {problem}") from problem
        if answer["tasks"]:
            return answer["tasks"][0]["taskArn"]
        reasons = ", ".join(each.get("reason", "") for each in answer.get("failures", ()))
        if reasons:
            raise NoCapacity(f"ECS: {reasons}")
        raise SubmissionUncertain("ECS named neither a task nor a failure")

    def _log(self, task: Task, step: RemoteStep, container: str, arn: str) -> Written:
        """What a container wrote, without its secrets; why there is nothing to read, if that is so."""
        stream = log_stream(container, arn)
        group = self._settings.log_group
        try:
            secrets = self._secret_values(task, step)
            written = read_log(self._client("logs"), group, stream, LONGEST_LOG, secrets)
        except (LogsUnreadable, SecretUnusable) as problem:
            logger.warning("a container's log can't be shown", stream=stream, reason=str(problem))
            return Written(notice=f"(The log is in {group}, {stream}, and can't be shown here: {problem})")
        if written.total > LONGEST_LOG + 1:
            total = f"{'' if written.is_whole else 'more than '}{written.total} bytes"
            written.notice = f"({total}, cut to the last {LONGEST_LOG}; all of it is in {group}, {stream})"
            written.text = written.text.encode()[-LONGEST_LOG:].decode("utf-8", "ignore")
        return written

    def _secret_values(self, task: Task, step: RemoteStep) -> Mapping[str, str]:
        """All values that the task's container was given from secrets. Raises SecretUnusable."""
        try:
            found = {name: self._secrets.find(name) for name in named_by(task)}
        except KeyError as gone:
            raise SecretUnusable(f"the secret {gone.args[0]} was deleted while its container ran") from None
        if step.secrets and step.secrets != versions(found):
            raise SecretUnusable("a secret of the task was changed while its container ran")
        return given_to(task, found)


def _known_by_token(problem: ClientError) -> str:
    """The task that ECS has for the same token already, where it says so."""
    code = problem.response["Error"]["Code"]
    if code == "ConflictException":
        known: Any = problem.response.get("resourceIds") or ()
        if known:
            return str(known[0])
    if is_later(problem):
        raise NoCapacity(f"ECS: {problem}") from problem
    if is_refusal(problem):
        raise SubmissionRefused(f"ECS: {problem}") from problem
    raise SubmissionUncertain(f"ECS: {problem}") from problem


def _failure(step: RemoteStep, end: ContainerEnd) -> str:
    """How a container ended that did not end well, with ECS's own reason."""
    which = (
        "The container of the task's files" if end.failed_container == FILES_CONTAINER else "The container"
    )
    reason = f": {end.reason}" if end.reason else ""
    if end.stop_code == STOPPED_BY_US and end.stopped_at and end.stopped_at >= step.deadline:
        seconds = round(step.deadline - step.since)
        return f"{which} was still running after {seconds} s (maxPollDuration) and was stopped."
    if end.stop_code == STOPPED_BY_US:
        return f"{which} was stopped{reason}"
    if end.exit_code:
        return f"{which} ended with exit code {end.exit_code}{reason}"
    if end.exit_code == 0:
        return f"{which} was ended by ECS ({end.stop_code}), with exit code 0{reason}"
    if end.reason or end.stop_code:
        return f"{which} did not start, or was ended by ECS ({end.stop_code or 'no stop code'}){reason}"
    return f"{which} has ended, and ECS no longer knows how."
