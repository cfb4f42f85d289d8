"""The child process in which a Python task runs: `python -m runners.task_process NAME REPORT_FD`.

It reads the event's data as JSON from standard input and writes one JSON object a line to the report pipe:
`{"progress": message}` any number of times, then `{"outcome": {…}}` or `{"error": message}`.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO, get_args

from execution_plane.keptn.events import Result
from tasks import TaskOutcome


class TaskStopped(BaseException):
    """The task is to end now; raised in it where it stands, so that it may clean up."""


class UnusableTask(Exception):
    """There is no such task, or it returned something that is no outcome."""


class _Pipe:
    """The report pipe; is the task's `Progress`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def report(self, message: str) -> None:
        self.write({"progress": str(message)})

    def write(self, report: dict[str, Any]) -> None:
        self._stream.write(json.dumps(report) + "\n")
        self._stream.flush()


def main(name: str, report_fd: int) -> int:
    """Run one task; the process's exit code."""
    signal.signal(signal.SIGTERM, _stop)
    with os.fdopen(report_fd, "w", encoding="utf-8") as stream:
        pipe = _Pipe(stream)
        try:
            outcome = _outcome(name, load(name)(json.load(sys.stdin), pipe))
            pipe.write({"outcome": vars(outcome)})
        except UnusableTask as problem:
            pipe.write({"error": str(problem)})
        except Exception as problem:
            traceback.print_exc()
            pipe.write({"error": f"{name} raised {type(problem).__name__}: {problem} ({_place(problem)})"})
        except TaskStopped:
            return 1
    return 0


def load(name: str) -> Callable[[Any, _Pipe], object]:
    """The task's function. Raises UnusableTask if there is none of that name."""
    try:
        module = importlib.import_module(f"tasks.{name}")
    except ModuleNotFoundError as problem:
        if problem.name != f"tasks.{name}":
            raise
        raise UnusableTask(
            f"There is no Python task {name}: expected functions/worker/tasks/{name}.py."
        ) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise UnusableTask(f"tasks/{name}.py defines no function {name}(data, progress).")
    return function  # type: ignore[no-any-return]


def _outcome(name: str, returned: object) -> TaskOutcome:
    """Check what a task returned: a TaskOutcome, or nothing, which is a pass."""
    if returned is None:
        return TaskOutcome()
    if not isinstance(returned, TaskOutcome):
        raise UnusableTask(f"{name} returned {_kind(returned)}; expected a TaskOutcome.")
    if returned.result not in get_args(Result):
        raise UnusableTask(f"{name} returned the result {returned.result!r}; expected pass, warning or fail.")
    if not isinstance(returned.message, str) or not isinstance(returned.data, dict):
        raise UnusableTask(f"{name} returned an outcome whose message is no text or whose data is no dict.")
    try:
        json.dumps(returned.data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise UnusableTask(f"{name} returned data that is not JSON: {problem}.") from None
    return returned


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _place(problem: Exception) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise TaskStopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
