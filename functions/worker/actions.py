"""Doing the actions of a job config for one event, and what they come to together.

One started and one finished an event, whatever the number of actions: every matching action runs, in file
order; a failed
task ends its action; the outcome is the worst of all, and its message tells of every task that ran.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from execution_plane.clock import Clock
from execution_plane.events import Outcome, Result
from jobs.model import Action, Task
from work import Performance

WORST_FIRST: tuple[Result, ...] = ("fail", "warning", "pass")


class TaskRunner(Protocol):
    """A way to execute one task."""

    def run(self, task: Task, performance: Performance) -> Outcome:
        """Run the task to its end. Raises TaskCancelled."""
        ...


@dataclass(frozen=True)
class Done:
    """A task that ran, and what it came to."""

    task: Task
    outcome: Outcome


class ActionPerformer:
    """Runs the tasks of actions, one after the other."""

    def __init__(self, runners: Mapping[str, TaskRunner], clock: Clock) -> None:
        self._runners = runners
        self._clock = clock

    def perform(self, actions: Sequence[Action], performance: Performance) -> Outcome:
        """Run all actions.

        The outcome is the worst of the actions that are not silent. Raises TaskCancelled.
        """
        begun = self._now()
        total = sum(len(action.tasks) for action in actions)
        done: list[Done] = []
        number = 0
        for action in actions:
            for position, task in enumerate(action.tasks, start=1):
                performance.report(f"Task {number + position} of {total}: {task.name or _what(task)}")
                outcome = self._run(task, performance)
                if not action.silent:
                    done.append(Done(task, outcome))
                if outcome.result == "fail":
                    break
            number += len(action.tasks)
        together = combine(done)
        if performance.event.ref.task == "test" and together.result != "fail":
            # As the job executor does, for the evaluation that follows a test.
            together = replace(together, data={"start": begun, "end": self._now(), **together.data})
        return together

    def _run(self, task: Task, performance: Performance) -> Outcome:
        """Run one task by itself; a failure that the task forgives becomes a warning."""
        runner = self._runners.get(task.kind or "")
        if runner is None:
            outcome = Outcome.errored(f"This plane can't run {_what(task)}.")
        else:
            limit = performance.deadline
            if "maxPollDuration" in task.given:
                limit = limit.no_later_than(task.max_poll_duration)
            outcome = runner.run(task, replace(performance, deadline=limit))
        if outcome.result == "fail" and task.on_error == "warning":
            return replace(outcome, result="warning", status="succeeded")
        return outcome

    def _now(self) -> str:
        return (
            datetime.fromtimestamp(self._clock.now(), UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )


def combine(done: Sequence[Done]) -> Outcome:
    """The worst result and status, all messages, and all data (a later task's wins where two name the
    same).
    """
    results = {each.outcome.result for each in done}
    data: dict[str, Any] = {}
    for each in done:
        data.update(each.outcome.data)
    return Outcome(
        result=next((result for result in WORST_FIRST if result in results), "pass"),
        status="errored" if any(each.outcome.status == "errored" for each in done) else "succeeded",
        message=_message(done),
        data=data,
    )


def _message(done: Sequence[Done]) -> str:
    """One task's own words; of several tasks, a paragraph each."""
    if len(done) == 1:
        return done[0].outcome.message
    return "\n\n".join(
        f"Task '{each.task.name}': {each.outcome.result}\n{each.outcome.message}".rstrip() for each in done
    )


def _what(task: Task) -> str:
    """What a task without a name is called."""
    name = task.image or task.function or task.lambda_name
    return f"{task.kind} {name}" if name else "a task that has no image, function or lambda"
