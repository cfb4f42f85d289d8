"""docs/logs.md says what each error in the log means; page and code have the same words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text()


def in_the_code() -> Iterator[tuple[str, str]]:
    """Level and message of each line of the log; what a message gets only when it is written is `…`."""
    for room in ("functions", "layers"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name("logger"), attr="error" | "warning" as level),
                        args=[message, *_],
                    ):
                        yield level.upper(), words(message)


def words(message: ast.expr) -> str:
    match message:
        case ast.Constant(str(text)):
            return text.replace("%s", "…")
        case ast.JoinedStr(parts):
            return "".join(words(part) for part in parts)
    return "…"


def on_the_page() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (ERROR|WARNING) \| (.*?) \|", PAGE, re.MULTILINE)
    return [(level, message) for level, cell in rows for message in re.findall("`(.+?)`", cell)]


def are_the_same(page: str, code: str) -> bool:
    """Whether two messages are one; the page may leave out the end of a long one."""
    head, cut, _ = page.partition("…")
    return code.startswith(head) if cut else code == page


@pytest.mark.parametrize(("level", "message"), on_the_page())
def test_every_message_of_the_page_is_in_the_code(level: str, message: str) -> None:
    assert any(level == code and are_the_same(message, text) for code, text in in_the_code())


def test_every_error_of_the_code_is_on_the_page() -> None:
    explained = [message for level, message in on_the_page() if level == "ERROR"]
    errors = {text for level, text in in_the_code() if level == "ERROR"}

    assert len(errors) > 10
    assert {text for text in errors if not any(are_the_same(each, text) for each in explained)} == set()
