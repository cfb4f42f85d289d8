"""What a deployed plane has against a job config: what it names, as it is there."""

import re
from collections.abc import Callable, Iterator, Mapping

from cli.runs.aws import Missing, Unusable, ask
from cli.runs.plane import Plane
from execution_plane.settings import ContainerSettings, InvalidSetting
from jobs.config import JobConfig, Rules
from jobs.images import ImageAllowlist, InvalidImagePattern
from jobs.model import SecretKey, Task
from runners.http.reachable import USUAL_PORTS, AllowedHosts

PLACE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?(?=[/?#]|$)", re.IGNORECASE
)
"""Of a URL whose host and port no variable has a part in."""


class Deployed:
    """A plane's rules for job configs, read once from its worker and its stack."""

    def __init__(self, plane: Plane) -> None:
        """Raises Unusable if they can't be read."""
        self._plane = plane
        environ = plane.environment("Worker")
        try:
            self._containers = ContainerSettings.from_environment(environ)
            images = ImageAllowlist.parse(self._containers.allowed_images)
        except (InvalidSetting, InvalidImagePattern) as problem:
            raise Unusable(f"the worker's settings: {problem}") from None
        self.rules = Rules(images=images, allow_privileged=self._containers.allow_privileged)
        self._allowed = plane.allowlists
        self._is_ssm = self._containers.secret_store == "ssm"  # noqa: S105 - the store's name
        self._secrets: dict[str, str] = {}

    def problems(self, config: JobConfig) -> Iterator[str]:
        """What the plane would not do of a job config, or could not, one sentence each."""
        for action in config.actions:
            for task in action.tasks:
                for field, sentence in self._problems(task):
                    yield f"actions[{action.index}].tasks[{task.index}].{field}: {sentence}"

    def _problems(self, task: Task) -> Iterator[tuple[str, str]]:
        if task.kind == "image" and not self._containers.cluster:
            yield "image", "the plane runs no containers (Containers=disabled)"
        if task.kind == "http" and task.http:
            yield from self._host(task.http.url)
        if task.kind == "lambda":
            yield from self._function(task.lambda_name)
        if task.kind == "stateMachine":
            yield from self._state_machine(task.state_machine)
        for field, name in _secrets_of(task):
            if problem := self._secret(name):
                yield field, problem

    def _host(self, url: str) -> Iterator[tuple[str, str]]:
        if found := PLACE.match(url):
            port = int(found["port"] or USUAL_PORTS[found["scheme"].lower()])
            allowed = AllowedHosts(self._allowed.hosts)
            if not allowed.allow(found["host"], port):
                yield "http.url", f"the plane may not call {found['host']}:{port} (AllowedHosts: {allowed})"

    def _function(self, name: str) -> Iterator[tuple[str, str]]:
        allowed = ", ".join(sorted(self._allowed.lambdas)) or "there is none"
        if name not in self._allowed.lambdas:
            yield "lambda", f"the plane may not invoke {name} (AllowedLambdas: {allowed})"
        elif problem := self._missing(
            lambda: self._plane.aws.client("lambda").get_function_configuration(FunctionName=name)
        ):
            yield "lambda", f"the Lambda function {name} {problem}"

    def _state_machine(self, name: str) -> Iterator[tuple[str, str]]:
        allowed = ", ".join(sorted(self._allowed.state_machines)) or "there is none"
        arn = self._plane.state_machine_arn(name)
        if name not in self._allowed.state_machines:
            yield "stateMachine", f"the plane may not start {name} (AllowedStateMachines: {allowed})"
        elif problem := self._missing(
            lambda: self._plane.aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        ):
            yield "stateMachine", f"the state machine {name} {problem}"

    def _secret(self, name: str) -> str:
        """Why the plane has no such secret; empty if it has. No value is read."""
        prefix, is_ssm = self._containers.secret_prefix, self._is_ssm
        if not prefix:
            return f"the plane gives tasks no secret, so not {name} either (SecretPrefix is empty)"
        full_name = f"/{prefix}{name}" if is_ssm else f"{prefix}{name}"
        if full_name not in self._secrets:
            self._secrets[full_name] = self._missing(
                (lambda: self._parameters(full_name))
                if is_ssm
                else (lambda: self._plane.aws.client("secretsmanager").describe_secret(SecretId=full_name))
            )
        problem = self._secrets[full_name]
        return f"the secret {full_name} {problem}" if problem else ""

    def _parameters(self, path: str) -> Mapping[str, object]:
        found: Mapping[str, object] = self._plane.aws.client("ssm").get_parameters_by_path(Path=path)
        if not found["Parameters"]:
            raise Missing(path)
        return found

    def _missing(self, call: Callable[[], object]) -> str:
        try:
            ask(call)
        except Missing:
            return "is not there"
        except Unusable as problem:
            return f"could not be looked for: {problem}"
        return ""


def _secrets_of(task: Task) -> Iterator[tuple[str, str]]:
    """The secrets that a task names, each with the field that names it."""
    for number, env in enumerate(task.env):
        if env.value_from == "secret":
            yield f"env[{number}]", env.name
        elif env.value_from == "secretKey" and (wanted := SecretKey.parse(env.value)):
            yield f"env[{number}]", wanted.secret
    for files in task.secret_files:
        yield "secretFiles", files.name
    if task.image_pull_secret:
        yield "imagePullSecrets", task.image_pull_secret
