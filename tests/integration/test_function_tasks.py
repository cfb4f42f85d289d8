"""Job configs with Python functions, each from its trigger to Keptn's count of replies, in real processes."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.events import LONGEST_TEXT, Outcome
from execution_plane.ledger.runs import State
from jobs.model import Rules, Task
from runners.python_function import PythonFunctionRunner
from runs.actions import ActionPerformer
from runs.work import TaskContext
from runs.work_finder import JobConfigWorkFinder
from tests.support.job_configs import lookup, write_job_config
from tests.support.tasks import look_often, task_folder
from tests.support.world import SAYHELLO, Plane, World

ACTION = "{{name: {0}, events: [{{name: sayhello}}], tasks: [{1}]{2}}}"
BODIES = {
    "greet": "return TaskOutcome('pass', 'hello', {'greeted': data['sayhello']['location']})",
    "check": "progress.report('checking')\nreturn TaskOutcome('warning', 'so so')",
    "fail": "print('no compiler')\nraise ValueError('broken')",
    "bulk": "return TaskOutcome('pass', 'measured', {'rows': ['x' * 100] * 600})",
    "heap": "return TaskOutcome('pass', 'weighed', {'heap': ['x' * 100] * 300})",
    "hang": "time.sleep(60)\npathlib.Path(__file__).with_name('woke').touch()",
    "flood": "for _ in range(10_240):\n    print('x' * 1023)\nprint('the last line')\nraise ValueError",
    "babble": "sys.stdout.buffer.write(bytes(range(256)))\nsys.stdout.flush()\nraise ValueError('no text')",
}


@dataclass
class InRealTime:
    """The real runner; its child processes live in real time, not in the world's."""

    on_run: Callable[[], None] = lambda: None

    def run(self, task: Task, context: TaskContext) -> Outcome:
        self.on_run()
        real = Deadline.after(SystemClock(), context.deadline.remaining())
        return PythonFunctionRunner().run(task, replace(context, deadline=real))


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InRealTime:
    """Runs functions of a package `tasks` of the test's own, before the deployed one on the path."""
    package = task_folder(tmp_path)
    for name, body in BODIES.items():
        head = "import pathlib, sys, time\nfrom tasks import TaskOutcome\n\n\n"
        text = f"{head}def {name}(data, progress):\n{textwrap.indent(body, '    ')}\n"
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    look_often(monkeypatch)
    return InRealTime()


def action(name: str, *tasks: str, silent: bool = False) -> str:
    named = (f"{{name: {task}, function: {task}}}" if task.isalpha() else task for task in tasks)
    return ACTION.format(name, ", ".join(named), ", silent: true" if silent else "")


def serve(plane: Plane, world: World, runner: InRealTime, *actions: str) -> str:
    """Let the plane serve an event by a job config of these actions; gives the event's id."""
    performer = ActionPerformer({"function": runner}, world.clock)
    plane.work_finder = JobConfigWorkFinder(lookup(world), performer, Rules())
    write_job_config(plane, f"apiVersion: v2\nactions: [{', '.join(actions)}]")
    task = world.trigger("APAC")
    world.cycles(2)
    return task


def finished(world: World) -> dict[str, Any]:
    (event,) = [each for each in world.keptn.received if each["type"].endswith(".finished")]
    data: dict[str, Any] = event["data"]
    return data


GREET, CHECK, FAIL = action("Greet", "greet"), action("Check", "check"), action("Fail", "fail")
HANG = action("Hang", "{name: hang, function: hang, maxPollDuration: 1}")


@pytest.mark.parametrize(
    ("actions", "result", "status", "words"),
    [
        ([GREET, CHECK], "warning", "succeeded", ["Task 'greet': pass\nhello", "Task 'check': warning"]),
        ([action("All", "greet", "check", "greet")], "warning", "succeeded", ["so so\n\nTask 'greet': pass"]),
        ([FAIL], "fail", "errored", ["ValueError: broken", "no compiler"]),
        ([FAIL, GREET], "fail", "errored", ["Task 'fail': fail", "Task 'greet': pass"]),
        ([HANG], "fail", "errored", ["was still running at its deadline and was stopped"]),
        ([action("Quiet", "fail", silent=True), GREET], "pass", "succeeded", ["hello"]),
        ([action("Flood", "flood")], "fail", "errored", ["ValueError", "the last line"]),
        ([action("Bulk", "bulk")], "pass", "succeeded", ["measured", "left out"]),
        ([action("Bulk", "bulk", "greet")], "pass", "succeeded", ["measured", "left out"]),
        ([action("Bulk", "bulk"), action("Heap", "heap")], "pass", "succeeded", ["measured", "left out"]),
        ([action("Babble", "babble")], "fail", "errored", ["ValueError: no text"]),
    ],
    ids=[
        "two actions",
        "three tasks",
        "failing",
        "first fails",
        "timing out",
        "silent",
        "10 MB",
        "much data",
        "much of one",
        "of both",
        "no UTF-8",
    ],
)
def test_a_config_is_one_started_and_one_finished(
    plane: Plane,
    world: World,
    runner: InRealTime,
    actions: list[str],
    result: str,
    status: str,
    words: list[str],
) -> None:
    task = serve(plane, world, runner, *actions)

    data = finished(world)
    assert (data["result"], data["status"]) == (result, status)
    assert [word for word in words if word not in data["message"]] == []
    assert len(data["message"].encode()) <= LONGEST_TEXT
    assert world.keptn.counts(task) == (1, 1)
    assert plane.run(task).state is State.CLOSED


def test_silent_actions_alone_are_not_heard_of_and_keptn_goes_on_by_itself(
    plane: Plane, world: World, runner: InRealTime
) -> None:
    task = serve(plane, world, runner, action("Quiet", "check", silent=True))

    assert [event for event in world.keptn.received if event["source"] == plane.source] == []
    assert world.keptn.counts(task) == (0, 0)
    world.cycles(70)
    assert world.keptn.open_events(SAYHELLO) == []
    assert plane.run(task).state is State.CLOSED


def test_a_cancelled_function_is_stopped_and_not_answered_for(
    plane: Plane, world: World, runner: InRealTime, tmp_path: Path
) -> None:
    def abort() -> None:
        (context,) = world.contexts.values()
        world.keptn.control("podtato", context, "abort")
        for _ in range(12):
            plane.cycle()
            world.clock.advance(10)

    runner.on_run = abort

    task = serve(plane, world, runner, action("Hang", "hang"), GREET)

    assert world.keptn.counts(task) == (1, 0)
    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "cancelled")
    assert not list(tmp_path.rglob("woke"))
