"""A task's environment variables, and `$(VAR)` in its command and arguments."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from execution_plane.jsonpath import InvalidJsonPath, JsonPathError
from execution_plane.jsonpath.go_text import go_text
from jobs import compiled
from jobs.expansion import expand
from jobs.go_json import go_json
from jobs.go_yaml import go_yaml
from jobs.matching import event_root
from jobs.model import Env, SecretKey, Task

Secrets = Callable[[str], Mapping[str, str]]
"""A secret's keys and values by its name; raises KeyError with the store's name if there is none."""


class InvalidEnvironment(Exception):
    """A task's environment that can't be made; the text says which entry and why."""


@dataclass(frozen=True)
class Variable:
    """One environment variable, and the key of the secret that it comes from, if it does."""

    name: str
    value: str
    secret: SecretKey | None = None


@dataclass(frozen=True)
class Environment:
    """A task's variables by name, in the order in which they were defined."""

    variables: Mapping[str, Variable]
    allow_secret_references: bool

    def expand(self, text: str) -> str:
        """Expand `$(VAR)` in a word of the command or arguments; raises InvalidEnvironment for a secret's."""
        return _expanded(text, self.variables, self.allow_secret_references, "the command or its arguments")


def environment(
    task: Task, event: Mapping[str, object], secrets: Secrets, *, allow_secret_references: bool
) -> Environment:
    """The variables of `task` for a triggered event.

    They are the task's own in file order, then KEPTN_PROJECT, KEPTN_STAGE and KEPTN_SERVICE, then LABELS_*;
    of several with one name the last one counts. Values other than secrets' are expanded with the variables
    defined before them. `secrets` is asked once for each secret. Raises InvalidEnvironment.
    """
    variables: dict[str, Variable] = {}
    for variable in _unexpanded(task, event_root(event), cache(secrets)):
        if variable.secret is None:
            where = f"the variable {variable.name}"
            value = _expanded(variable.value, variables, allow_secret_references, where)
            variable = Variable(variable.name, value)
        _check(variable)
        variables[variable.name] = variable
    return Environment(variables, allow_secret_references)


def render(value: object, rendering: str) -> str:
    """A value as a variable's text: as `json` or `yaml`, in any case, else as Go's `%v` but maps as JSON."""
    match rendering.lower():
        case "json":
            return go_json(value)
        case "yaml":
            return go_yaml(value)
        case _:
            return go_json(value) if isinstance(value, dict) else go_text(value)


def _unexpanded(task: Task, root: Mapping[str, object], secrets: Secrets) -> Iterator[Variable]:
    for env in task.env:
        match env.value_from:
            case "event":
                yield Variable(env.name, _from_event(env, root))
            case "string":
                yield Variable(env.name, env.value)
            case "secret":
                yield from _from_secret(env, secrets)
            case "secretKey":
                yield _from_secret_key(env, secrets)
    data = root["data"]
    attributes = data if isinstance(data, dict) else {}
    for name in ("project", "stage", "service"):
        yield Variable(f"KEPTN_{name.upper()}", _text(attributes.get(name)))
    labels = attributes.get("labels")
    if isinstance(labels, dict):
        for key, label in labels.items():
            if isinstance(label, str):
                yield Variable(
                    "LABELS_" + _text(key).replace("-", "_").replace(" ", "_").upper(), _text(label)
                )


def _from_event(env: Env, root: Mapping[str, object]) -> str:
    try:
        text = render(compiled.path(env.value).evaluate(root), env.rendering)
    except (InvalidJsonPath, JsonPathError) as error:
        reason = str(error)
    except RecursionError:
        reason = "the value is nested too deeply"
    else:
        return text.encode(errors="replace").decode()
    raise InvalidEnvironment(
        f"could not add env with name '{env.name}', value '{env.value}', valueFrom 'event': {reason}"
    )


def _from_secret(env: Env, secrets: Secrets) -> Iterator[Variable]:
    for key, value in _content(env, env.name, secrets).items():
        yield Variable(key, value, SecretKey(env.name, key))


def _from_secret_key(env: Env, secrets: Secrets) -> Variable:
    wanted = SecretKey.parse(env.value)
    if wanted is None:
        raise InvalidEnvironment(f"could not add env with name {env.name}: {env.value!r} is not SECRET/KEY")
    content = _content(env, wanted.secret, secrets)
    if wanted.key not in content:
        raise InvalidEnvironment(
            f"could not add env with name {env.name}, valueFrom secretKey: "
            f'the secret "{wanted.secret}" has no key "{wanted.key}"'
        )
    return Variable(env.name, content[wanted.key], wanted)


def _content(env: Env, secret: str, secrets: Secrets) -> Mapping[str, str]:
    try:
        return secrets(secret)
    except KeyError as missing:
        raise InvalidEnvironment(
            f"could not add env with name {env.name}, valueFrom {env.value_from}: "
            f'secrets "{missing.args[0]}" not found'
        ) from None


def _text(value: object) -> str:
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _check(variable: Variable) -> None:
    """No process can be given a variable of this kind."""
    if not variable.name or "=" in variable.name or "\0" in variable.name + variable.value:
        raise InvalidEnvironment(
            f"the environment variable {variable.name!r} can't be set: its name is empty or has =, "
            "or its name or value has a null character"
        )


def _expanded(text: str, variables: Mapping[str, Variable], allow_secret_references: bool, where: str) -> str:
    def value_of(name: str) -> str | None:
        variable = variables.get(name)
        if variable is None:
            return None
        if variable.secret is not None and not allow_secret_references:
            raise InvalidEnvironment(
                f"$({name}) in {where} names a variable of the secret {variable.secret.secret}: its value "
                "would stand in plain text in task definitions and logs. Let the program read the variable "
                "itself, or allow it with the parameter AllowSecretReferences"
            )
        return variable.value

    return expand(text, value_of)
