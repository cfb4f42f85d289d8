"""What a job config says: the job executor's apiVersion v2, with our own task kinds besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from jobs.images import ImageAllowlist
from jobs.schema import Problem

DEFAULT_MAX_POLL_DURATION: Final = 300
"""Seconds that a task may take unless it says otherwise."""

ValueFrom = Literal["event", "string", "secret", "secretKey"]
Kind = Literal["image", "function", "lambda", "http", "stateMachine"]
OnError = Literal["fail", "warning"]


@dataclass(frozen=True)
class Rules:
    """What this deployment allows in a job config."""

    images: ImageAllowlist = field(default_factory=ImageAllowlist)
    allow_privileged: bool = False


@dataclass(frozen=True)
class EventFilter:
    """Which events an action is for: `name` is an unanchored RE2 pattern; no `property` filters nothing."""

    name: str = ""
    property: str = ""
    match: str = ""


@dataclass(frozen=True)
class SecretKey:
    """One key of a secret, written `SECRET/KEY`; the secret's name may have slashes as well."""

    secret: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "SecretKey | None":
        """Read the text; None for one that names no secret, or no key."""
        secret, _, key = text.rpartition("/")
        return cls(secret, key) if secret and key else None


@dataclass(frozen=True)
class Env:
    """One entry of a task's `env`.

    For a secret, `name` is the secret's and every key becomes a variable; for a secret's key, `value` is
    `SECRET/KEY`, as `SecretKey` reads it.
    """

    name: str
    value: str
    value_from: ValueFrom
    rendering: str = ""
    """The field `as`: json or yaml in any case; anything else is the default rendering."""


@dataclass(frozen=True)
class Amounts:
    """CPU in cores, memory in bytes; None where the task does not say."""

    cpu: Decimal | None = None
    memory: Decimal | None = None


@dataclass(frozen=True)
class Resources:
    """A task's own resources; where it has any, none of the deployment's defaults apply."""

    limits: Amounts = Amounts()
    requests: Amounts = Amounts()


@dataclass(frozen=True)
class SecurityContext:
    """None where the task does not say."""

    privileged: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] | None = None
    """None where the task says nothing of capabilities, not even of those to add."""
    proc_mount: str | None = None
    seccomp_type: str | None = None
    seccomp_localhost_profile: str | None = None


@dataclass(frozen=True)
class SecretFiles:
    """A folder of the container with a file for each key of a secret."""

    name: str
    mount_path: str


@dataclass(frozen=True)
class HttpCall:
    """An HTTP request as the file has it; `url`, the headers' values and `body` may refer to `$(VAR)`."""

    url: str
    method: str = ""
    """Empty for GET, or POST if there is a body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    statuses: tuple[str, ...] = ()
    """Those that pass, as 204 or 2xx; empty for 2xx."""
    idempotent: bool = False
    """Whether it may be sent again where its fate is not known."""


@dataclass(frozen=True)
class Task:
    """One step of an action; `index` counts from 0. A task without a kind is valid, and fails when run."""

    index: int
    name: str = ""
    image: str = ""
    function: str = ""
    lambda_name: str = ""
    http: HttpCall | None = None
    state_machine: str = ""
    files: tuple[str, ...] = ()
    image_pull_policy: str = ""
    image_pull_secret: str = ""
    """The secret with the credentials by which the image is pulled; empty for none."""
    secret_files: tuple[SecretFiles, ...] = ()
    cmd: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[Env, ...] = ()
    resources: Resources | None = None
    working_dir: str = ""
    max_poll_duration: int = DEFAULT_MAX_POLL_DURATION
    """Seconds; 0 and less time out at once. Where the file does not give it, a plane may have its own."""
    namespace: str = ""
    ttl_seconds_after_finished: int | None = None
    security_context: SecurityContext = SecurityContext()
    service_account: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    on_error: OnError = "fail"
    given: frozenset[str] = frozenset()
    """The fields that the file has for this task, by their names there."""

    @property
    def kind(self) -> Kind | None:
        """What the task runs; None if it says nothing of it."""
        if self.image:
            return "image"
        if self.function:
            return "function"
        if self.lambda_name:
            return "lambda"
        if self.http:
            return "http"
        return "stateMachine" if self.state_machine else None


@dataclass(frozen=True)
class Action:
    """What to do about the events it names; `index` counts from 0.

    With `objections` it can't be run: they say what is wrong with its tasks.
    """

    index: int
    name: str = ""
    events: tuple[EventFilter, ...] = ()
    tasks: tuple[Task, ...] = ()
    silent: bool = False
    objections: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class JobConfig:
    """A whole job config."""

    actions: tuple[Action, ...] = ()
