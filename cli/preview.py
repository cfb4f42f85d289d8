"""What a job config would do with an event, without doing any of it: no secret and no file is read."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tasks
from cli.ending import Unusable
from jobs.environment import Environment, InvalidEnvironment, environment
from jobs.matching import event_root, matching_actions, mismatch
from jobs.model import Action, JobConfig, Task
from runners.containers.fargate import Size, fitting, wanted
from runners.http import runner as http
from runners.state_machine import refuse_secrets
from runs.work import TaskUnusable

TASKS = Path(tasks.__file__).parent
DEFAULT_SIZE = Size(256, 512)
"""The template's ContainerCpu and ContainerMemoryMegabytes."""
LONGEST_VALUE = 200  # characters of a variable that are shown


class UnreadSecret(Mapping[str, str]):
    """Stands for a secret whose keys nobody has asked for: it has any."""

    def __getitem__(self, _: str) -> str:
        return "***"

    def __contains__(self, _: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass
class Preview:
    """Lines to read, each with how deep it is indented, and what would make a task errored."""

    lines: list[tuple[int, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, depth: int, line: str) -> None:
        """Another line."""
        self.lines.append((depth, line))


def read_event(path: Path) -> Mapping[str, Any]:
    """The triggered event in a file. Raises Unusable."""
    try:
        event = json.loads(path.read_text("utf-8-sig"))
    except OSError as problem:
        raise Unusable(f"--event {path} can't be read: {problem.strerror}.") from None
    except (ValueError, RecursionError) as problem:
        raise Unusable(f"--event {path} is no JSON: {problem}.") from None
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("type"), str)
        or not isinstance(event.get("data"), dict)
    ):
        raise Unusable(f"--event {path} is no event: it must be a JSON object with a type and data.")
    return event


def preview(config: JobConfig, event: Mapping[str, Any]) -> Preview:
    """What the actions of a job config would do with a triggered event."""
    shown = Preview()
    matching = matching_actions(config, event)
    for action in config.actions:
        name = f"action {action.index + 1}{f', {action.name}' if action.name else ''}"
        if action in matching:
            shown.add(0, f"{name}: matches{', and is silent' if action.silent else ''}")
            for task in action.tasks:
                _preview_task(task, event, shown)
        else:
            shown.add(0, f"{name}: does not match: {_why_not(action, event)}")
    if not matching:
        shown.problems.append(
            f"no action matches, so a {event['type']} is left to others, or ends as errored with "
            "AnswerUnhandledEvents=true"
        )
    return shown


def problem_with_function(name: str) -> str:
    """Why the worker has no such Python task; empty if it has."""
    path = TASKS / f"{name}.py"
    if not path.is_file():
        return f"there is no file functions/worker/tasks/{name}.py"
    try:
        names = set(_names_in(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError) as problem:
        return f"functions/worker/tasks/{name}.py can't be read as Python: {problem}"
    return "" if name in names else f"functions/worker/tasks/{name}.py defines no function {name}"


def _names_in(module: ast.Module) -> Iterator[str]:
    """What a module defines at its top, as far as that can be seen without running it."""
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                yield from (alias.asname or alias.name for alias in aliases)
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def _why_not(action: Action, event: Mapping[str, Any]) -> str:
    if not action.events:
        return "it names no event"
    root = event_root(event)
    return "; ".join(mismatch(each, root) for each in action.events)


def _preview_task(task: Task, event: Mapping[str, Any], shown: Preview) -> None:
    name = f"task {task.index + 1}{f', {task.name}' if task.name else ''}"
    shown.add(1, f"{name}: {_what(task)}")
    try:
        if not task.kind:
            raise TaskUnusable("it has no image, function, lambda, http or stateMachine")
        if task.kind != "lambda":
            made = environment(task, event, lambda _: UnreadSecret(), allow_secret_references=True)
            if task.kind == "image":
                _preview_container(task, made, shown)
            if task.kind == "stateMachine":
                refuse_secrets(task)
            _preview_environment(task, made, shown)
    except (InvalidEnvironment, TaskUnusable) as problem:
        shown.problems.append(f"{name} would end as errored: {problem}")
    shown.add(2, f"deadline: {_deadline(task)}")
    if task.on_error == "warning":
        shown.add(2, "a failure is a warning")


def _what(task: Task) -> str:
    names = {
        "image": task.image,
        "function": task.function,
        "lambda": task.lambda_name,
        "stateMachine": task.state_machine,
    }
    if task.http:
        names["http"] = f"{task.http.method or ('POST' if task.http.body else 'GET')} {task.http.url}"
    return f"{task.kind} {names.get(task.kind, '')}".rstrip() if task.kind else "does nothing"


def _preview_container(task: Task, made: Environment, shown: Preview) -> None:
    if words := [made.expand(word) for word in (*task.cmd, *task.args)]:
        shown.add(2, f"{'command' if task.cmd else 'arguments'}: {json.dumps(words, ensure_ascii=False)}")
    if task.working_dir:
        shown.add(2, f"working directory: {task.working_dir}")
    if task.files:
        shown.add(2, f"files below /keptn: {', '.join(task.files)}")
    for each in task.secret_files:
        shown.add(2, f"files of the secret {each.name} below {each.mount_path}")
    asked = wanted(task.resources, DEFAULT_SIZE)
    size = fitting(asked)
    shown.add(2, f"size: {size}{'' if size == asked else ', the next larger one that Fargate has'}")


def _preview_environment(task: Task, made: Environment, shown: Preview) -> None:
    """The variables; of secrets, only where they come from."""
    for each in made.variables.values():
        if each.secret is None:
            value = each.value if len(each.value) <= LONGEST_VALUE else each.value[:LONGEST_VALUE] + "…"
            shown.add(2, f"{each.name}={value}")
    for env in task.env:
        if env.value_from == "secret":
            shown.add(2, f"each key of the secret {env.name}")
        elif env.value_from not in ("event", "string"):
            shown.add(2, f"{env.name} from the secret {env.value}")


def _deadline(task: Task) -> str:
    if "maxPollDuration" in task.given:
        return f"{task.max_poll_duration} s"
    if task.kind == "image":
        return "as ContainerMaxPollDurationSeconds says"
    if task.kind == "http":
        return f"{http.DEFAULT_SECONDS} s"
    return "as long as the worker has (WorkerTimeoutSeconds)"
