r"""Patterns and JSONPaths, compiled once however many actions repeat them.

RE2 takes time linear in the text, but a short pattern may be long to compile and large: `\pL{0,200}` takes
100 ms and megabytes. So patterns have limits, by which those of a whole file take seconds and some 30 MB.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import re2  # type: ignore[import-untyped]

from execution_plane import jsonpath
from execution_plane.jsonpath import JsonPath

MAX_MEMORY: Final = 256 * 1024
"""Bytes for RE2 to compile a pattern; they do for 4000 letters, or for `[^.]{1,63}` seven times."""

MAX_LENGTH: Final = 4096
"""Characters of a pattern."""

MAX_WEIGHT: Final = 1_000_000
"""Of all patterns of one file; that of `sh.keptn.event.test.triggered`, 30 characters long, is 550."""

WEIGHT_OF_CHARACTER: Final = 16
r"""Beside RE2's instructions: to read `\pL` takes 100 microseconds, as much as to write 300 of those."""

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


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A compiled pattern, or why there is none."""

    pattern: Pattern | None
    reason: str
    weight: int


class _Known:
    """What was compiled so far; all of it is forgotten when it weighs more than one file's patterns may."""

    def __init__(self) -> None:
        self._compiled: dict[str, _Compiled] = {}
        self._weight = 0

    def find(self, text: str) -> _Compiled:
        """The pattern, compiled now if need be."""
        found = self._compiled.get(text)
        if found is None:
            found = _compile(text)
            if self._weight + found.weight > MAX_WEIGHT:
                self.forget()
            self._compiled[text] = found
            self._weight += found.weight
        return found

    def forget(self) -> None:
        """Compile everything anew from now on."""
        self._compiled.clear()
        self._weight = 0


_known: Final = _Known()


class Patterns:
    """The patterns of one file, each of which weighs once, valid or not."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._weight = 0

    def add(self, text: str) -> bool:
        """Whether the file's patterns with this one are within the limit."""
        if text not in self._texts:
            self._texts.add(text)
            self._weight += _known.find(text).weight
        return self._weight <= MAX_WEIGHT


def pattern(text: str) -> Pattern:
    """The compiled pattern; raises InvalidPattern."""
    found = _known.find(text)
    if found.pattern is None:
        raise InvalidPattern(found.reason)
    return found.pattern


@lru_cache(maxsize=1024)
def path(text: str) -> JsonPath:
    """The compiled JSONPath; raises InvalidJsonPath."""
    return jsonpath.compile(text)


def forget() -> None:
    """Compile everything anew from now on."""
    _known.forget()
    path.cache_clear()


def _compile(text: str) -> _Compiled:
    light = WEIGHT_OF_CHARACTER * len(text)
    if len(text) > MAX_LENGTH:
        return _Compiled(None, f"pattern too large - over {MAX_LENGTH} characters", light)
    if _ANY_BYTE in _ESCAPE.findall(text):
        return _Compiled(None, f"invalid escape sequence: {_ANY_BYTE}", light)
    try:
        compiled = re2.compile(text, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else b"unknown reason"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        return _Compiled(None, reason, light + MAX_MEMORY // 64)
    return _Compiled(compiled, "", light + compiled.programsize)
