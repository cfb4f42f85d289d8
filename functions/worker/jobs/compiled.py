"""Patterns and JSONPaths, compiled once however many actions repeat them.

RE2 takes time linear in the text, but a short pattern may be long to compile and large. So a pattern's memory
is limited, and the number of patterns in a file.
"""

import re
from functools import lru_cache
from typing import Final, Protocol

import re2  # type: ignore[import-untyped]

from execution_plane import jsonpath
from execution_plane.jsonpath import JsonPath

MAX_MEMORY: Final = 256 * 1024
"""Bytes for RE2 to compile a pattern; they do for 4000 letters, or for `[^.]{1,63}` seven times."""

MAX_LENGTH: Final = 4096
"""Characters of a pattern."""

MAX_PATTERNS: Final = 500
"""Different patterns of one file."""

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.never_capture = True
_OPTIONS.max_mem = MAX_MEMORY
_ESCAPE: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_ANY_BYTE: Final = r"\C"  # known to RE2, and not to the regexp of Go


class InvalidPattern(ValueError):
    """Not a pattern that Go's regexp and RE2 know, or too large; look-around and back-references are none."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str, /) -> object:
        """A match anywhere in `text`, or None."""
        ...


@lru_cache(maxsize=MAX_PATTERNS)
def pattern(text: str) -> Pattern:
    """The compiled pattern; raises InvalidPattern."""
    if len(text) > MAX_LENGTH:
        raise InvalidPattern(f"pattern too large - over {MAX_LENGTH} characters")
    if _ANY_BYTE in _ESCAPE.findall(text):
        raise InvalidPattern(f"invalid escape sequence: {_ANY_BYTE}")
    try:
        compiled: Pattern = re2.compile(text, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else b"unknown reason"
        raise InvalidPattern(
            reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        ) from None
    return compiled


@lru_cache(maxsize=1024)
def path(text: str) -> JsonPath:
    """The compiled JSONPath; raises InvalidJsonPath."""
    return jsonpath.compile(text)


def forget() -> None:
    """Compile everything anew from now on."""
    pattern.cache_clear()
    path.cache_clear()
