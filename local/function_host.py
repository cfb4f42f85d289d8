"""The inside of a function's process: imports the handler and serves invocations, one at a time.

`local/function_process.py` starts it as a script, with the environment, the path and the directory that the
function has in AWS, so it uses nothing but the standard library. It reads an invocation a line,
`{request_id, arn, seconds, event}`, and answers with a line, `{"answer": …}` or `{"error": …}`; what the
function prints goes to standard error.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Context:
    """What Lambda passes to a handler besides the event."""

    aws_request_id: str
    invoked_function_arn: str
    ends: float
    """When the invocation ends, on the monotonic clock."""
    function_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    memory_limit_in_mb: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""
        return max(0, int((self.ends - time.monotonic()) * 1000))


def main() -> None:
    """Serve until standard input ends."""
    # An exception, so that what the function has begun is ended by its own `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    invocations, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    with open(os.devnull) as nothing:  # noqa: PTH123 - pathlib is more than a function's process needs
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    for line in invocations:
        answers.write(json.dumps(serve(handler, json.loads(line))) + "\n")


def serve(handler: Any, invocation: dict[str, Any]) -> dict[str, Any]:
    """Call the handler; its answer, or its error as Lambda tells of it."""
    ends = time.monotonic() + invocation["seconds"]
    context = Context(invocation["request_id"], invocation["arn"], ends)
    try:
        return {"answer": json.loads(json.dumps(handler(invocation["event"], context)))}
    except Exception as problem:
        traceback.print_exc()
        return {
            "error": {
                "errorMessage": str(problem),
                "errorType": type(problem).__name__,
                "requestId": invocation["request_id"],
                "stackTrace": traceback.format_tb(problem.__traceback__),
            }
        }


if __name__ == "__main__":
    main()
