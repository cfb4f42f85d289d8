"""What a task's container gets of secrets, by reference: no value goes through the worker to it."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from jobs.environment import Environment
from jobs.model import SecretKey, Task
from runners.task_secrets import TaskSecret
from runs.work import TaskUnusable

_FILE: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_CREDENTIALS: Final = frozenset({"username", "password"})


@dataclass(frozen=True)
class SecretFolder:
    """A folder of a container with a file for each key of a secret; by file, where ECS finds its content."""

    path: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class References:
    """Where ECS finds what a container gets of secrets.

    `variables` are the references by variable; `registry` is the ARN of the secret with the credentials by
    which its image is pulled, empty for none.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[SecretFolder, ...] = ()
    registry: str = ""


def references(
    task: Task, made: Environment, found: Mapping[str, TaskSecret], find: Callable[[str], TaskSecret]
) -> References:
    """What the task's container gets: of the secrets that were `found`, and by which its image is pulled.

    Raises TaskUnusable, and what `find` raises.
    """
    variables = {
        name: found[each.secret.secret].references[each.secret.key]
        for name, each in made.variables.items()
        if each.secret is not None
    }
    folders = tuple(
        SecretFolder(each.mount_path, _files(each.name, found[each.name])) for each in task.secret_files
    )
    name = task.image_pull_secret
    return References(variables, folders, _registry(name, find(name)) if name else "")


def versions(secrets: Mapping[str, TaskSecret]) -> str:
    """The same for the same versions of the same secrets; empty for none."""
    by_name = {name: each.version for name, each in secrets.items()}
    text = json.dumps(by_name, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32] if secrets else ""


def named_by(task: Task) -> frozenset[str]:
    """The secrets of which the task's container gets something that it can read."""
    return frozenset(key.secret for key in _keys(task))


def given_to(task: Task, secrets: Mapping[str, TaskSecret]) -> Mapping[str, str]:
    """What the task's container can read of its secrets: the values, by names that say nothing."""
    values = (
        value
        for wanted in _keys(task)
        for key, value in secrets[wanted.secret].values.items()
        if wanted.key in ("", key)
    )
    return {str(number): value for number, value in enumerate(values)}


def _keys(task: Task) -> Iterator[SecretKey]:
    """What the task names of secrets; an empty key stands for all."""
    for env in task.env:
        if env.value_from == "secret":
            yield SecretKey(env.name, "")
        elif env.value_from == "secretKey" and (wanted := SecretKey.parse(env.value)):
            yield wanted
    for files in task.secret_files:
        yield SecretKey(files.name, "")


def _files(name: str, secret: TaskSecret) -> Mapping[str, str]:
    for key in secret.references:
        if not _FILE.fullmatch(key):
            raise TaskUnusable(
                f"secretFiles: the key {key!r} of the secret {name} can't be the name of a file."
            )
    return secret.references


def _registry(name: str, secret: TaskSecret) -> str:
    """The ARN of a secret that ECS takes for a registry's credentials."""
    if not secret.arn:
        raise TaskUnusable(
            f"imagePullSecrets: ECS takes a registry's credentials from Secrets Manager alone, so {name} "
            "can't be used with SecretStore ssm."
        )
    if not secret.values.keys() >= _CREDENTIALS:
        raise TaskUnusable(
            f"imagePullSecrets: the secret {name} has no username and password, as ECS takes a registry's "
            'credentials: {"username": "...", "password": "..."}.'
        )
    return secret.arn
