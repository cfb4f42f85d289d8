"""How a command ends: what its exit code means, and that it says why in one sentence."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

import typer
from rich.console import Console

PASSED, FAILED, NO_RESULT = 0, 1, 2
"""A pipeline must be able to tell a failed sequence or file from one of which nothing is known."""


class Unusable(Exception):
    """What was asked for can't be done; the text is one sentence."""


class Screen(Console):
    """Where a command prints; what it prints reaches somebody, or there is no result."""

    def on_broken_pipe(self) -> None:
        """Raise Unusable. Python itself is to find a stream that takes its last words."""
        if self.file is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Unusable("nobody reads what is printed.")


def run(app: typer.Typer, arguments: Sequence[str] | None, surroundings: object = None) -> int:
    """Run a command line with what the command gets as its context's object; the exit code."""
    try:
        app(arguments, obj=surroundings)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else NO_RESULT
    return PASSED


def conclude(name: str, act: Callable[[], int], *expected: type[Exception]) -> typer.Exit:
    """Do what a command does; how it ends, after one sentence for what is no result.

    `expected` are errors whose text is that sentence. Of one that nobody expected, the traceback goes before
    it.
    """
    try:
        return typer.Exit(act())
    except (typer.Abort, typer.Exit):
        raise
    except Exception as problem:
        said = str(problem)
        if not isinstance(problem, (Unusable, *expected)):
            traceback.print_exc()
            said = f"this is a fault of the command's own ({type(problem).__name__}); please report it."
    print(f"{name}: {said}", file=sys.stderr)
    return typer.Exit(NO_RESULT)
