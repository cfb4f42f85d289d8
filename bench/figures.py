"""A measured figure beside what it is compared with and its target, and how that is printed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import eq, ge, le

HEAD = ("", "measured", "beside it", "ratio", "target", "")
WIDTHS = (58, 12, 12, 8, 12, 4)


@dataclass(frozen=True)
class Figure:
    """One line. Without a target it is there to be compared, and neither passes nor fails."""

    what: str
    measured: float
    beside: float | None = None
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    exactly: float | None = None
    bounds_ratio: bool = False
    """Whether the target is for the ratio of the two, not for what was measured."""

    @property
    def ratio(self) -> float | None:
        """What was measured over what is beside it."""
        return self.measured / self.beside if self.beside else None

    @property
    def passes(self) -> bool | None:
        """Whether the target is met; None without a target."""
        bounded = self.ratio if self.bounds_ratio else self.measured
        verdicts = [compare(bounded, bound) for _, compare, bound in self._bounds() if bounded is not None]
        return all(verdicts) if verdicts else None

    def cells(self) -> tuple[str, ...]:
        """The line's columns."""
        what = "ratio " if self.bounds_ratio else ""
        return (
            self.what,
            _shown(self.measured, self.unit),
            _shown(self.beside, self.unit),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "".join(f"{what}{sign} {bound:g}" for sign, _, bound in self._bounds()),
            {True: "pass", False: "FAIL", None: ""}[self.passes],
        )

    def _bounds(self) -> list[tuple[str, Callable[[float, float], bool], float]]:
        bounds = (("<=", le, self.at_most), (">=", ge, self.at_least), ("=", eq, self.exactly))
        return [(sign, compare, bound) for sign, compare, bound in bounds if bound is not None]


def table(figures: Iterable[Figure]) -> str:
    """The lines of several figures, in columns."""
    return "\n".join(map(line, (figure.cells() for figure in figures)))


def line(cells: Iterable[str]) -> str:
    """One line of columns: the first to the left, the others to the right."""
    first, *others = (cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    return "  ".join((first.strip().ljust(WIDTHS[0]), *others)).rstrip()


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}".strip() if float(value).is_integer() else f"{value:,.2f} {unit}".strip()
