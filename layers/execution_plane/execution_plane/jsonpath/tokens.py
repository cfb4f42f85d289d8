"""The words of a JSONPath, as Go's text/scanner splits them and strconv.Unquote reads its strings."""

import math
import re
from typing import Final, NamedTuple

LONGEST_SHOWN: Final = 200
"""Characters of a path that an error shows."""

_SIMPLE_ESCAPES: Final = dict(zip("abfnrtv\\", b"\a\b\f\n\r\t\v\\", strict=True))
_CODED_ESCAPES: Final = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}
_BLANKS_OR_COMMENT: Final = re.compile(r"[ \t\r\n]+|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_OCTAL_DIGITS: Final = "01234567"


class InvalidJsonPath(ValueError):
    """A text that is no path of the dialect. `position` counts characters from 1."""

    def __init__(self, path: str, position: int, reason: str) -> None:
        shown = path if len(path) <= LONGEST_SHOWN else path[: LONGEST_SHOWN - 1] + "…"
        super().__init__(f"invalid JSONPath {shown!r}, character {position}: {reason}")
        self.path = path
        self.position = position
        self.reason = reason


class Token(NamedTuple):
    """One word: `kind` is "identifier", "number", "string", "end" or the symbol itself."""

    kind: str
    text: str
    value: str | float
    position: int


def tokens_of(path: str) -> list[Token]:
    """All words of `path`, the last one of kind "end"; raises InvalidJsonPath."""
    tokens = []
    at = 0
    while at < len(path):
        if skipped := _BLANKS_OR_COMMENT.match(path, at):
            at = skipped.end()
            continue
        kind, value, end = _token_at(path, at)
        tokens.append(Token(kind, path[at:end], value, at + 1))
        at = end
    return [*tokens, Token("end", "", "", len(path) + 1)]


def _token_at(path: str, at: int) -> tuple[str, str | float, int]:
    """Kind, value and end of the word that begins at index `at`."""
    character = path[at]
    if _begins_identifier(character):
        end = at
        while end < len(path) and (_begins_identifier(path[end]) or path[end].isdecimal()):
            end += 1
        return "identifier", path[at:end], end
    if _is_digit(path, at) or (character == "." and _is_digit(path, at + 1)):
        end = _end_of_number(path, at)
        number = float(path[at:end])
        if math.isinf(number):
            raise InvalidJsonPath(path, at + 1, "the number is out of range")
        return "number", number, end
    if character in "\"'`":
        value, end = _unquoted(path, at)
        return "string", value, end
    if path.startswith(("==", "!="), at):
        return path[at : at + 2], "", at + 2
    return character, "", at + 1


def _begins_identifier(character: str) -> bool:
    return character == "_" or character.isalpha()


def _is_digit(path: str, at: int) -> bool:
    return path[at : at + 1] in tuple("0123456789")


def _is_separator(path: str, at: int) -> bool:
    """Whether there is a `_` between two digits."""
    return path[at : at + 1] == "_" and _is_digit(path, at - 1) and _is_digit(path, at + 1)


def _end_of_number(path: str, at: int) -> int:
    def after_digits(index: int) -> int:
        while _is_digit(path, index) or _is_separator(path, index):
            index += 1
        return index

    end = after_digits(at)
    if path.startswith(".", end):
        end = after_digits(end + 1)
    if path[end : end + 1] in ("e", "E"):
        exponent = end + 2 if path[end + 1 : end + 2] in ("+", "-") else end + 1
        return after_digits(exponent) if _is_digit(path, exponent) else end
    return end


def _unquoted(path: str, start: int) -> tuple[str, int]:
    """Value and end of the string that begins with the quote at index `start`."""
    quote = path[start]
    if quote == "`":
        end = path.find("`", start + 1)
        if end < 0:
            raise InvalidJsonPath(path, start + 1, "the string is not closed")
        return path[start + 1 : end].replace("\r", ""), end + 1
    value = bytearray()
    characters = 0
    at = start + 1
    while path[at : at + 1] != quote:
        if at >= len(path) or path[at] == "\n":
            raise InvalidJsonPath(path, start + 1, "the string is not closed")
        if path[at] == "\\":
            encoded, at = _escape(path, at, quote)
            value += encoded
        else:
            value += path[at].encode(errors="replace")
            at += 1
        characters += 1
    if quote == "'" and characters > 1:
        raise InvalidJsonPath(
            path, start + 1, 'single quotes hold one character at most; use double quotes: ["key"]'
        )
    return value.decode(errors="replace"), at + 1


def _escape(path: str, at: int, quote: str) -> tuple[bytes, int]:
    """The bytes that the escape at index `at` stands for, and its end."""
    letter = path[at + 1 : at + 2]
    if letter == quote:
        return quote.encode(), at + 2
    if letter in _SIMPLE_ESCAPES:
        return bytes([_SIMPLE_ESCAPES[letter]]), at + 2
    if letter and letter in _OCTAL_DIGITS:
        begin, length, base = at + 1, 3, 8
    else:
        length, base = _CODED_ESCAPES.get(letter, (0, 0))
        begin = at + 2
    digits = path[begin : begin + length]
    if not length or len(digits) < length or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise InvalidJsonPath(path, at + 1, "unknown escape in a string")
    try:
        code = int(digits, base)
        encoded = chr(code).encode() if letter in ("u", "U") else bytes([code])
    except (ValueError, OverflowError):
        raise InvalidJsonPath(path, at + 1, "unknown escape in a string") from None
    return encoded, begin + length
