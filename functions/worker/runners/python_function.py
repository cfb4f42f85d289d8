"""Runs a Python task of `tasks/` and turns whatever becomes of it into an outcome."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome
from execution_plane.telemetry import logger
from jobs.environment import Environment, InvalidEnvironment, Secrets, environment
from jobs.model import Task
from runners.child_process import LONGEST_REPORT, ChildProcess
from runners.fields import log_meaningless
from runners.task_secrets import SecretUnusable, masked, masked_data
from runs.work import TaskCancelled, TaskContext

MEANINGFUL: Final = frozenset({"name", "function", "env", "maxPollDuration", "onError"})

WATCH_SECONDS = 10.0  # between two questions whether the run is still wanted
GRACE_SECONDS = 5.0  # between asking a task to stop and killing it
LISTEN_SECONDS = 1.0  # for what a task says, before anybody looks whether it or its time is over
MOST_PROGRESS = 100  # status.changed events of one task


def no_secrets(name: str) -> Mapping[str, str]:
    """What a deployment without secrets has."""
    raise KeyError(name)


class PythonFunctionRunner:
    """Runs tasks whose kind is `function`."""

    def __init__(self, secrets: Secrets = no_secrets, *, allow_secret_references: bool = False) -> None:
        self._secrets = secrets
        self._allow_secret_references = allow_secret_references

    def run(self, task: Task, context: TaskContext) -> Outcome:
        """Run the function until it ends, the deadline, or cancellation. Raises TaskCancelled.

        The values of the task's secrets stand in nothing that it says.
        """
        log_meaningless(task, MEANINGFUL, context)
        try:
            made = self._environment(task, context)
        except (InvalidEnvironment, SecretUnusable) as problem:
            return Outcome.errored(f"The environment of {task.function} could not be made: {problem}")
        secrets = {each.name: each.value for each in made.variables.values() if each.secret is not None}
        variables = {name: each.value for name, each in made.variables.items()}
        mask = partial(masked, secrets=secrets)
        report = context.report
        outcome = _run(
            task.function, variables, replace(context, report=lambda said: report(mask(said))), mask
        )
        return replace(outcome, message=mask(outcome.message), data=masked_data(dict(outcome.data), secrets))

    def _environment(self, task: Task, context: TaskContext) -> Environment:
        return environment(
            task,
            context.event.attributes,
            self._secrets,
            allow_secret_references=self._allow_secret_references,
        )


def _run(
    name: str, variables: Mapping[str, str], context: TaskContext, mask: Callable[[str], str]
) -> Outcome:
    child = ChildProcess.start(name, context.event.data, variables)
    try:
        ended_by = _follow(child, context)
    finally:
        child.destroy()
    if child.printed.total:
        logger.info("the task printed", task=name, bytes=child.printed.total, tail=child.printed.text(mask))
    if ended_by == "cancelled":
        raise TaskCancelled
    if child.outcome is not None:
        return child.outcome
    if child.error:
        reason = child.error
    elif ended_by == "deadline":
        reason = f"{name} was still running at its deadline and was stopped."
    elif child.overflowed:
        reason = f"{name} returned more than {LONGEST_REPORT} bytes; return less, or a link to it."
    else:
        reason = f"{name} {child.death()} without returning an outcome."
    return Outcome.errored(reason + child.printed.quoted(mask))


def _follow(child: ChildProcess, context: TaskContext) -> str:
    """Read what the child says until it ends; returns what ended it: itself, deadline or cancelled."""
    deadline = context.deadline
    reported = 0
    next_watch = Deadline.after(deadline.clock, WATCH_SECONDS)
    kill_at: Deadline | None = None
    ended_by = "itself"
    while True:
        is_alive = child.is_alive()
        for message in child.read(min(LISTEN_SECONDS, max(0.05, deadline.remaining())) if is_alive else 0):
            reported += 1
            if reported <= MOST_PROGRESS and kill_at is None:
                context.report(message)
        if not is_alive or (kill_at and kill_at.is_over()):
            return ended_by
        if kill_at:
            continue
        if deadline.is_over():
            ended_by = "deadline"
        elif next_watch.is_over():
            next_watch = Deadline.after(deadline.clock, WATCH_SECONDS)
            if not context.still_wanted():
                ended_by = "cancelled"
        if ended_by != "itself":
            child.ask_to_stop()
            kill_at = Deadline.after(deadline.clock, GRACE_SECONDS)
