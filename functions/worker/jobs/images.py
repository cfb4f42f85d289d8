"""Which container images a deployment allows: the job executor's ALLOWED_IMAGE_LIST."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jobs.compiled import InvalidPattern, Pattern, pattern

_ANYTHING: Final = "(?s:.*)"
_ANY_CHARACTER: Final = "(?s:.)"


class InvalidImagePattern(ValueError):
    """An item of the allowlist that is no glob."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(f"invalid image pattern {pattern!r}: {reason}")


@dataclass(frozen=True)
class ImageAllowlist:
    """Globs of which one must match the whole text of an image, literally: no registry or tag is assumed."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "ImageAllowlist":
        """Read a comma list, untrimmed; empty, or with an item `*`, it allows all.

        Raises InvalidImagePattern.
        """
        items = [item for item in text.split(",") if item]
        if "*" in items:
            return cls()
        return cls(tuple(map(_compiled, items)))

    def allows(self, image: str) -> bool:
        """Whether a task may run `image`."""
        return not self.patterns or any(allowed.search(image) for allowed in self.patterns)


def _compiled(glob: str) -> Pattern:
    try:
        return pattern(rf"\A{_expression(glob)}\z")
    except InvalidPattern as problem:
        raise InvalidImagePattern(glob, str(problem)) from None


def _expression(glob: str) -> str:
    """Turn a glob of github.com/gobwas/glob, without separators, into a regular expression.

    `*` crosses `/` and `:`. A class holds one range or a list of characters and is negated by `!`. A
    backslash takes the next character literally. An alternative that is not closed ends with the glob.
    """
    expression = []
    depth = 0
    characters = iter(glob)
    for character in characters:
        match character:
            case "\\":
                expression.append(_literal(next(characters, "")))
            case "*":
                expression.append(_ANYTHING)
            case "?":
                expression.append(_ANY_CHARACTER)
            case "[":
                expression.append(_class(glob, characters))
            case "{":
                depth += 1
                expression.append("(?:")
            case "," if depth:
                expression.append("|")
            case "}" if depth:
                depth -= 1
                expression.append(")")
            case _:
                expression.append(_literal(character))
    return "".join(expression) + ")" * depth


def _class(glob: str, characters: Iterator[str]) -> str:
    """From behind the `[` to behind the `]`."""
    members: list[str] = []
    negated = False
    for character in characters:
        if character == "!" and not members and not negated:
            negated = True
        elif character == "]" and members[1:] != ["-"]:
            break
        elif character == "\\" and members[1:] != ["-"]:
            members.append(next(characters, ""))
        else:
            members.append(character)
    else:
        raise InvalidImagePattern(glob, "a [ is not closed")
    if not members:
        raise InvalidImagePattern(glob, "a [] holds no character")
    if members[1:2] == ["-"]:
        if len(members) != 3 or members[0] > members[2]:
            raise InvalidImagePattern(glob, "a [] holds one range, as in [a-c], or a list of characters")
        inner = f"{_code(members[0])}-{_code(members[2])}"
    else:
        inner = "".join(map(_code, members))
    return f"[{'^' if negated else ''}{inner}]"


def _literal(character: str) -> str:
    return f"[{_code(character)}]" if character else ""


def _code(character: str) -> str:
    return rf"\x{{{ord(character):x}}}"
