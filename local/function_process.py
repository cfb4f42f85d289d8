"""A Lambda function on a laptop: a process of its own, which serves one invocation at a time."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local import function_host
from local.aws_server import ACCOUNT
from local.stack import FunctionDefinition

_RAISED = re.compile(r"[A-Za-z_][\w.]*: ")  # how a traceback ends
_GRACE = 5.0  # seconds for a function to end what it has begun


@dataclass(frozen=True)
class Answer:
    """What an invocation came to: the handler's answer, or Lambda's description of an error."""

    content: Any
    is_error: bool = False


class FunctionProcess:
    """A function that can be invoked until it is closed; one that has died is started again."""

    def __init__(self, definition: FunctionDefinition, log: Path) -> None:
        self.name = definition.name
        self.arn = f"arn:aws:lambda:{definition.region}:{ACCOUNT}:function:{definition.name}"
        self.log = log
        """Where everything goes that the function prints."""
        self._definition = definition
        self._lock = threading.Lock()
        self._is_closed = False
        self._process = self._start()

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment that it is configured with."""
        return self._definition.variables

    def configure(self, variables: Mapping[str, str]) -> None:
        """Have another environment from the next invocation on, in a new process."""
        with self._lock:
            self._definition = replace(self._definition, variables=dict(variables))
            self._process.terminate()
            self._process.wait()

    def invoke(self, event: Any, request_id: str) -> Answer:
        """Invoke the handler and wait, at most for the function's timeout."""
        with self._lock:
            if self._process.poll() is not None and not self._is_closed:
                _close_pipes(self._process)
                self._process = self._start()
            return self._invoke(event, request_id, self._process)

    def close(self) -> None:
        """End the process, with what it has begun."""
        self._is_closed = True
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with self._lock:
            self._process.wait()
            _close_pipes(self._process)

    def last_error(self) -> str:
        """The last line of the log that tells of an error, "" if none does."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((error for line in reversed(lines) if (error := _error(line))), "")

    def _invoke(self, event: Any, request_id: str, process: "subprocess.Popen[str]") -> Answer:
        seconds = self._definition.timeout
        invocation = {"request_id": request_id, "arn": self.arn, "seconds": seconds, "event": event}
        ends = time.monotonic() + seconds
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(invocation) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # it has died, or its pipes are closed
            line = ""
        finally:
            timer.cancel()
        if line:
            told = json.loads(line)
            return Answer(told["error"], is_error=True) if "error" in told else Answer(told["answer"])
        if time.monotonic() >= ends:
            return _died(f"{request_id} Task timed out after {seconds:.2f} seconds", "Sandbox.Timedout")
        ended = f"Runtime exited with status {process.wait()}"
        return _died(f"RequestId: {request_id} Error: {ended}", "Runtime.ExitError")

    def _start(self) -> "subprocess.Popen[str]":
        definition = self._definition
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", str(Path(function_host.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=definition.code,
                env=_environment(definition),
                start_new_session=True,  # a Ctrl-C in the terminal is for us alone
            )


def _environment(definition: FunctionDefinition) -> dict[str, str]:
    """What the function declares and what Lambda adds, and nothing of this process's own but the path."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join((str(definition.code), str(definition.layer))),
        "TZ": ":UTC",
        "_HANDLER": definition.handler,
        "AWS_LAMBDA_FUNCTION_NAME": definition.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(definition.memory),
        "AWS_REGION": definition.region,
        "AWS_DEFAULT_REGION": definition.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **definition.variables,
    }


def _close_pipes(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):  # closing flushes what a dead process can't read
                pipe.close()


def _died(message: str, kind: str) -> Answer:
    return Answer({"errorMessage": message, "errorType": kind}, is_error=True)


def _error(line: str) -> str:
    """What a line of the log says of an error: it is JSON of level ERROR, or the end of a traceback."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line if _RAISED.match(line) else ""
    if not isinstance(entry, dict) or entry.get("level") not in {"ERROR", "CRITICAL"}:
        return ""
    return ": ".join(str(entry[key]) for key in ("message", "reason") if entry.get(key))
