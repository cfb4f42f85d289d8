"""The pages of the reference are what the code says; `make reference` writes them anew."""

from pathlib import Path

import pytest

from tools.reference import PAGES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_from_the_code_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name]()
