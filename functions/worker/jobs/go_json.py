"""Decoded JSON as Go's encoding/json writes it: compact, keys sorted bytewise, `<`, `>` and `&` escaped."""

import re
from typing import Final

from execution_plane.jsonpath.go_text import as_float64, float_text
from jobs.event_time import EventTime

_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def go_json(value: object) -> str:
    """`value` as JSON; raises RecursionError if it is nested too deeply."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case int() | float():
            return _number(as_float64(value))
        case list():
            return f"[{','.join(map(go_json, value))}]"
        case dict():
            return "{" + ",".join(f"{_quoted(key)}:{go_json(value[key])}" for key in sorted(value)) + "}"
        case EventTime():
            return _quoted(value.rfc3339())
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON")


def _number(number: float) -> str:
    """Numbers are float64; an exponent has no leading zero where it is negative (`1e-7`)."""
    text = float_text(number, exponent_below=-6, exponent_from=21)
    return re.sub(r"e-0(\d)$", r"e-\1", text)


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
