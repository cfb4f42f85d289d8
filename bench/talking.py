"""Processes that are asked and answer, a line of JSON each."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.fresh import base_environment


class Talking:
    """A module that runs in a process of its own until it is left."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **question: Any) -> Any:
        """Put a question, and wait for the answer. Raises EOFError if the process has ended instead."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> Any:
        """The next line that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"{self._process.args!r} has ended")
        return json.loads(line)


@contextmanager
def talking(module: str, environment: Mapping[str, str]) -> Iterator[Talking]:
    """Run a module with this environment; it is ended when it is left."""
    with _process(module, environment, subprocess.PIPE) as process:
        yield Talking(process)


@contextmanager
def silent(module: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a module whose output nobody hears; it is ended when it is left."""
    with _process(module, environment, subprocess.DEVNULL):
        yield


@contextmanager
def _process(module: str, environment: Mapping[str, str], output: int) -> "Iterator[subprocess.Popen[str]]":
    with subprocess.Popen(
        [sys.executable, "-m", module],
        env=base_environment() | dict(environment),
        stdin=subprocess.PIPE,
        stdout=output,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
