"""JSON as Go's services read it: a wrong body is refused in Go's own words."""

import json
import re
from collections.abc import Mapping
from typing import Any

_LITERALS = ("true", "false", "null")
_CONTEXTS = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


class Unreadable(Exception):
    """A body is no JSON, or not of the type that it should be; says so as Go does."""


def decode(raw: bytes) -> Any:
    """The first value of a body; as with Go's decoder, whatever follows it does not matter.

    Raises Unreadable.
    """
    text = raw.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise Unreadable("EOF")
    try:
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise Unreadable(_in_gos_words(text, error)) from None
    return value


def struct(value: Any, go_type: str, texts: Mapping[str, str], at: str = "") -> dict[str, str]:
    """The text fields of an object that Go reads into a struct; null leaves all of them empty.

    `texts` has the fields by name with their Go types. `at` is where the struct lies in another one, as
    `Outer.field`.

    Raises Unreadable.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        where = f"struct field {at} of type" if at else "value of type"
        raise Unreadable(f"json: cannot unmarshal {kind(value)} into Go {where} {go_type}")
    path = f"{at.partition('.')[2]}." if at else ""
    for name, given in value.items():
        if name in texts and not isinstance(given, str | None):
            field = f"{go_type.rpartition('.')[2]}.{path}{name}"
            problem = f"cannot unmarshal {kind(given)} into Go struct field {field} of type {texts[name]}"
            raise Unreadable(f"json: {problem}")
    return {name: value.get(name) or "" for name in texts}


def kind(value: Any) -> str:
    """What Go calls a JSON value of this kind."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _refuse_constant(constant: str) -> None:
    """Python reads NaN and Infinity, which are no JSON to Go."""
    raise Unreadable(_no_value(constant))


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _in_gos_words(text: str, error: json.JSONDecodeError) -> str:
    place = error.pos
    if error.msg.startswith("Illegal trailing comma"):
        place += 1 + len(text[place + 1 :]) - len(text[place + 1 :].lstrip())
    rest = text[place:]
    if not rest or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    if error.msg == "Expecting value":
        return _no_value(rest)
    context = _CONTEXTS.get(error.msg) or _after_element(text[:place])
    return f"invalid character {_quoted(rest[0])} {context}"


def _no_value(rest: str) -> str:
    for literal in _LITERALS:
        if rest[0] == literal[0]:
            wrong = next(index for index, letter in enumerate(literal) if rest[index : index + 1] != letter)
            if len(rest) <= wrong:
                return "unexpected EOF"
            expected = f"in literal {literal} (expecting '{literal[wrong]}')"
            return f"invalid character {_quoted(rest[wrong])} {expected}"
    if rest[0] == "-":
        return f"invalid character {_quoted(rest[1])} in numeric literal" if rest[1:] else "unexpected EOF"
    return f"invalid character {_quoted(rest[0])} looking for beginning of value"


def _after_element(before: str) -> str:
    """Where a comma was expected: in an array or in an object, whichever was opened last."""
    brackets = _STRINGS.sub("", before)
    while (inner := re.sub(r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}", "", brackets)) != brackets:
        brackets = inner
    opened = re.findall(r"[\[{]", brackets)
    return "after array element" if opened[-1:] == ["["] else "after object key:value pair"


def _quoted(character: str) -> str:
    """As Go quotes it, in single quotes."""
    if character in "'\\":
        return f"'\\{character}'"
    return f"'{character}'" if character == '"' else f"'{json.dumps(character)[1:-1]}'"
