"""The application as a user has it, in a directory of its own, for the SAM CLI to build."""

import platform
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS, FILES = ("functions", "layers"), ("template.yaml", "README.md", "LICENSE")
BEFORE_TIMERS = "be00c19c3bf455bb06beb4e5ebed332d6c046bab"
ARCHITECTURES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def this_architecture() -> str:
    """What the parameter `Architecture` is for functions that are to run on this machine."""
    return ARCHITECTURES[platform.machine()]


def released_application(directory: Path, tasks: Mapping[str, str]) -> Path | None:
    """As `copy_application`, but of the version before no function waited between polls; None where the
    repository's history does not reach back to it.
    """
    archive = subprocess.run(
        ["git", "archive", BEFORE_TIMERS, *PARTS, *FILES], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return add_tasks(directory, tasks)


def copy_application(directory: Path, tasks: Mapping[str, str]) -> Path:
    """What is deployed, with more tasks: the text of each by its name. Gives the directory."""
    for part in PARTS:
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, directory)
    return add_tasks(directory, tasks)


def add_tasks(directory: Path, tasks: Mapping[str, str]) -> Path:
    """Put tasks into an application; gives its directory."""
    for name, text in tasks.items():
        (directory / "functions" / "worker" / "tasks" / f"{name}.py").write_text(text)
    return directory
