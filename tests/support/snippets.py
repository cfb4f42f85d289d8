"""What the pages show to be copied: their code blocks, and what a shell makes of the commands in them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT, ROOT / "docs") for path in path.glob("*.md"))
COMMANDS = ("aws", "curl", "git", "make", "pip", "plane", "pre-commit", "sam")
"""Those that a page may ask its reader to run, besides what a shell has itself."""
PLACES = re.compile(r"\.venv-sam/bin/|(?<![\w.])\./(?=plane\b)")
"""Where the SAM CLI is installed, and the command of this project is."""
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(rf"(\$ )?(export \w+=|(\./)?({'|'.join(COMMANDS)})\b)")
QUERY = re.compile(r"fields @")  # of CloudWatch Logs Insights
RECORDER = "\n".join(
    f"{name}() {{ printf '%s\\0' {name} \"$@\" >&3; printf '\\1' >&3; }}" for name in COMMANDS
)


@dataclass(frozen=True)
class Snippet:
    """A block of a page; the language of a shell's commands is `sh`, that of what a program prints `text`."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def snippets(*languages: str) -> list[Snippet]:
    """All blocks of the pages in one of the languages; all, if none is named."""
    return [each for path in PAGES for each in _of(path) if not languages or each.language in languages]


def _of(path: Path) -> Iterator[Snippet]:
    for number, (indent, language, text) in enumerate(BLOCK.findall(path.read_text()), 1):
        lines = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        if language in {"", "console"}:
            language = "query" if QUERY.match(lines) else "sh" if COMMAND.match(lines) else "text"
        yield Snippet(str(path.relative_to(ROOT)), number, language, lines)


def invocations(snippet: Snippet, **environ: str) -> list[list[str]]:
    """The commands that bash runs for a block, as words. None of them is run, and no other is found."""
    # Of a program that is named by its path, no function of the shell's could take the place.
    script = f"set -e\n{RECORDER}\n{PLACES.sub('', _commands(snippet.text))}"
    ran = subprocess.run(
        ["bash", "-c", f"exec 3>&1 1>&2\n{script}"],
        capture_output=True,
        text=True,
        env={"PATH": "", **environ},
        check=False,
        executable="/bin/bash",
    )
    assert (ran.returncode, ran.stderr) == (0, ""), f"{snippet}: {ran.stderr}"
    return [command.split("\0")[:-1] for command in ran.stdout.split("\1")[:-1]]


def _commands(text: str) -> str:
    """A block without what the commands behind a `$` print."""
    if not text.startswith("$ "):
        return text
    commands: list[str] = []
    is_open = False
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
        elif is_open:
            commands[-1] += f"\n{line}"
        is_open = commands[-1].endswith("\\") or not _is_whole(commands[-1])
    return "\n".join(commands)


def _is_whole(command: str) -> bool:
    return not subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode


def inline(*commands: str) -> list[tuple[str, str]]:
    """README and docs, and what in their text is written as one of the commands."""
    return [
        (str(path.relative_to(ROOT)), code)
        for path in PAGES
        if path.name == "README.md" or path.parent.name == "docs"
        for code in (
            PLACES.sub("", each) for each in re.findall(r"`([^`\n]+)`", BLOCK.sub("", path.read_text()))
        )
        if code.split()[0] in commands and len(code.split()) > 1
    ]
