"""Doing the actions of a job config for one event, and what they come to together.

One started and one finished an event, whatever the number of actions: every matching action runs, in file
order; a failed task ends its action; the outcome is the worst of all, and its message tells of every task
that ran. A task that another service does ends the invocation, and another one goes on behind it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from execution_plane.clock import Clock
from execution_plane.keptn.events import LONGEST_TEXT, Outcome, Result, cut
from execution_plane.ledger.runs import RemoteStep, TaskDone
from execution_plane.ledger.table import LedgerUnavailable, LostRace
from execution_plane.steps import StepEnd
from execution_plane.telemetry import logger
from jobs.model import Action, Task
from runs.work import Pending, Prepared, Resumption, TaskCancelled, TaskContext, TaskUnusable

WORST_FIRST: tuple[Result, ...] = ("fail", "warning", "pass")
TOKEN_LENGTH = 32  # of the 64 that ECS takes, and the 80 of Step Functions
MOST_KEPT = 3 * LONGEST_TEXT  # bytes of the outcomes in a run's item, of which DynamoDB allows 400 KiB
SHORTEST_KEPT = 256  # bytes of a message
LONGEST_LOGGED = 4096  # bytes of a message
NO_KIND = "a task that has no image, function, lambda, http or stateMachine"
NOTICES = 256  # bytes that are left for what is added to a message


class TaskRunner(Protocol):
    """A way to execute one task in the worker."""

    def run(self, task: Task, context: TaskContext) -> Outcome:
        """Run the task to its end. Raises TaskCancelled, TaskUnusable."""
        ...


class StepRunner(Protocol):
    """A way to have one task done by another service, for which the worker does not wait."""

    kind: str
    """Of its steps."""
    max_poll_duration: int
    """Seconds that a step has whose task does not say."""

    def target(self, task: Task) -> str:
        """Where the service has the task's step, or by what."""
        ...

    def prepare(self, task: Task, token: str, context: TaskContext) -> Prepared:
        """Make a step ready, without starting it. May be done again. Raises TaskUnusable."""
        ...

    def collect(self, task: Task, step: RemoteStep, end: StepEnd) -> Outcome:
        """What a step that has ended came to. May be done again."""
        ...


@dataclass(frozen=True)
class ActionPerformer:
    """Runs the tasks of actions, one after the other."""

    runners: Mapping[str, TaskRunner]
    clock: Clock
    elsewhere: Mapping[str, StepRunner] = field(default_factory=dict)
    """For tasks that another service does; both are by the tasks' kind."""

    def perform(
        self, actions: Sequence[Action], context: TaskContext, resumption: Resumption | None
    ) -> Outcome | Pending:
        """Run all tasks that are left, up to the next that another service does.

        The outcome is the worst of the actions that are not silent. Raises TaskCancelled, LostRace.
        """
        digest = digest_of(actions)
        if resumption and resumption.step.digest != digest:
            return broken_off(
                f"The job config was changed while this task's {resumption.step.kind} ran.", resumption
            )
        done = list(resumption.earlier) if resumption else []
        places = [
            (number, position)
            for number, action in enumerate(actions)
            for position in range(len(action.tasks))
        ]
        heard = [place for place in places if not actions[place[0]].silent]
        index = places.index((resumption.step.action, resumption.step.task)) if resumption else 0
        while index < len(places):
            number, position = places[index]
            action, task = actions[number], actions[number].tasks[position]
            part = replace(context, report=_unheard) if action.silent else context
            if resumption is None and not action.silent:
                which = f"{heard.index(places[index]) + 1} of {len(heard)}"
                context.report(f"Task {which}: {task.name or _what(task)}")
            outcome = self._do(task, places[index], digest, tuple(done), part, resumption)
            if isinstance(outcome, Pending):
                return outcome
            resumption = None
            if action.silent:
                _log_silent(task, outcome, context)
            else:
                done = [*_kept([*done, TaskDone(task.name, outcome)])]
            index += len(action.tasks) - position if outcome.result == "fail" else 1
        return self._together(done, context)

    def _do(
        self,
        task: Task,
        place: tuple[int, int],
        digest: str,
        done: tuple[TaskDone, ...],
        context: TaskContext,
        resumption: Resumption | None,
    ) -> Outcome | Pending:
        """Run one task by itself; a failure that the task forgives becomes a warning."""
        try:
            runner = self.elsewhere.get(task.kind or "")
            if runner and resumption and resumption.end:
                outcome = runner.collect(task, resumption.step, resumption.end)
            elif runner:
                step = resumption.step if resumption else self._step(runner, task, place, digest, context)
                prepared = runner.prepare(task, step.token, context)
                return Pending(replace(step, secrets=prepared.secrets), done, prepared.submit)
            else:
                outcome = self._run(task, done, context)
        except TaskUnusable as problem:
            outcome = Outcome.errored(str(problem))
        except (TaskCancelled, LostRace, LedgerUnavailable):
            raise
        except Exception as problem:
            logger.exception("a task can't be run", event_id=context.event.ref.id, task=task.name)
            outcome = Outcome.errored(f"The task could not be run: {type(problem).__name__}: {problem}")
        if outcome.result == "fail" and task.on_error == "warning":
            return replace(outcome, result="warning", status="succeeded")
        return outcome

    def _run(self, task: Task, done: tuple[TaskDone, ...], context: TaskContext) -> Outcome:
        runner = self.runners.get(task.kind or "")
        if runner is None:
            raise TaskUnusable(_unsupported(task))
        limit = context.deadline.no_later_than(context.lease.begin(done))
        if "maxPollDuration" in task.given:
            limit = limit.no_later_than(task.max_poll_duration)
        return runner.run(task, replace(context, deadline=limit))

    def _step(
        self, runner: StepRunner, task: Task, place: tuple[int, int], digest: str, context: TaskContext
    ) -> RemoteStep:
        """A step's place in the run. Raises TaskUnusable for one that would have no time."""
        given = "maxPollDuration" in task.given
        seconds = task.max_poll_duration if given else runner.max_poll_duration
        if seconds <= 0:
            raise TaskUnusable(f"maxPollDuration is {seconds}, so the task's time was over before it began.")
        number, position = place
        now = self.clock.now()
        key = json.dumps([context.source, context.event.ref.id, number, position])
        return RemoteStep(
            action=number,
            task=position,
            token=hashlib.sha256(key.encode()).hexdigest()[:TOKEN_LENGTH],
            target=runner.target(task),
            digest=digest,
            since=now,
            deadline=now + seconds,
            kind=runner.kind,
        )

    def _together(self, done: Sequence[TaskDone], context: TaskContext) -> Outcome:
        together = combine(done)
        if context.event.ref.task == "test" and together.result != "fail":
            # As the job executor does, for the evaluation that follows a test.
            times = {"start": _moment(context.began), "end": _moment(self.clock.now())}
            return replace(together, data={**times, **together.data})
        return together


def _log_silent(task: Task, outcome: Outcome, context: TaskContext) -> None:
    """The log is all that hears of a silent action's task."""
    log = logger.info if outcome.result == "pass" else logger.warning
    log(
        "a silent action's task ended",
        event_id=context.event.ref.id,
        task=task.name,
        result=outcome.result,
        reason=cut(outcome.message, LONGEST_LOGGED),
    )


def combine(done: Sequence[TaskDone]) -> Outcome:
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


def broken_off(reason: str, resumption: Resumption | None) -> Outcome:
    """What work came to that can't go on, with what was done of it.

    Which task the step did is not known for certain, nor so its secrets: nothing that it wrote is shown.
    """
    if resumption is None:
        return Outcome.errored(reason)
    step, end = resumption.step, resumption.end
    if end is None or not end.handle:
        ended = f"Its {step.kind} was not started."
    else:
        ended = f"Its {step.kind} ended: {end}; {end.where}, and what follows it was not done."
    name = f"{step.task + 1} of action {step.action + 1}"
    return combine([*resumption.earlier, TaskDone(name, Outcome.errored(f"{reason} {ended}"))])


def _message(done: Sequence[TaskDone]) -> str:
    """One task's own words; of several tasks, a paragraph each, of which a long one leaves room to others."""
    if len(done) == 1:
        return done[0].outcome.message
    heads = [f"Task '{each.name}': {each.outcome.result}" for each in done]
    room = LONGEST_TEXT - NOTICES - sum(len(head.encode()) + len("\n\n\n") for head in heads)
    shares = _shares([len(each.outcome.message.encode("utf-8", "replace")) for each in done], room)
    return "\n\n".join(
        f"{head}\n{cut(each.outcome.message, max(share, SHORTEST_KEPT))}".rstrip()
        for head, each, share in zip(heads, done, shares, strict=True)
    )


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """How much of the room each may have, so that nothing is cut that takes no more than its even part."""
    shares = [0] * len(sizes)
    smallest_first = sorted(range(len(sizes)), key=sizes.__getitem__)
    for position, index in enumerate(smallest_first):
        shares[index] = min(sizes[index], room // (len(sizes) - position))
        room -= shares[index]
    return shares


def _kept(done: Sequence[TaskDone]) -> tuple[TaskDone, ...]:
    """As much of the outcomes as a finished event could carry; the latest first, as it keeps the end."""
    kept: list[TaskDone] = []
    room = MOST_KEPT
    for each in reversed(done):
        message = cut(each.outcome.message, min(LONGEST_TEXT, max(room, SHORTEST_KEPT)))
        data, size = each.outcome.data, len(json.dumps(each.outcome.data))
        if size > min(LONGEST_TEXT, room):
            message, data, size = f"{message}\n({size} bytes of data are left out)".lstrip(), {}, 0
        room -= len(message.encode()) + size
        kept.append(TaskDone(each.name, replace(each.outcome, message=message, data=data)))
    return tuple(reversed(kept))


def _unheard(_: str) -> None:
    """Where a silent action's tasks report to."""


def digest_of(actions: Sequence[Action]) -> str:
    """The same for the same actions, whatever else was changed in the job config around them.

    It outlives a deployment too: a field that another version of the model has counts only where it is used.
    """
    text = json.dumps([_used(replace(action, index=0)) for action in actions], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:TOKEN_LENGTH]


def _used(value: object) -> object:
    """A value of the model as JSON, without the fields that have their defaults."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_used(each) for each in value]
    if is_dataclass(value):
        named = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: _used(has) for each, has in named if has != _default_of(each)}
    return value


def _default_of(model_field: Field[Any]) -> object:
    made = model_field.default_factory
    return model_field.default if made is MISSING else made()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _what(task: Task) -> str:
    """What a task without a name is called."""
    name = (
        task.image or task.function or task.lambda_name or task.state_machine or (task.http and task.http.url)
    )
    return (
        f"{task.kind} {name}" if name else "a task that has no image, function, lambda, http or stateMachine"
    )


def _unsupported(task: Task) -> str:
    if task.kind == "image":
        return (
            f"This plane runs no containers, so it can't run {_what(task)}: set the template's parameter "
            "Containers to enabled."
        )
    return f"This plane can't run {_what(task)}."
