"""What the tasks of several actions come to together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from execution_plane.clock import Deadline
from execution_plane.keptn.events import LONGEST_TEXT, EventRef, Outcome, TriggeredEvent
from execution_plane.ledger.runs import TaskDone
from jobs.model import Action, Amounts, Env, HttpCall, Resources, Task
from runs.actions import ActionPerformer, combine, digest_of
from runs.work import TaskCancelled, TaskContext
from tests.support.clock import SimulatedClock
from tests.unit.runners.task_contexts import Kept

CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
PASS = Outcome("pass", "succeeded", "fine", {"a": 1})
WARNING = Outcome("warning", "succeeded", "so so", {"b": 2})
FAIL = Outcome("fail", "succeeded", "no good")
ERRORED = Outcome.errored("broken")


@dataclass
class Scripted:
    """A runner that gives the outcomes it was given, by the task's name."""

    outcomes: dict[str, Outcome]
    says: str = ""
    ran: list[str] = field(default_factory=list)
    remaining: list[float] = field(default_factory=list)
    on_run: Callable[[], None] = lambda: None

    def run(self, task: Task, context: TaskContext) -> Outcome:
        self.ran.append(task.name)
        self.remaining.append(context.deadline.remaining())
        self.on_run()
        if self.says:
            context.report(self.says)
        return self.outcomes[task.name]


@dataclass
class Stage:
    """A performer with one runner, and what it reported."""

    outcomes: dict[str, Outcome]
    task: str = "sayhello"
    says: str = ""
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    reported: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = Scripted(self.outcomes, self.says)

    def perform(self, *actions: Action) -> Outcome:
        ref = EventRef("event", f"sh.keptn.event.{self.task}.triggered", CONTEXT, "p", "s", "v")
        context = TaskContext(
            event=TriggeredEvent(ref, {"data": {}}),
            source="plane",
            began=self.clock.now(),
            report=self.reported.append,
            still_wanted=lambda: True,
            lease=Kept(),
            deadline=Deadline.after(self.clock, 600),
        )
        outcome = ActionPerformer({"function": self.runner}, self.clock).perform(actions, context, None)
        assert isinstance(outcome, Outcome)
        return outcome


def action(*names: str, silent: bool = False) -> Action:
    return Action(0, "action", tasks=tuple(function(name) for name in names), silent=silent)


def function(name: str) -> Task:
    return Task(0, name=name, function=name)


@pytest.mark.parametrize(
    ("outcomes", "result", "status"),
    [
        ([], "pass", "succeeded"),
        ([PASS], "pass", "succeeded"),
        ([PASS, WARNING], "warning", "succeeded"),
        ([WARNING, FAIL, PASS], "fail", "succeeded"),
        ([PASS, ERRORED], "fail", "errored"),
        ([ERRORED, FAIL], "fail", "errored"),
    ],
)
def test_the_worst_outcome_wins(outcomes: Sequence[Outcome], result: str, status: str) -> None:
    together = combine([TaskDone("task", outcome) for outcome in outcomes])

    assert (together.result, together.status) == (result, status)


def test_one_tasks_message_is_its_own_and_several_have_a_paragraph_each() -> None:
    assert combine([TaskDone("one", PASS)]).message == "fine"
    assert combine([TaskDone("one", PASS), TaskDone("two", Outcome("fail", "succeeded"))]).message == (
        "Task 'one': pass\nfine\n\nTask 'two': fail"
    )


def test_a_long_message_leaves_room_to_the_others() -> None:
    long = Outcome("fail", "errored", "why it failed\n" + "é" * LONGEST_TEXT + "the end")

    message = combine([TaskDone("one", long), TaskDone("two", PASS), TaskDone("three", long)]).message

    assert LONGEST_TEXT - 1000 < len(message.encode()) <= LONGEST_TEXT
    assert message.startswith("Task 'one': fail\nwhy it failed\n(")
    assert "the end\n\nTask 'two': pass\nfine\n\nTask 'three': fail\nwhy it failed\n(" in message


def test_all_data_is_kept_and_the_later_tasks_wins() -> None:
    later = replace(WARNING, data={"a": 3, "c": 4})

    assert combine([TaskDone("one", PASS), TaskDone("two", later)]).data == {"a": 3, "c": 4}


def test_a_failed_task_ends_its_action_and_not_the_next() -> None:
    stage = Stage({"one": FAIL, "two": PASS, "three": PASS})

    outcome = stage.perform(action("one", "two"), action("three"))

    assert stage.runner.ran == ["one", "three"]
    assert outcome.result == "fail"
    assert "two" not in outcome.message


@pytest.mark.parametrize("outcome", [PASS, WARNING])
def test_what_is_no_failure_does_not_end_an_action(outcome: Outcome) -> None:
    stage = Stage({"one": outcome, "two": PASS})

    stage.perform(action("one", "two"))

    assert stage.runner.ran == ["one", "two"]


def test_progress_counts_all_tasks_of_all_actions() -> None:
    stage = Stage({"one": FAIL, "two": PASS, "three": PASS})

    stage.perform(action("one", "two"), action("three"))

    assert stage.reported == ["Task 1 of 3: one", "Task 3 of 3: three"]


def test_a_silent_actions_tasks_are_not_reported_and_not_counted() -> None:
    stage = Stage({"quiet": PASS, "one": PASS, "two": PASS}, says="at work")

    stage.perform(action("quiet", silent=True), action("one", "two"))

    assert stage.runner.ran == ["quiet", "one", "two"]
    assert stage.reported == ["Task 1 of 2: one", "at work", "Task 2 of 2: two", "at work"]


def test_a_task_without_a_name_is_called_by_what_it_runs() -> None:
    stage = Stage({"": PASS})

    stage.perform(Action(0, tasks=(Task(0, function="say_hello"),)))

    assert stage.reported == ["Task 1 of 1: function say_hello"]


@pytest.mark.parametrize("failure", [FAIL, ERRORED])
def test_a_failure_that_the_task_forgives_is_a_warning_and_the_action_goes_on(failure: Outcome) -> None:
    stage = Stage({"one": failure, "two": PASS})
    forgiving = replace(function("one"), on_error="warning")

    outcome = stage.perform(Action(0, tasks=(forgiving, function("two"))))

    assert stage.runner.ran == ["one", "two"]
    assert (outcome.result, outcome.status) == ("warning", "succeeded")
    assert failure.message in outcome.message


def test_a_silent_actions_tasks_run_and_count_for_nothing() -> None:
    stage = Stage({"quiet": ERRORED, "loud": PASS})

    outcome = stage.perform(action("quiet", silent=True), action("loud"))

    assert stage.runner.ran == ["quiet", "loud"]
    assert outcome == PASS


def test_how_a_silent_actions_task_ended_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Stage({"quiet": ERRORED, "loud": PASS}).perform(action("quiet", silent=True), action("loud"))

    (line,) = [vars(record) for record in caplog.records if "silent" in record.message]
    assert (line["task"], line["result"], line["reason"]) == ("quiet", "fail", "broken")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task(0, name="x", image="alpine"), "image alpine"),
        (Task(0, name="x", lambda_name="other"), "lambda other"),
        (Task(0, name="x", http=HttpCall("https://a.example.com")), "http https://a.example.com"),
        (Task(0, name="x"), "no image, function, lambda, http or stateMachine"),
    ],
)
def test_a_task_of_a_kind_that_this_plane_can_not_run_is_errored(task: Task, words: str) -> None:
    outcome = Stage({}).perform(Action(0, tasks=(task,)))

    assert (outcome.result, outcome.status) == ("fail", "errored")
    assert words in outcome.message


def test_a_task_has_the_time_it_asks_for_and_no_more_than_there_is() -> None:
    stage = Stage({"short": PASS, "long": PASS, "any": PASS})
    short = replace(function("short"), max_poll_duration=5, given=frozenset({"maxPollDuration"}))
    long = replace(short, name="long", max_poll_duration=5000)

    stage.perform(Action(0, tasks=(short, long, function("any"))))

    assert stage.runner.remaining == [5, 600, 600]


def test_a_test_task_says_when_it_began_and_ended() -> None:
    stage = Stage({"one": PASS}, task="test")
    stage.runner.on_run = lambda: stage.clock.advance(61.5)

    outcome = stage.perform(action("one"))

    assert outcome.data == {"start": "2026-09-21T14:13:20.000Z", "end": "2026-09-21T14:14:21.500Z", "a": 1}


def test_a_test_task_that_says_so_itself_is_believed() -> None:
    stage = Stage({"one": replace(PASS, data={"start": "then"})}, task="test")

    assert stage.perform(action("one")).data["start"] == "then"


def test_a_failed_test_has_no_times() -> None:
    assert Stage({"one": FAIL}, task="test").perform(action("one")).data == {}


def test_a_cancelled_task_ends_everything() -> None:
    stage = Stage({"one": PASS, "two": PASS})

    def cancel() -> None:
        raise TaskCancelled

    stage.runner.on_run = cancel

    with pytest.raises(TaskCancelled):
        stage.perform(action("one"), action("two"))
    assert stage.runner.ran == ["one"]


@dataclass(frozen=True)
class LaterTask(Task):
    """A task in the model of a later version, which has two more fields."""

    later: str = ""
    still_later: Mapping[str, str] = field(default_factory=dict)


def test_a_field_that_another_version_adds_changes_only_the_actions_that_use_it() -> None:
    now, later = (Action(0, tasks=(kind(0, name="x", image="alpine"),)) for kind in (Task, LaterTask))
    used = Action(0, tasks=(LaterTask(0, name="x", image="alpine", later="used"),))

    assert digest_of([later]) == digest_of([now])
    assert digest_of([used]) != digest_of([now])


@pytest.mark.parametrize(
    "other",
    [
        Task(0, name="x", image="alpine", given=frozenset({"image", "files"})),
        Task(0, name="x", image="alpine", args=("a",)),
        Task(0, name="x", image="alpine", annotations={"a": "b"}),
        Task(0, name="x", image="alpine", resources=Resources(Amounts(cpu=Decimal("0.5")))),
        Task(0, name="x", image="alpine", env=(Env("A", "1", "string"),)),
    ],
)
def test_a_changed_task_changes_its_actions(other: Task) -> None:
    assert digest_of([Action(0, tasks=(other,))]) != digest_of([Action(0, tasks=(Task(0, "x", "alpine"),))])
