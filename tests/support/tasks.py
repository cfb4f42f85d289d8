"""A folder of Python tasks that a test writes, and how soon what runs them looks at them."""

from pathlib import Path

import pytest

import tasks
from runners import python_function


def task_folder(parent: Path) -> Path:
    """A new `tasks` in `parent`, with what a task gets and gives, and no task yet."""
    folder = parent / "tasks"
    folder.mkdir()
    (folder / "__init__.py").write_bytes(Path(tasks.__file__).read_bytes())
    return folder


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a task all the time, and give it little to end in: its process lives in real time."""
    for name, seconds in {"GRACE": 0.3, "WATCH": 0.1, "LISTEN": 0.05}.items():
        monkeypatch.setattr(python_function, f"{name}_SECONDS", seconds)
