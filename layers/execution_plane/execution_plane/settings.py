"""What a deployment is told by its template's parameters, read once from the environment and checked.

Every problem is one sentence that names the template parameter to mend.
"""

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from execution_plane import jsonpath

T = TypeVar("T")

LONGEST_SHOWN = 200  # characters of a wrong value that the sentence about it repeats
DEFAULT_NAME = "keptn-lambda-executor"
LOGIN = re.compile(r"//.*@", re.DOTALL)  # as far as the last, since a password may have any character
HOST = re.compile(r"(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?")
TASK_TYPE = re.compile(r"sh\.keptn\.event\.[^.\s,*>]+\.triggered")


class InvalidSetting(Exception):
    """A template parameter has a value that can't work; the text says which and what to do."""


@dataclass(frozen=True)
class Match:
    """The one JSONPath, and its values, by which a plane takes only its own region's events."""

    path: str
    value: str
    """A comma list, of which one is to be found; or, with a ! before it, none."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The values of which one is to be found; none for a catch-all."""
        return () if self.value.startswith("!") else _names(self.value)

    @property
    def others(self) -> tuple[str, ...]:
        """The values that other planes take, if this one is the catch-all: those of `!APAC,EU`."""
        return _names(self.value[1:]) if self.value.startswith("!") else ()


@dataclass(frozen=True)
class Settings:
    """What both functions need."""

    api_url: str
    token_secret: str | None
    oauth_secret: str | None
    ca_bundle_path: str | None
    ledger_table: str

    @property
    def login(self) -> str:
        """What this plane logs in with, as errors call it."""
        used = {"KeptnApiTokenSecretArn": self.token_secret, "OauthSecretArn": self.oauth_secret}
        return " and ".join(f"the secret {secret} ({name})" for name, secret in used.items() if secret)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check the environment. Raises InvalidSetting for the first value that is wrong."""
        oauth_secret = environ.get(variable("OauthSecretArn"), "").strip() or None
        return cls(
            api_url=_read(environ, "KeptnApiUrl", base_url),
            token_secret=_read(environ, "KeptnApiTokenSecretArn", _text, default="" if oauth_secret else None)
            or None,
            oauth_secret=oauth_secret,
            ca_bundle_path=_read(environ, "CaBundlePath", _certificates, default=""),
            ledger_table=_read(environ, "LedgerTableName", _text),
        )


@dataclass(frozen=True)
class PollerSettings:
    """What only the poller needs. Durations are in seconds; empty tuples mean "any"."""

    event_types: tuple[str, ...]
    projects: tuple[str, ...]
    stages: tuple[str, ...]
    services: tuple[str, ...]
    match: Match | None
    poll_interval: int
    poll_interval_busy: int
    schedule_period: int
    timer_queue_url: str | None
    run_deadline: int
    drain: bool
    worker_function: str
    failure_queue_url: str | None
    source: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "PollerSettings":
        """Read and check the environment. Raises InvalidSetting for the first value that is wrong."""
        return cls(
            event_types=_read(environ, "EventTypes", _event_types),
            projects=_names(environ.get("PROJECTS", "")),
            stages=_names(environ.get("STAGES", "")),
            services=_names(environ.get("SERVICES", "")),
            match=_match(environ.get("MATCH_PROPERTY", ""), environ.get("MATCH_VALUE", "")),
            poll_interval=_read(environ, "PollIntervalSeconds", _interval, default="5"),
            poll_interval_busy=_read(environ, "PollIntervalBusySeconds", _whole_number(0, 60), default="1"),
            schedule_period=_read(environ, "ScheduleExpression", period_of, default="rate(1 minute)"),
            timer_queue_url=environ.get("TIMER_QUEUE_URL") or None,
            run_deadline=_read(environ, "RunDeadlineSeconds", _whole_number(60, 1_209_600), default="3600"),
            drain=_read(environ, "Drain", _switch, default="false"),
            worker_function=_read(environ, "WorkerFunctionName", _text),
            failure_queue_url=environ.get("FAILURE_QUEUE_URL") or None,
            source=_read(environ, "PlaneSource", _text),
        )


@dataclass(frozen=True)
class ContainerSettings:
    """What the worker needs to run containers, and to give tasks secrets.

    With an empty `cluster`, containers are off. `secret_store` is Secrets Manager's or SSM's name for boto3;
    with an empty `secret_prefix` no task gets a secret. `cpu` is in Fargate's units (1024 a core), `memory`
    in MiB, `max_poll_duration` in seconds, for a task that does not say. With `are_restricted`,
    containers have few rights unless a task's `securityContext` asks for more.
    """

    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool
    execution_role: str
    task_role: str | None
    log_group: str
    bucket: str
    init_image: str
    architecture: str
    cpu: int
    memory: int
    max_poll_duration: int
    are_restricted: bool
    allowed_images: str
    allow_privileged: bool
    secret_store: str
    secret_prefix: str
    allow_secret_references: bool

    @property
    def are_on(self) -> bool:
        """Whether this deployment runs containers."""
        return bool(self.cluster)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "ContainerSettings":
        """Read and check the environment; of what only containers need, nothing while they are off.

        Raises InvalidSetting for the first value that is wrong.
        """
        cluster = environ.get("ECS_CLUSTER", "").strip()
        required = None if cluster else ""
        return cls(
            cluster=cluster,
            subnets=_names(_read(environ, "ContainerSubnetIds", _text, default=required)),
            security_groups=_names(environ.get("CONTAINER_SECURITY_GROUP_IDS", "")),
            assign_public_ip=_read(environ, "ContainerAssignPublicIp", _switch, default="false"),
            execution_role=_read(environ, "ContainerExecutionRoleArn", _text, default=required),
            task_role=environ.get("CONTAINER_TASK_ROLE_ARN", "").strip() or None,
            # A function's environment has no room for what follows from another variable.
            log_group=f"/aws/ecs/{cluster.rpartition('/')[2]}",
            bucket=_read(environ, "ContainerBucket", _text, default=required),
            init_image=_read(environ, "ContainerInitImage", _text, default=required),
            architecture=_read(environ, "ContainerArchitecture", _architecture, default="X86_64"),
            cpu=_read(environ, "ContainerCpu", _whole_number(256, 16_384), default="256"),
            memory=_read(environ, "ContainerMemoryMegabytes", _whole_number(512, 122_880), default="512"),
            max_poll_duration=_read(
                environ, "ContainerMaxPollDurationSeconds", _whole_number(1, 1_209_600), default="300"
            ),
            are_restricted=_read(
                environ, "ContainerSecurity", _one_of("image", "restricted"), default="image"
            )
            == "restricted",
            # Not trimmed: the job executor takes every item of its list as it stands.
            allowed_images=environ.get("ALLOWED_IMAGES", ""),
            allow_privileged=_read(environ, "AllowPrivileged", _switch, default="false"),
            secret_store=_read(environ, "SecretStore", _secret_store, default="secretsmanager"),
            secret_prefix=environ.get("SECRET_PREFIX", "").strip(),
            allow_secret_references=_read(environ, "AllowSecretReferences", _switch, default="false"),
        )


@dataclass(frozen=True)
class TaskSettings:
    """What the worker allows tasks, and owes to events without any."""

    allowlists_parameter: str
    """Of SSM, which has the variables that `Allowlists` reads; empty if all lists are."""
    account: str
    """Whose the state machines are."""
    ca_bundle_path: str | None
    proxy_resolves_hosts: bool
    """Whether a proxy is asked for them by their names, unchecked."""
    answer_unhandled_events: bool
    is_job_config_bundled: bool
    """Whether Keptn is not asked for any."""
    job_config_max_age: int
    """Seconds for which what Keptn said of one without a commit id serves others."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "TaskSettings":
        """Read and check the environment. Raises InvalidSetting for the first value that is wrong."""
        return cls(
            allowlists_parameter=environ.get("ALLOWLISTS_PARAMETER", ""),
            account=environ.get("ACCOUNT_ID", ""),
            ca_bundle_path=_read(environ, "CaBundlePath", _certificates, default=""),
            proxy_resolves_hosts=_read(environ, "ProxyResolvesHosts", _switch, default="false"),
            answer_unhandled_events=_read(environ, "AnswerUnhandledEvents", _switch, default="false"),
            is_job_config_bundled=_read(environ, "JobConfig", _one_of("keptn", "bundled"), default="keptn")
            == "bundled",
            job_config_max_age=_read(environ, "JobConfigMaxAgeSeconds", _whole_number(0, 300), default="5"),
        )


@dataclass(frozen=True)
class Allowlists:
    """What job configs may reach beyond the plane.

    `hosts` are hosts, or `*.` and a domain for all below it; with a port where it is unusual. `task_roles`
    has the role's ARN for each allowed `serviceAccount`, which is a role's name.
    """

    hosts: tuple[str, ...] = ()
    lambdas: frozenset[str] = frozenset()
    state_machines: frozenset[str] = frozenset()
    task_roles: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Allowlists":
        """Read and check variables, for which a function's environment has no room.

        Raises InvalidSetting for the first value that is wrong.
        """
        return cls(
            hosts=_read(environ, "AllowedHosts", _hosts, default=""),
            lambdas=frozenset(_names(environ.get("ALLOWED_LAMBDAS", ""))),
            state_machines=frozenset(_names(environ.get("ALLOWED_STATE_MACHINES", ""))),
            task_roles=_read(environ, "ContainerTaskRoles", _roles, default=""),
        )


@dataclass(frozen=True)
class IntegrationSettings:
    """How this plane shows itself in Keptn's Bridge."""

    is_registered: bool
    name: str
    namespace: str
    location: str
    is_steered: bool
    """Whether the Bridge's subscriptions rule, not the template's."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "IntegrationSettings":
        """Read and check the environment. Raises InvalidSetting for the first value that is wrong."""
        return cls(
            is_registered=_read(environ, "Registration", _one_of("enabled", "disabled"), default="enabled")
            == "enabled",
            name=_read(environ, "IntegrationName", _text, default=DEFAULT_NAME),
            namespace=_read(environ, "PlaneSource", _text).removeprefix(f"{DEFAULT_NAME}/"),
            location=_read(environ, "IntegrationLocation", _text, default="unknown"),
            is_steered=_read(environ, "Subscriptions", _one_of("bridge", "template"), default="bridge")
            == "bridge",
        )


def variable(parameter: str) -> str:
    """The environment variable of a template parameter: `KeptnApiUrl` becomes `KEPTN_API_URL`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()


def _read(
    environ: Mapping[str, str], parameter: str, convert: Callable[[str], T], default: str | None = None
) -> T:
    text = environ.get(variable(parameter), "").strip() or default
    if text is None:
        raise InvalidSetting(f"{parameter} is not set: give it a value and deploy again.")
    try:
        return convert(text)
    except ValueError as problem:
        raise InvalidSetting(f"{parameter} is {_shown(text)}: {problem}.") from None


def without_login(text: str) -> str:
    """A text without what stands before the host of a URL, or may: a user and a password."""
    return LOGIN.sub("//***@", text)


def _shown(value: str) -> str:
    value = without_login(value)
    return repr(value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…")


def _text(value: str) -> str:
    return value


def _certificates(value: str) -> str | None:
    if not value:
        return None
    if not Path(value).is_file():
        raise ValueError(
            "there is no such file in the function's package; a file in layers/execution_plane is found at "
            "/opt/python/NAME"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except OSError:  # SSLError is one
        raise ValueError("the file holds no certificates in PEM form") from None
    return value


def base_url(value: str) -> str:
    """A URL that paths can follow, without its last slash. Raises ValueError for anything else."""
    parts = urlsplit(value)
    try:
        parts.port  # noqa: B018 - raises ValueError for one that is no port
    except ValueError:
        # Without its words, which repeat what may be a password.
        raise ValueError("its port must be a number, as in https://keptn.example.com:8443/api") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("it must begin with https:// (or http://), as in https://keptn.example.com/api")
    if not parts.hostname:
        raise ValueError("it names no host; expected something like https://keptn.example.com/api")
    if "@" in value or parts.query or parts.fragment or re.search(r"\s", value):
        raise ValueError("it must be a plain base URL, without user, query, fragment or spaces")
    return value.rstrip("/")


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def convert(value: str) -> int:
        if not re.fullmatch(r"\d{1,9}", value) or not low <= int(value) <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(value)

    return convert


def _interval(value: str) -> int:
    if value == "1":
        raise ValueError("it must be 0, or a whole number from 2 to 300")
    return _whole_number(0, 300)(value)


def period_of(value: str) -> int:
    """Seconds from one tick of a schedule to the next, within its hours. Raises ValueError."""
    found = re.match(r"rate\(([1-5]) minutes?\)$|cron\([0-9*-]+(?:/([1-5]))? ", value)
    if not found:
        raise ValueError("it must be rate(1 minute) up to rate(5 minutes), or a cron expression")
    return 60 * int(found[1] or found[2] or 1)


def _one_of(*choices: str) -> Callable[[str], str]:
    def convert(value: str) -> str:
        if value not in choices:
            raise ValueError(f"it must be {' or '.join(choices)}")
        return value

    return convert


def _switch(value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError("it must be true or false")
    return value == "true"


def _architecture(value: str) -> str:
    if value not in {"X86_64", "ARM64"}:
        raise ValueError("it must be X86_64 or ARM64")
    return value


def _secret_store(value: str) -> str:
    if value not in {"secretsmanager", "ssm"}:
        raise ValueError("it must be secretsmanager or ssm")
    return value


def _roles(value: str) -> dict[str, str]:
    """Read a comma list of roles' ARNs; each is known by its name, the last part of its ARN."""
    roles = {}
    for arn in _names(value):
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", arn):
            raise ValueError(f"{arn} is not the ARN of a role, as in arn:aws:iam::123456789012:role/deployer")
        roles[arn.rpartition("/")[2]] = arn
    return roles


def _hosts(value: str) -> tuple[str, ...]:
    hosts = _names(value)
    for host in hosts:
        if not HOST.fullmatch(host):
            raise ValueError(
                f"{host} is no host; expected hooks.example.com, *.example.com for all below it, or either "
                "with a port, as in hooks.example.com:8443"
            )
    return hosts


def _names(value: str) -> tuple[str, ...]:
    """Split a comma list; what appears twice counts once."""
    return tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))


def _event_types(value: str) -> tuple[str, ...]:
    types = _names(value)
    if not types:
        raise ValueError("it lists no event type; expected for example sh.keptn.event.sayhello.triggered")
    for event_type in types:
        if not TASK_TYPE.fullmatch(event_type):
            raise ValueError(
                f"{event_type} is not a task's triggered event; "
                "expected sh.keptn.event.TASK.triggered, without wildcards"
            )
    return types


def _match(path: str, value: str) -> Match | None:
    if not path:
        if value:
            raise InvalidSetting("MatchValue is set but MatchProperty is not: give both or neither.")
        return None
    if not value:
        raise InvalidSetting("MatchProperty is set but MatchValue is not: give both or neither.")
    try:
        is_list = jsonpath.compile(path).is_list
    except jsonpath.InvalidJsonPath as problem:
        raise InvalidSetting(f"MatchProperty is {_shown(path)}: {problem}.") from None
    if is_list:
        raise InvalidSetting(f"MatchProperty is {_shown(path)}: it must lead to one value, not to several.")
    match = Match(path, value)
    if not value.startswith("!") and not match.wanted:
        raise InvalidSetting(f"MatchValue is {_shown(value)}: it lists no value, as in APAC or APAC,EU.")
    if value.startswith("!") and not match.others:
        raise InvalidSetting(
            f"MatchValue is {_shown(value)}: after the ! list the values that other planes take."
        )
    return match
