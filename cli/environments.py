"""Makes the environments that commands run in, each from its lock, and shows how far that is.

With Python's own library alone, since nothing else is there yet: `python cli/environments.py FOLDER LOCK`.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

READY = "ready"
"""The file in an environment that says that it is whole, and how old."""
OVER = "\r\x1b[K  "
PIP = (
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--no-deps",
    "--require-hashes",
    "--requirement",
)


class NotMade(Exception):
    """An environment that could not be made; the text says why."""


def is_ready(folder: Path, lock: Path) -> bool:
    """Whether an environment is there, and is not older than its lock."""
    ready = folder / READY
    return ready.exists() and ready.stat().st_mtime >= lock.stat().st_mtime


def make(folder: Path, lock: Path, out: TextIO = sys.stderr) -> None:
    """Make an environment anew. Raises NotMade.

    A lock lists everything there is to install, so pip need not resolve anything; it could not either, where
    a package is wanted with an extra: it does not see that as pinned.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - it runs in whichever there is
        raise NotMade("Python 3.11 or later is needed.")
    total = sum(not line.startswith((" ", "#")) for line in lock.read_text().splitlines() if line)
    out.write(f"Making {folder.name}, once, with {total} packages:\n")
    venv.create(folder, clear=True, with_pip=True)
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603 - its own pip, with a lock of ours
        [str(folder / "bin" / "python"), *PIP, str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        assert pip.stdout
        for line in _steps(pip.stdout, said, total):
            # On a terminal one line is written over, elsewhere the first and the last one suffice.
            if out.isatty():
                out.write(f"{OVER}{line}")
                out.flush()
    if pip.returncode:
        raise NotMade("\n".join(["", *said[-10:], f"{folder.name} could not be made: pip says why, above."]))
    (folder / READY).touch()
    out.write(f"{OVER if out.isatty() else '  '}{folder.name} is ready.\n")


def _steps(lines: Iterable[str], said: list[str], total: int) -> Iterator[str]:
    """What to show while pip goes through the lock, and then installs."""
    number = 0
    for line in lines:
        said.append(line.rstrip())
        words = line.split()
        if words[:1] in (["Collecting"], ["Ignoring"]):
            number += 1
            yield f"{number} of {total}: {words[1].partition('==')[0]}"
        elif words[:1] == ["Installing"]:
            yield "installing them"


def main(arguments: list[str]) -> None:
    """`FOLDER LOCK`, as make calls it."""
    folder, lock = map(Path, arguments)
    try:
        make(folder, lock)
    except NotMade as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(sys.argv[1:])
