"""Patterns and JSONPaths, compiled once however many actions repeat them.

RE2 takes time linear in the text: no pattern in a job config can stall a worker.
"""

from functools import lru_cache
from typing import Final, Protocol

import re2  # type: ignore[import-untyped]

from execution_plane import jsonpath
from execution_plane.jsonpath import JsonPath

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


class InvalidPattern(ValueError):
    """Not a pattern that RE2 knows; look-around and back-references are none."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str, /) -> object:
        """A match anywhere in `text`, or None."""
        ...


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """The compiled pattern; raises InvalidPattern."""
    try:
        result: Pattern = re2.compile(text, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else b"unknown reason"
        raise InvalidPattern(
            reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        ) from None
    return result


@lru_cache(maxsize=1024)
def path(text: str) -> JsonPath:
    """The compiled JSONPath; raises InvalidJsonPath."""
    return jsonpath.compile(text)
