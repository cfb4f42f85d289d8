"""Kubernetes' expansion of `$(VAR)` in commands, arguments and the values of variables."""

from collections.abc import Callable


def expand(text: str, value_of: Callable[[str], str | None]) -> str:
    """Replace `$(NAME)` by `value_of(NAME)`, once; where that is None, the reference stays as it is.

    `$$` is one dollar sign and makes a reference literal: `$$(NAME)` becomes `$(NAME)`.
    """
    expanded = []
    position = 0
    last_end = text.rfind(")")
    while (dollar := text.find("$", position)) >= 0:
        expanded.append(text[position:dollar])
        if text.startswith("$(", dollar) and dollar < last_end:
            end = text.find(")", dollar)
            value = value_of(text[dollar + 2 : end])
            expanded.append(text[dollar : end + 1] if value is None else value)
            position = end + 1
        else:
            expanded.append("$")
            position = dollar + (2 if text.startswith("$$", dollar) else 1)
    expanded.append(text[position:])
    return "".join(expanded)
