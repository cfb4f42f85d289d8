"""A command in a terminal, with somebody at it who answers its questions."""

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

Dialogue = Sequence[tuple[str, str]]
"""What is asked, as a pattern, and what is answered."""

SECONDS = 150
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def converse(
    command: Sequence[str], dialogue: Dialogue, *, directory: Path, environment: Mapping[str, str]
) -> str:
    """Run a command, and give each answer once its question has come; all that the terminal showed.

    Raises AssertionError if a question does not come or the command fails.
    """
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (50, 200))
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # it becomes theirs, with Ctrl-C
    )
    os.close(follower)
    try:
        shown = _answer(leader, list(dialogue))
    finally:
        os.close(leader)
        if process.poll() is None:
            process.terminate()
        process.wait()
    assert process.returncode == 0, shown
    return shown


def _answer(terminal: int, waiting: list[tuple[str, str]]) -> str:
    """Read until the command ends, and answer meanwhile."""
    shown, answered, end = "", 0, time.monotonic() + SECONDS
    while select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # nobody has the other end any more
            break
        shown = _ESCAPES.sub("", shown + more.decode(errors="replace")).replace("\r\n", "\n")
        # The blank comes last, and of what is not to be shown only once the terminal shows nothing.
        if waiting and shown.endswith(": ") and re.search(waiting[0][0], shown[answered:]):
            answered = len(shown)
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    assert not waiting, f"{waiting[0][0]!r} was not asked:\n{shown}"
    return shown
