"""Checks the prose that people read: the length of sentences, and words that only this project ever used.

`python -m tools.prose` prints what it finds. A test holds the pages, the descriptions of the template's
parameters, the commands' help and the messages of the code to it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.template import read_template

ROOT = Path(__file__).parents[1]
LONGEST = 25
"""Words of a sentence. Source: ASD-STE100, rule 6.3, on descriptive writing."""
OWN_WORDS = {
    r"(?:a|the|two|one|each|this) looks?(?= at Keptn|,| say| that)": "task status, probe",
    r"standing": "phase",
    r"mend(?:s|ed|ing)?": "fix, correct, repair",
    r"(?:take|takes|took|taking) leave": "unregister",
    r"(?:given|gives|taken|takes|put) back": "requeued",
    r"put off": "postponed",
    r"besides": "also, in addition",
    r"whoever's|whomever": "another program's",
    r"of which none": "none of them",
    r"the way (?:there|to Keptn)": "the route",
    r"goes before that": "overrides it",
    r"does without": "works without",
    r"as if it were": "like",
}
"""Words that had a meaning of their own here, as patterns, and what the field says."""
PRIVATE = re.compile(rf"\b(?:{'|'.join(OWN_WORDS)})\b", re.IGNORECASE)
ROUNDABOUT = re.compile(r"(?:What|Whoever|Whomever|Of what|Of which|That which) (?!is new)")
"""How a sentence begins whose subject comes late."""
BLOCK = re.compile(r"^( *)```.*?^ *```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\]\([^)]*\)")
END = re.compile(r"(?<=[.!?;:])[)”\"*]*\s+(?=[A-Z`*\[(“$])|(?<=;)\s+|\*\* ")
"""Where a sentence ends. Lower case behind a colon, as of a list, belongs to the sentence."""
STORED = ROOT / "layers/execution_plane/execution_plane/ledger/history.py"
"""Its words are in the items of runs, so they cannot change."""
MESSAGE = 4
"""Words from which on a text of the code is taken for a message."""


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it stands."""

    place: str
    text: str

    @property
    def words(self) -> int:
        """How many words it has; what is code counts as one."""
        return len(CODE.sub("code", self.text).split())

    @property
    def trouble(self) -> str:
        """What is wrong with it, or nothing."""
        if self.words > LONGEST:
            return f"has {self.words} words"
        if private := PRIVATE.search(CODE.sub("", self.text)):
            return f"says “{private[0]}”"
        if ROUNDABOUT.match(self.text) and self.text.endswith((".", ";")):
            return "begins with a clause"
        return ""


def sentences(place: str, text: str) -> Iterator[Sentence]:
    """The sentences of a text, of which a semicolon ends one, too."""
    for part in END.split(" ".join(text.split())):
        if part.strip():
            yield Sentence(place, part)


def of_page(path: Path) -> Iterator[Sentence]:
    """The sentences of a page of Markdown: of its paragraphs, list items and the cells of its tables."""
    text = LINK.sub("]", COMMENT.sub("", BLOCK.sub("", path.read_text())))
    place = str(path.relative_to(ROOT))
    paragraph: list[str] = []
    is_heading = False
    for line in [*text.splitlines(), ""]:
        begins = not line.strip() or re.match(r"\s*([-*|#>]|\d+\. )", line)
        if paragraph and (begins or is_heading):
            yield from sentences(place, " ".join(paragraph))
            paragraph = []
        is_heading = line.startswith("#")
        if line.lstrip().startswith("|"):
            for cell in line.strip().strip("|").split(" | "):
                yield from sentences(place, cell)
        elif line.strip():
            paragraph.append(re.sub(r"^\s*([-*#>]+|\d+\. )\s*", "", line.strip()))


def of_template() -> Iterator[Sentence]:
    """The sentences of the parameters' descriptions."""
    for name, parameter in read_template()["Parameters"].items():
        yield from sentences(name, parameter["Description"])


def of_messages() -> Iterator[Sentence]:
    """The texts of the code that people read: those of several words that are no docstrings."""
    for room in ("functions", "layers", "cli", "local"):
        for path in sorted({*(ROOT / room).rglob("*.py")} - {STORED}):
            tree = ast.parse(path.read_text())
            inside = {id(part) for node in ast.walk(tree) for part in _parts(node)}
            for node in ast.walk(tree):
                text = "" if id(node) in inside else _text(node)
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                for paragraph in re.split(r"\n\s*\n|\n(?=\s|\w+ =|import)", text):
                    if len(paragraph.split()) >= MESSAGE:
                        yield from sentences(place, paragraph)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What is a part of a longer text, or a docstring."""
    match node:
        case ast.Expr(value):
            yield value
        case ast.JoinedStr(values):
            yield from values


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(values):
            return "".join(_text(value) or "…" for value in values)
    return ""


def pages() -> list[Path]:
    """The pages that people read, but for the changelog of what is past."""
    found = [path for place in (ROOT, ROOT / "docs") for path in sorted(place.glob("*.md"))]
    return [path for path in found if path.name != "CHANGELOG.md"]


def found() -> list[Sentence]:
    """All sentences with which something is wrong."""
    every = [each for path in pages() for each in of_page(path)]
    return [each for each in (*every, *of_template(), *of_messages()) if each.trouble]


if __name__ == "__main__":
    for sentence in found():
        print(f"{sentence.place}: {sentence.trouble}: {sentence.text}")  # noqa: T201
