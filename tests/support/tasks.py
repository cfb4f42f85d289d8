"""A folder of Python tasks that a test writes."""

from pathlib import Path

import tasks


def task_folder(parent: Path) -> Path:
    """A new `tasks` in `parent`, with what a task gets and gives, and no task yet."""
    folder = parent / "tasks"
    folder.mkdir()
    (folder / "__init__.py").write_bytes(Path(tasks.__file__).read_bytes())
    return folder
