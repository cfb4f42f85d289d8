"""Reading a long list in an answer piece by piece, as it arrives, so that no more of it is in memory than is
kept.
"""

import codecs
import json
import re
from collections.abc import Callable
from typing import Any

BLANK = re.compile(r"[ \t\r\n]*")
LONGEST = 8 * 1024 * 1024  # characters of one element; NATS, by which Keptn has its events, takes 1 MiB
OTHER_VALUES = '["ntf-0123456789'  # how they begin
BEHIND_A_VALUE = ":,]}"
DECODER = json.JSONDecoder()


class LongList:
    """A list that is a member of a JSON object; of each element is kept what `keep` makes of it."""

    def __init__(self, name: str, keep: Callable[[Any], Any]) -> None:
        self._name = name
        self._keep = keep
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._enough = 0
        """How much text there must be before it is worth reading on."""
        self._next: Callable[[int], int] | None = self._object
        self._kept: list[Any] | None = None
        self._problem: Exception | None = None
        self._is_any = False

    def feed(self, content: bytes, *, is_all: bool = False) -> None:
        """Read what has arrived; what is read is let go of."""
        at = 0
        if self._problem is not None:
            return
        try:
            self._is_any = self._is_any or bool(content)
            self._text += self._decode(content, is_all)
            if len(self._text) < self._enough and not is_all:
                return
            while self._next is not None:
                at = self._next(at)
        except _Incomplete:
            if is_all or len(self._text) - at > LONGEST:
                self._problem = ValueError("something in it does not end")
        except (ValueError, RecursionError) as problem:
            self._problem = problem
        self._text = self._text[at:] if self._next and not self._problem else ""
        # What is incomplete is read from its beginning again: only once there is twice as much of it.
        self._enough = 2 * len(self._text)

    def close(self) -> list[Any] | None:
        """What was kept, once everything has arrived; None if there was no such list.

        Raises ValueError and RecursionError for what is no JSON.
        """
        self.feed(b"", is_all=True)
        if self._problem is not None and self._is_any:
            raise self._problem
        return self._kept

    def _object(self, at: int) -> int:
        if self._text[self._past_blank(at)] in OTHER_VALUES:
            self._next = None
            return at
        at = self._past("{", at)
        self._next = self._member
        return at

    def _member(self, at: int) -> int:
        """A member that is not the list, or the list's beginning."""
        if self._is_at("}", at):
            self._next = None
            return self._past("}", at)
        if self._is_at(",", at):
            at = self._past(",", at)
        name, after = self._value(at)
        after = self._past(":", after)
        if name != self._name:
            _, after = self._value(after)
        elif self._is_at("[", after):
            after, self._kept = self._past("[", after), []
            self._next = self._element
        else:
            value, after = self._value(after)
            if value is None:
                self._kept = []
        return after

    def _element(self, at: int) -> int:
        assert self._kept is not None
        if self._is_at("]", at):
            self._next = self._member
            return self._past("]", at)
        if self._is_at(",", at):
            at = self._past(",", at)
        value, after = self._value(at)
        self._kept.append(self._keep(value))
        return after

    def _is_at(self, character: str, at: int) -> bool:
        return self._text.startswith(character, self._past_blank(at))

    def _past(self, character: str, at: int) -> int:
        at = self._past_blank(at)
        if self._text[at] != character:
            raise ValueError(f"expected {character}")
        return at + 1

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            value, after = DECODER.raw_decode(self._text, self._past_blank(at))
        except json.JSONDecodeError as problem:
            raise _Incomplete from problem
        if self._text[self._past_blank(after)] not in BEHIND_A_VALUE:
            raise _Incomplete  # of a number there is more
        return value, after

    def _past_blank(self, at: int) -> int:
        """Where something stands."""
        found = BLANK.match(self._text, at)
        assert found is not None
        if found.end() == len(self._text):
            raise _Incomplete
        return found.end()


class _Incomplete(Exception):
    """More of the text is needed."""
