"""A line of what was logged about a run, by whoever logged it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line; `who` is a function, `container` or `execution`."""

    at: float
    who: str
    text: str
    level: str = ""
