"""What a scalar's text stands for, by the rules of gopkg.in/yaml.v2: a YAML 1.1 of its own."""

import base64
import binascii
import math
import re
from typing import Final, NamedTuple

from jobs.yaml_reader import Node, ScalarNode

NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))

_TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NOT_FINITE: Final = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0x(?P<x>[0-9a-f]{1,16})|0b(?P<b>[01]{1,64})|0o?(?P<o>[0-7]{1,22})|(?P<d>0|[1-9][0-9]{0,19}))",
    re.IGNORECASE,
)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])"
    r"([Tt]([01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9]([.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| ([01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9]([.,][0-9]+)?)?"
)
_BASES: Final = {"x": 16, "b": 2, "o": 8, "d": 10}
_TAG_PREFIX: Final = "tag:yaml.org,2002:"


class InvalidScalar(ValueError):
    """A text that its tag does not allow."""


class Resolved(NamedTuple):
    """`kind` is yaml.v2's short tag: str, null, bool, int, float, timestamp or binary."""

    kind: str
    value: str | bool | int | float | None


def resolve_plain(text: str) -> Resolved:
    """What an unquoted, untagged `text` stands for."""
    if text in NULLS:
        return Resolved("null", None)
    if text in _TRUE or text in _FALSE:
        return Resolved("bool", text in _TRUE)
    if text in _NOT_FINITE:
        return Resolved("float", _NOT_FINITE[text])
    if text[0] in "+-.0123456789":
        return _number_or_time(text)
    return Resolved("str", text)


def resolve(scalar: ScalarNode) -> Resolved:
    """What `scalar` stands for; raises InvalidScalar where its tag and its text disagree."""
    text = scalar.value
    if scalar.tag is None:
        return resolve_plain(text) if scalar.plain else Resolved("str", text)
    kind = str(scalar.tag).removeprefix(_TAG_PREFIX)
    if kind == "binary":
        return Resolved(kind, _decoded(text))
    if kind not in ("null", "bool", "int", "float", "timestamp"):
        return Resolved("str", text)
    resolved = resolve_plain(text)
    if kind == "float" and isinstance(resolved.value, int) and resolved.kind == "int":
        return Resolved(kind, float(resolved.value))
    if resolved.kind != kind:
        raise InvalidScalar(f"{text!r} is no !!{kind}")
    return resolved


def text_of(scalar: ScalarNode) -> str:
    """`scalar` as a text: its raw text, nothing for null, the content of `!!binary`. Raises InvalidScalar."""
    if scalar.tag is not None:
        resolved = resolve(scalar)
        if resolved.kind == "null":
            return ""
        return str(resolved.value) if resolved.kind == "binary" else str(scalar.value)
    text = scalar.value
    return "" if text in NULLS and scalar.plain else text


def is_null(scalar: ScalarNode) -> bool:
    """Whether `scalar` says nothing: empty, `~`, `null`."""
    tag_allows_it = scalar.plain if scalar.tag is None else scalar.tag == _TAG_PREFIX + "null"
    return scalar.value in NULLS and tag_allows_it


def is_merge(key: Node) -> bool:
    """Whether `key` asks for another map's entries: an unquoted `<<`."""
    if not isinstance(key, ScalarNode) or key.value != "<<":
        return False
    return key.plain or key.tag == _TAG_PREFIX + "merge"


def _number_or_time(text: str) -> Resolved:
    if text[0] != ".":
        if _TIMESTAMP.fullmatch(text):
            return Resolved("timestamp", text)
        text_without_separators = text.replace("_", "")
    else:
        text_without_separators = text
    if (integer := _integer(text_without_separators)) is not None:
        return Resolved("int", integer)
    if _FLOAT.fullmatch(text_without_separators):
        number = float(text_without_separators)
        if math.isfinite(number):
            return Resolved("float", number)
    return Resolved("str", text)


def _integer(text: str) -> int | None:
    """Go's strconv.ParseInt with base 0, and ParseUint for what is larger; `010` is octal."""
    found = _INTEGER.fullmatch(text)
    if found is None or found.lastgroup is None:
        return None
    number = int(found[found.lastgroup], _BASES[found.lastgroup])
    if found["sign"]:
        number = -number if found["sign"] == "-" else number
        return number if -(2**63) <= number < 2**63 else None
    return number if number < 2**64 else None


def _decoded(text: str) -> str:
    try:
        content = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidScalar("the !!binary is no base64") from None
    return content.decode(errors="replace")
