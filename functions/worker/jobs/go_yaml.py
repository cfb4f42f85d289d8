"""Decoded JSON as gopkg.in/yaml.v2 writes it: block style, keys in natural order, quotes where needed."""

import re
from collections.abc import Iterator
from functools import cmp_to_key
from typing import Final

import yaml
from yaml.cyaml import CDumper
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from execution_plane.jsonpath.go_text import as_float64, float_text
from jobs.event_time import EventTime
from jobs.yaml_scalars import resolve_plain

_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_LINE_ENDS: Final = ("\u2028", "\u2029")  # Unicode's own
_END: Final = "\ue000\ue001\ue000"  # of Unicode's private use, and of nobody's
_NOT_GOS: Final = re.compile(rf" *{_END}|(?<=[\n\u2028\u2029])\.\.\.\n\Z")
"""What libyaml writes and yaml.v2 does not: spaces behind a last line end in quotes, and a document's end."""
_NOT_FINITE: Final = {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}


def go_yaml(value: object) -> str:
    """`value` as a YAML document that ends in a line break; raises RecursionError if nested too deeply."""
    events = [
        StreamStartEvent(),
        DocumentStartEvent(explicit=False),
        *_events(value),
        DocumentEndEvent(explicit=False),
        StreamEndEvent(),
    ]
    document = str(yaml.emit(events, Dumper=CDumper, allow_unicode=True))
    return _NOT_GOS.sub("", document)


def _events(value: object) -> Iterator[Event]:
    match value:
        case dict():
            yield MappingStartEvent(anchor=None, tag=None, implicit=True, flow_style=False)
            for key in sorted(value, key=cmp_to_key(_natural_order)):
                yield _text(key)
                yield from _events(value[key])
            yield MappingEndEvent()
        case list():
            yield SequenceStartEvent(anchor=None, tag=None, implicit=True, flow_style=False)
            for item in value:
                yield from _events(item)
            yield SequenceEndEvent()
        case str():
            yield _text(value)
        case _:
            yield _scalar(_plain(value))


def _plain(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            number = float_text(as_float64(value), exponent_below=-4, exponent_from=6)
            return _NOT_FINITE.get(number, number)
        case EventTime():
            return value.rfc3339()
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON")


def _text(text: str) -> Event:
    """A text: literal if it has line breaks, in quotes if it would else be read as something else."""
    text = text.encode(errors="replace").decode()
    if "\n" in text:
        return _scalar(text, "|")
    if text.endswith(_LINE_ENDS):
        text += _END
    is_text = resolve_plain(text).kind == "str" and not _BASE_60.fullmatch(text)
    return _scalar(text, None if is_text else '"')


def _scalar(text: str, style: str | None = None) -> Event:
    return ScalarEvent(anchor=None, tag=None, implicit=(True, True), value=text, style=style)


def _natural_order(left: str, right: str) -> int:
    """yaml.v2's order of keys: numbers in them by value, letters after everything else."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one == other:
            continue
        if one.isalpha() and other.isalpha():
            return -1 if one < other else 1
        if one.isalpha() or other.isalpha():
            return -1 if other.isalpha() else 1
        first, second = _number_at(left, right, index), _number_at(right, left, index)
        return -1 if (*first, one) < (*second, other) else 1
    return len(left) - len(right)


def _number_at(text: str, other: str, index: int) -> tuple[int, int]:
    """The number that begins at `index` and where it ends, as yaml.v2 reckons behind an earlier digit."""
    number = 0
    if "0" in (text[index], other[index]):
        before = index
        while before > 0 and text[before - 1].isdecimal():
            before -= 1
        number = 1 if text[before:index].strip("0") else 0
    end = index
    while end < len(text) and text[end].isdecimal():
        number = number * 10 + ord(text[end]) - ord("0")
        end += 1
    return number, end
