"""Decoded JSON as gopkg.in/yaml.v2 writes it: block style, keys sorted, quotes where needed."""

import re
from collections.abc import Iterator
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
_DOCUMENT_END: Final = re.compile(r"(?<=\n)\.\.\.\n\Z")
"""libyaml writes it behind some texts, yaml.v2 never."""
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
    return _DOCUMENT_END.sub("", document)


def _events(value: object) -> Iterator[Event]:
    match value:
        case dict():
            yield MappingStartEvent(anchor=None, tag=None, implicit=True, flow_style=False)
            for key in sorted(value):
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
    is_text = resolve_plain(text).kind == "str" and not _BASE_60.fullmatch(text)
    return _scalar(text, None if is_text else '"')


def _scalar(text: str, style: str | None = None) -> Event:
    return ScalarEvent(anchor=None, tag=None, implicit=(True, True), value=text, style=style)
