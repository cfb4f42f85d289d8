"""No link between the pages is dead, as they are read in the repository; `make docs` sees to the site's."""

import re
from pathlib import Path

import pytest

from tests.support.snippets import BLOCK, PAGES, ROOT

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")
README_BYTES = 9_216
"""What a newcomer reads in the first ten minutes."""


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return BLOCK.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Those of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_or_heading_that_is_there(page: Path) -> None:
    dead = []
    for file, anchor in LINK.findall(prose(page)):
        # The site has the root's pages beside those of docs, so that these link to them by their names.
        places = [page.parent / file if file else page, ROOT / file]
        found = next((each for each in places if each.exists()), None)
        if not found or (anchor and anchor not in anchors(found)):
            dead.append(f"{file}#{anchor}")

    assert dead == []


def test_the_readme_is_read_in_minutes() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES


@pytest.mark.parametrize(("row", "end"), [("on a laptop", "```\nmake test"), ("on AWS", "## Write a task")])
def test_the_stopwatch_counts_the_readmes_words(row: str, end: str) -> None:
    read = re.sub(
        r"```mermaid.*?```", "", (ROOT / "README.md").read_text().partition(end)[0], flags=re.DOTALL
    )
    page = (ROOT / "docs" / "first-hour.md").read_text()
    (told,) = re.findall(rf"^\| From a clone to .*{row}.*?\| (\d+), README", page, re.MULTILINE)

    assert round(len(read.split()), -1) == int(told)
