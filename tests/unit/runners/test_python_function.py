"""Python tasks in real child processes: whatever one does, there is an outcome, and nothing of it goes on."""

import os
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.events import EventRef, Outcome, TriggeredEvent
from jobs.model import Task
from runners.child_process import LONGEST_REPORT, TAIL, ChildProcess
from runners.python_function import MOST_PROGRESS, PythonFunctionRunner
from runs.work import TaskCancelled, TaskContext
from tests.support.tasks import look_often, task_folder
from tests.unit.runners.task_contexts import Kept

REF = EventRef(
    "event", "sh.keptn.event.sayhello.triggered", "08735340-6f9e-4b32-97ff-3b6c292bc509", "p", "s", "v"
)


class HastyClock(SystemClock):
    """The machine's own time, which a test moves ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def move_on(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Bench:
    """Writes a task, runs it, and keeps what it reported."""

    place: Path
    clock: HastyClock = field(default_factory=HastyClock)
    reported: list[str] = field(default_factory=list)
    still_wanted: Callable[[], bool] = lambda: True
    on_report: Callable[[str], None] = lambda _: None

    def write(self, body: str, name: str = "job") -> None:
        """A module `name` whose function `name(data, progress)` has this body."""
        head = "import os, signal, subprocess, sys, time\nfrom tasks import TaskOutcome\n\n"
        function = f"def {name}(data, progress):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        (self.place / f"{name}.py").write_text(head + function)

    def run(self, body: str | None = None, seconds: float = 20.0, name: str = "job", **data: Any) -> Outcome:
        """Run the task for at most so many seconds."""
        if body is not None:
            self.write(body, name)
        context = TaskContext(
            event=TriggeredEvent(REF, {"data": data}),
            source="plane",
            began=0.0,
            report=self._report,
            still_wanted=self.still_wanted,
            lease=Kept(),
            deadline=Deadline.after(self.clock, seconds),
        )
        return PythonFunctionRunner().run(Task(0, function=name), context)

    def run_out(self, body: str) -> Outcome:
        """Run a task that reports something, and then finds its time over."""
        self.on_report = lambda _: self.clock.move_on(20.0)
        return self.run(body, seconds=20.0)

    def _report(self, message: str) -> None:
        self.reported.append(message)
        self.on_report(message)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A package `tasks` of the test's own, before the deployed one on the path that a child inherits."""
    place = task_folder(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    look_often(monkeypatch)
    return Bench(place)


def test_a_task_gets_the_events_data_and_gives_an_outcome(bench: Bench) -> None:
    outcome = bench.run(
        """
        progress.report("working")
        return TaskOutcome("warning", "hello", {"big": data["big"]})
        """,
        big=2**60 + 1,
    )

    assert outcome == Outcome("warning", "succeeded", "hello", {"big": 2**60 + 1})
    assert bench.reported == ["working"]


WRITE = """
import tempfile
with tempfile.NamedTemporaryFile(delete=False) as file:
    file.write(b"of this run")
os.mkdir(tempfile.gettempdir() + "/locked", 0o500)
{end}
return TaskOutcome("pass", tempfile.gettempdir(), {{"found": os.listdir(tempfile.gettempdir())}})
"""


@pytest.mark.parametrize("end", ["", "print(tempfile.gettempdir(), flush=True); os.kill(os.getpid(), 9)"])
def test_what_a_task_writes_to_its_temporary_directory_is_gone_afterwards(bench: Bench, end: str) -> None:
    outcomes = [bench.run(WRITE.format(end=end)) for _ in range(2)]

    places = [outcome.message.splitlines()[-1] for outcome in outcomes]
    assert len(set(places)) == 2
    assert not any(Path(place).exists() for place in places)
    if not end:
        assert all(len(outcome.data["found"]) == 2 for outcome in outcomes)


def test_a_task_may_have_another_temporary_directory_by_its_environment(bench: Bench, tmp_path: Path) -> None:
    bench.write('import tempfile\nreturn TaskOutcome("pass", tempfile.gettempdir())')
    child = ChildProcess.start("job", {}, {"TMPDIR": str(tmp_path)})
    while child.is_alive():
        child.read(0.1)
    child.read(0)
    child.destroy()

    assert child.outcome is not None
    assert child.outcome.message == str(tmp_path)


def test_a_task_that_returns_nothing_passes(bench: Bench) -> None:
    assert bench.run("pass") == Outcome("pass", "succeeded", "", {})


def test_megabytes_of_data_reach_the_task(bench: Bench) -> None:
    outcome = bench.run('return TaskOutcome("pass", str(len(data["payload"])))', payload="x" * 5_000_000)

    assert outcome.message == "5000000"


def test_odd_data_reaches_the_task(bench: Bench) -> None:
    outcome = bench.run(
        'return TaskOutcome("pass", repr(data["nan"]) + ascii(data["half"]))', nan=float("nan"), half="\ud800"
    )

    assert outcome.message == "nan'\\ud800'"


def errored(outcome: Outcome, *words: str) -> str:
    """The message of an errored outcome, which has these words."""
    assert (outcome.result, outcome.status) == ("fail", "errored")
    for word in words:
        assert word in outcome.message
    return outcome.message


def test_a_task_that_raises_tells_what_and_where(bench: Bench) -> None:
    outcome = bench.run('print("so far so good")\nraise RuntimeError("no disk")')

    errored(outcome, "job raised RuntimeError: no disk (job.py, line 6)", "so far so good", "Traceback")


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "SystemExit(0)", "KeyboardInterrupt()", "GeneratorExit()"]
)
def test_a_task_that_leaves_is_errored(bench: Bench, error: str) -> None:
    errored(bench.run(f"raise {error}"), "job", "without returning an outcome")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os._exit(3)", "job ended with exit code 3 without returning an outcome"),
        ("os._exit(0)", "job ended with exit code 0 without returning an outcome"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL (out of memory?)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os.abort()", "ended by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 3)", "ended by signal 37"),
        ("os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", "without returning an outcome"),
    ],
)
def test_a_task_that_dies_tells_how(bench: Bench, body: str, words: str) -> None:
    errored(bench.run(body), words)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("42", "returned a int; expected a TaskOutcome"),
        ('"pass"', "returned a str; expected a TaskOutcome"),
        ('{"result": "pass"}', "returned a dict; expected a TaskOutcome"),
        ("TaskOutcome", "returned a type; expected a TaskOutcome"),
        ('TaskOutcome("passed")', "the result 'passed'; expected pass, warning or fail"),
        ("TaskOutcome(None)", "the result None"),
        ("TaskOutcome([])", "the result []"),
        ('TaskOutcome("pass", 7)', "message is no text"),
        ('TaskOutcome("pass", "", [1])', "data is no dict"),
        ('TaskOutcome("pass", "", {"x": {1, 2}})', "not JSON"),
        ('TaskOutcome("pass", "", {"x": float("nan")})', "not JSON"),
        ('TaskOutcome("pass", "", {(1, 2): "x"})', "not JSON"),
        ('TaskOutcome("pass", "", (lambda d: d.update(d=d) or d)({}))', "not JSON"),
    ],
)
def test_nonsense_is_no_outcome(bench: Bench, returned: str, words: str) -> None:
    errored(bench.run(f"return {returned}"), "job", words)


@pytest.mark.parametrize("depth", [100, 150, 200, 250, 300, 320, 330, 400, 800, 5000])
def test_deep_data_is_sent_or_refused(bench: Bench, depth: int) -> None:
    outcome = bench.run(
        f"""
        deep = {{}}
        for _ in range({depth}):
            deep = {{"x": deep}}
        return TaskOutcome("pass", "", deep)
        """
    )

    assert outcome.result == "pass" or errored(outcome, "job")


def test_an_unknown_function_is_named(bench: Bench) -> None:
    errored(bench.run(name="nowhere"), "There is no Python task nowhere", "functions/worker/tasks/nowhere.py")


def test_a_module_without_its_function_is_named(bench: Bench) -> None:
    bench.write("pass", "job")
    (bench.place / "other.py").write_text("job = 7\nother = 8\n")

    errored(bench.run(name="other"), "tasks/other.py defines no function other(data, progress)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def job(:", "SyntaxError"),
        ("import not_there", "No module named 'not_there'"),
        ("1 / 0", "ZeroDivision"),
    ],
)
def test_a_module_that_can_not_be_loaded_says_why(bench: Bench, text: str, words: str) -> None:
    (bench.place / "job.py").write_text(text)

    errored(bench.run(), words)


def test_a_function_of_the_wrong_form_says_so(bench: Bench) -> None:
    (bench.place / "job.py").write_text("def job():\n    pass\n")

    errored(bench.run(), "TypeError")


def test_of_a_flood_of_output_the_end_is_kept(bench: Bench) -> None:
    outcome = bench.run(
        """
        for _ in range(300):
            sys.stdout.write("x" * 100_000)
        sys.stderr.write("the end")
        sys.stdout.flush()
        raise ValueError("enough")
        """
    )

    message = errored(outcome, "enough", "It printed 30")
    assert len(message.encode()) < TAIL + 1000


def test_an_outcome_after_a_flood_of_output_is_not_lost(bench: Bench) -> None:
    outcome = bench.run(
        """
        for _ in range(100):
            sys.stdout.write("x" * 100_000)
        sys.stdout.flush()
        return TaskOutcome("pass", "y" * 900_000)
        """
    )

    assert (outcome.result, len(outcome.message)) == ("pass", 900_000)


def test_output_that_is_no_text_is_no_obstacle(bench: Bench) -> None:
    outcome = bench.run("sys.stdout.buffer.write(bytes(range(256)))\nsys.stdout.flush()\nraise ValueError")

    errored(outcome, "It printed").encode()


def test_a_flood_of_progress_is_cut_off_and_does_not_hold_up_the_task(bench: Bench) -> None:
    outcome = bench.run(
        """
        for number in range(50_000):
            progress.report(f"step {number}")
        return TaskOutcome("pass", "done")
        """
    )

    assert outcome.message == "done"
    assert bench.reported == [f"step {number}" for number in range(MOST_PROGRESS)]


def test_progress_that_is_no_text_or_too_long_is_no_obstacle(bench: Bench) -> None:
    outcome = bench.run(
        f"""
        progress.report(7)
        progress.report("x" * {2 * LONGEST_REPORT})
        progress.report("\\ud800 and\\na second line")
        return TaskOutcome("pass", "done")
        """
    )

    assert bench.reported[0] == "7"
    assert bench.reported[-1] == "\ud800 and\na second line"
    assert outcome.message == "done"


def test_a_huge_outcome_is_refused_with_advice(bench: Bench) -> None:
    outcome = bench.run(f'return TaskOutcome("pass", "x" * {LONGEST_REPORT + 1})')

    errored(outcome, f"job returned more than {LONGEST_REPORT} bytes; return less, or a link to it")


def test_what_a_task_itself_writes_into_the_pipe_is_no_outcome(bench: Bench) -> None:
    outcome = bench.run(
        """
        pipe = int(sys.argv[2])
        os.write(pipe, b'garbage\\n[1]\\n7\\n{"outcome": {}}\\n{"outcome": 7}\\nnull\\n"outcome"\\n\\xff\\n')
        return TaskOutcome("pass", "done")
        """
    )

    assert outcome == Outcome("pass", "succeeded", "done", {})


def test_a_task_that_closes_its_outputs_is_waited_for(bench: Bench) -> None:
    outcome = bench.run("os.closerange(1, 50)\ntime.sleep(0.3)\nos._exit(4)")

    errored(outcome, "exit code 4")


def test_at_its_deadline_a_task_is_told_and_may_clean_up(bench: Bench, tmp_path: Path) -> None:
    begun = time.monotonic()
    outcome = bench.run_out(
        f"""
        print("began", flush=True)
        try:
            progress.report("began")
            time.sleep(60)
        finally:
            open({str(tmp_path / "cleaned")!r}, "w").close()
        """
    )

    errored(outcome, "job was still running at its deadline and was stopped", "began")
    assert (tmp_path / "cleaned").exists()
    assert time.monotonic() - begun < 5


def test_a_task_that_will_not_stop_is_killed(bench: Bench) -> None:
    begun = time.monotonic()
    outcome = bench.run_out(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        progress.report("began")
        while True:
            time.sleep(1)
        """
    )

    message = errored(outcome, "was still running at its deadline")
    assert_is_gone(int(message.split()[-1]))
    assert time.monotonic() - begun < 6


def test_a_task_that_swallows_everything_is_killed(bench: Bench) -> None:
    outcome = bench.run_out(
        """
        while True:
            try:
                progress.report("began")
                time.sleep(60)
            except BaseException:
                pass
        """
    )

    errored(outcome, "was still running at its deadline")


def test_a_task_that_floods_until_its_deadline_is_stopped_in_time(bench: Bench) -> None:
    begun = time.monotonic()
    outcome = bench.run_out('while True:\n    print("x" * 100_000)\n    progress.report("y")')

    errored(outcome, "was still running at its deadline")
    assert time.monotonic() - begun < 6


def test_an_outcome_that_comes_while_the_task_is_asked_to_stop_counts(bench: Bench) -> None:
    outcome = bench.run_out(
        """
        try:
            progress.report("began")
            time.sleep(60)
        except BaseException:
            return TaskOutcome("warning", "half of it is done")
        """
    )

    assert outcome == Outcome("warning", "succeeded", "half of it is done", {})


def test_a_deadline_that_is_over_before_the_task_begins_is_no_obstacle(bench: Bench) -> None:
    errored(bench.run("time.sleep(60)", seconds=-1.0), "job")


def test_a_cancelled_task_is_stopped(bench: Bench, tmp_path: Path) -> None:
    bench.still_wanted = lambda: not (tmp_path / "began").exists()

    with pytest.raises(TaskCancelled):
        bench.run(
            f"""
            with open({str(tmp_path / "pid")!r}, "w") as file:
                file.write(str(os.getpid()))
            os.rename({str(tmp_path / "pid")!r}, {str(tmp_path / "began")!r})
            time.sleep(60)
            """
        )

    assert_is_gone(int((tmp_path / "began").read_text()))


@pytest.mark.parametrize(
    "ending",
    ['return TaskOutcome("pass", str(child.pid))', 'progress.report("began"); time.sleep(60)', "os._exit(1)"],
)
@pytest.mark.parametrize("stubborn", ["", "trap '' TERM HUP INT; "])
def test_what_a_task_started_in_sessions_of_their_own_does_not_go_on(
    bench: Bench, tmp_path: Path, ending: str, stubborn: str
) -> None:
    bench.run_out(
        f"""
        command = ["sh", "-c", {stubborn + "sleep 3600 & sleep 3600 & wait; wait"!r}]
        child = subprocess.Popen(command, start_new_session=True)
        with open({str(tmp_path / "pid")!r}, "w") as file:
            file.write(str(child.pid))
        {ending}
        """
    )

    assert_session_is_gone(int((tmp_path / "pid").read_text()))


def test_a_grandchild_that_keeps_the_pipes_open_does_not_hold_up_the_run(
    bench: Bench, tmp_path: Path
) -> None:
    begun = time.monotonic()
    outcome = bench.run(
        f"""
        child = subprocess.Popen(
            ["sh", "-c", "while true; do echo flood; done"], close_fds=False, start_new_session=True
        )
        with open({str(tmp_path / "pid")!r}, "w") as file:
            file.write(str(child.pid))
        return TaskOutcome("pass", "done")
        """,
        seconds=15.0,
    )

    assert outcome.message == "done"
    assert_session_is_gone(int((tmp_path / "pid").read_text()))
    assert time.monotonic() - begun < 10


def test_a_report_that_fails_leaves_no_child_behind(bench: Bench, tmp_path: Path) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("unforeseen")

    bench.on_report = fail

    with pytest.raises(RuntimeError, match="unforeseen"):
        bench.run("progress.report(str(os.getpid()))\ntime.sleep(60)")

    assert_is_gone(int(bench.reported[0]))


def test_tasks_leave_no_open_files_behind(bench: Bench) -> None:
    bench.run("pass")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for body in ("pass", "raise ValueError", "os._exit(1)"):
        bench.run(body)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_progress_message_that_is_too_long_costs_no_outcome_and_explains_no_death(bench: Bench) -> None:
    too_long = f'progress.report("x" * {2 * LONGEST_REPORT})\nprogress.report("next")\n'

    assert bench.run(too_long).result == "pass"
    errored(bench.run(too_long + "os._exit(5)"), "exit code 5")


def assert_is_gone(pid: int) -> None:
    assert eventually(lambda: state_of(pid) in {None, "Z"})


def assert_session_is_gone(session: int) -> None:
    assert eventually(lambda: not any(is_alive_in(session, entry) for entry in Path("/proc").glob("[0-9]*")))


def is_alive_in(session: int, entry: Path) -> bool:
    try:
        return os.getsid(int(entry.name)) == session and state_of(int(entry.name)) not in {None, "Z"}
    except ProcessLookupError:
        return False


def state_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within seconds: what was sent SIGKILL is gone a moment later."""
    give_up = time.monotonic() + 3
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.005)
    return True
