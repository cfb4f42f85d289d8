"""The child process in which a Python task runs, so that nothing of it goes on once the run is over.

A thread could not be stopped, and would go on in the next invocation. The child has a session of its own and
talks over pipes: Lambda has no shared memory for queues and pools.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from execution_plane.keptn.events import Outcome

TAIL = 8192  # bytes of a task's output that a message may quote
KEPT = 2 * TAIL  # of which the first half may begin with the end of a secret, which nothing would recognize
LONGEST_REPORT = 1_048_576  # bytes of one line on the report pipe
CHUNK = 65_536
MOST_LEFT = 4_194_304  # bytes still read after the task has ended
MOST_SEARCHES = 1000  # for processes to kill; one that can't die yet is found again and again
CLEAN_SEARCHES = 2
MARK = "KEPTN_TASK_PROCESS"  # the environment variable by which all processes of a task are found


@dataclass
class Tail:
    """The end of an output that may be endless."""

    total: int = 0
    _kept: bytearray = field(default_factory=bytearray)

    def add(self, chunk: bytes) -> None:
        """Take more output."""
        self.total += len(chunk)
        self._kept += chunk
        del self._kept[:-KEPT]

    def text(self, mask: Callable[[str], str]) -> str:
        """The end of the output, without what `mask` takes out of it."""
        return mask(self._kept.decode("utf-8", "replace")).encode()[-TAIL:].decode("utf-8", "ignore")

    def quoted(self, mask: Callable[[str], str]) -> str:
        """The tail as the end of a message; nothing where nothing was printed."""
        if not self.total:
            return ""
        which = "It printed" if self.total <= TAIL else f"It printed {self.total} bytes, which end in"
        return f"\n\n{which}:\n{self.text(mask)}"


class ChildProcess:
    """The child process and its two pipes: what it prints, and what it reports."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        report_fd: int,
        mark: str,
        scratch: "tempfile.TemporaryDirectory[str]",
    ) -> None:
        self.process = process
        self._scratch = scratch
        self.printed = Tail()
        self.outcome: Outcome | None = None
        self.error = ""
        self.overflowed = False
        self._mark = mark
        self._line = bytearray()
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        self._selector.register(process.stdout.fileno(), selectors.EVENT_READ, self._hear)
        self._selector.register(report_fd, selectors.EVENT_READ, self._read_reports)
        self._report_fd = report_fd

    @classmethod
    def start(cls, name: str, data: Mapping[str, Any], variables: Mapping[str, str]) -> "ChildProcess":
        """Start the child in a session of its own, with `variables` besides the worker's environment.

        It gets the data as a file, which needs nobody to feed it, and a temporary directory of its own.
        """
        # What it leaves there would else be seen by the next run in this execution environment.
        scratch = tempfile.TemporaryDirectory(prefix="task-", ignore_cleanup_errors=True)
        read_fd, write_fd = os.pipe()
        mark = uuid4().hex
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(data).encode())
            stdin.seek(0)
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "runners.task_process", name, str(write_fd)],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(write_fd,),
                start_new_session=True,
                env={
                    **os.environ,
                    "TMPDIR": scratch.name,
                    **variables,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    MARK: mark,
                },
            )
        os.close(write_fd)
        os.set_blocking(read_fd, False)
        return cls(process, read_fd, mark, scratch)

    def read(self, seconds: float) -> list[str]:
        """Wait at most so long for something to read; the progress messages in it.

        With 0, all that is left.
        """
        messages: list[str] = []
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        while ready := self._selector.select(seconds) if self._selector.get_map() else []:
            for key, _ in ready:
                chunk = os.read(key.fd, CHUNK)
                if not chunk:
                    self._selector.unregister(key.fd)
                messages += key.data(chunk)
            if seconds or self.printed.total > MOST_LEFT:
                break
        return messages

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def death(self) -> str:
        """How it ended, as the rest of a sentence."""
        code = self.process.returncode
        if code >= 0:
            return f"ended with exit code {code}"
        names = {each.value: each.name for each in signal.Signals}  # real-time signals have none
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"was ended by {names.get(-code, f'signal {-code}')}{hint}"

    def ask_to_stop(self) -> None:
        """Tell the task to end, so that it may clean up."""
        self._signal(signal.SIGTERM)

    def destroy(self) -> None:
        """Leave nothing of the task: its session, what it started in sessions of their own, its files."""
        self._signal(signal.SIGKILL)
        _kill_all_marked(f"{MARK}={self._mark}".encode())
        self.process.wait()
        self._selector.close()
        os.close(self._report_fd)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._scratch.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _hear(self, chunk: bytes) -> list[str]:
        self.printed.add(chunk)
        return []

    def _read_reports(self, chunk: bytes) -> list[str]:
        *lines, rest = (bytes(self._line) + chunk).split(b"\n")
        self._line = bytearray(rest[: LONGEST_REPORT + 1])
        return [message for line in lines if (message := self._read_report(line)) is not None]

    def _read_report(self, line: bytes) -> str | None:
        """Keep an outcome; return a progress message.

        What is neither comes from a task that wrote into the pipe.
        """
        self.overflowed = len(line) > LONGEST_REPORT
        if self.overflowed:
            return None
        try:
            report = json.loads(line)
            if "outcome" in report:
                given = report["outcome"]
                self.outcome = Outcome(given["result"], "succeeded", given["message"], given["data"])
            elif "error" in report:
                self.error = str(report["error"])
            return str(report["progress"]) if "progress" in report else None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def _kill_all_marked(mark: bytes) -> None:
    """Kill until two searches in a row find nothing.

    One may miss a process that is just being forked, or that has no environment while it execs.
    """
    clean = 0
    for _ in range(MOST_SEARCHES):
        found = list(_processes_marked(mark))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        clean = 0 if found else clean + 1
        if clean == CLEAN_SEARCHES:
            return


def _processes_marked(mark: bytes) -> Iterator[int]:
    """The processes whose environment has the mark: what a task started, wherever it went."""
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in place.read_bytes():
                yield int(place.parent.name)
