"""docs/keptn-api.md has the facts about Keptn that the code cites, by their numbers."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "keptn-api.md").read_text()
ROOMS = ("functions", "layers", "cli", "local", "bench", "tests")


def numbers() -> set[str]:
    """`2`, `2.1` and so on: the page's sections, and their facts."""
    found: set[str] = set()
    section = ""
    for line in PAGE.splitlines():
        if heading := re.match(r"## (\d+)\. ", line):
            section = heading[1]
            found.add(section)
        elif section and (fact := re.match(r"(\d+)\. ", line)):
            found.add(f"{section}.{fact[1]}")
    return found


def cited() -> set[str]:
    texts = (path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {number for text in texts for number in re.findall(r"keptn-api\.md, (\d+(?:\.\d+)?)", text)}


def test_every_number_that_the_code_cites_is_a_fact_of_the_page() -> None:
    assert cited()
    assert cited() - numbers() == set()


def test_no_code_cites_a_page_that_is_not_in_the_repository() -> None:
    texts = {path: path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    named = {
        (str(path.relative_to(ROOT)), page)
        for path, text in texts.items()
        for page in re.findall(r"\b((?:docs/)?[\w-]+\.md)\b", text)
    }

    assert {
        (path, page) for path, page in named if page.startswith("docs/") and not (ROOT / page).exists()
    } == set()


def test_no_code_cites_facts_by_a_number_alone() -> None:
    texts = {str(path): path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")}

    assert [path for path, text in texts.items() if re.search(r"\breference:? [0-9]", text)] == []
