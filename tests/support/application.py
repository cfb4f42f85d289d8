"""The application as a user has it, in a directory of its own, for the SAM CLI to build."""

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHITECTURES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def this_architecture() -> str:
    """What the parameter `Architecture` is for functions that are to run on this machine."""
    return ARCHITECTURES[platform.machine()]


def copy_application(directory: Path, tasks: Mapping[str, str]) -> Path:
    """What is deployed, with more tasks: the text of each by its name. Gives the directory."""
    for part in ("functions", "layers"):
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory)
    for name, text in tasks.items():
        (directory / "functions" / "worker" / "tasks" / f"{name}.py").write_text(text)
    return directory
