"""What a task's container gets of secrets, by reference: no value goes through the worker to it."""

import hashlib
import json
from collections.abc import Iterator, Mapping

from jobs.environment import Environment
from jobs.model import SecretKey, Task
from runners.task_secrets import TaskSecret


def references(made: Environment, secrets: Mapping[str, TaskSecret]) -> Mapping[str, str]:
    """By variable, where ECS finds the values of those that come from secrets."""
    return {
        name: secrets[each.secret.secret].references[each.secret.key]
        for name, each in made.variables.items()
        if each.secret is not None
    }


def versions(secrets: Mapping[str, TaskSecret]) -> str:
    """The same for the same versions of the same secrets; empty for none."""
    by_name = {name: each.version for name, each in secrets.items()}
    text = json.dumps(by_name, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32] if secrets else ""


def named_by(task: Task) -> frozenset[str]:
    """The secrets of which the task's container gets something."""
    return frozenset(key.secret for key in _keys(task))


def given_to(task: Task, secrets: Mapping[str, TaskSecret]) -> Mapping[str, str]:
    """What the task's container gets of its secrets: the values, by names that say nothing."""
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
