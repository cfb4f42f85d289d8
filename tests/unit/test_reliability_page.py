"""docs/reliability.md says what each failure comes to; each of its rows is a test."""

import re
from pathlib import Path

import pytest

from tests.support.sample import ALL_EXAMPLES, EXAMPLES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
DOCUMENTED = 8
"""How many rows are failures of Keptn's own distributor and job executor."""


def rows() -> list[str]:
    """What happens, row by row, as it stands in a test's name."""
    _, _, table = PAGE.partition("| What happens |")
    lines = table.split("\n\n")[0].splitlines()[2:]
    return [name_of(line.split("|")[1]) for line in lines]


def name_of(text: str) -> str:
    return re.sub(r"\W+", "_", text.replace("'", "").lower()).strip("_")


def names_in(path: Path) -> list[str]:
    return re.findall(r"^ *def test_(\w+)", path.read_text(), re.MULTILINE)


NAMES = [name for path in (ROOT / "tests").rglob("test_*.py") for name in names_in(path)]


@pytest.mark.parametrize("row", rows())
def test_every_row_is_a_test_of_that_name(row: str) -> None:
    assert [name for name in NAMES if name.startswith(row)]


def test_the_documented_failures_are_the_first_rows() -> None:
    names = names_in(ROOT / "tests" / "integration" / "test_documented_failures.py")

    assert all(
        name.startswith(row) for row, name in zip(rows()[:DOCUMENTED], names[:DOCUMENTED], strict=True)
    ), names
    assert not any(name.startswith(row) for row in rows()[DOCUMENTED:] for name in names)


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests|docs|functions)/[\w/.]+)`", PAGE)

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_page_says_how_many_interleavings_there_are_and_how_many_in_a_sample() -> None:
    assert f"lets Hypothesis choose {ALL_EXAMPLES:,} orders" in PAGE
    assert f"`make test` has the first {EXAMPLES} of each" in PAGE
