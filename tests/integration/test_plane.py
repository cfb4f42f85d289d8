"""`./plane` as it is typed: what it makes at first use, where its options stand, and how it ends."""

import hashlib
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from cli.choice import in_front
from cli.environments import NotMade, is_ready, make
from tests.support.application import ROOT

SHARED = {"--stack": True, "--region": True, "--quiet": False}


def plane(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "plane"), *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_its_exit_codes_are_the_commands_own(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: v1")

    assert plane("lint", "functions/worker/job/config.yaml").returncode == 0
    assert plane("lint", str(tmp_path / "bad.yaml")).returncode == 1
    assert plane("lint", str(tmp_path / "missing.yaml")).returncode == 2
    assert plane("nonsense").returncode == 2


@pytest.mark.slow
def test_a_shell_completes_its_commands() -> None:
    words = {"COMP_WORDS": "./plane dr", "COMP_CWORD": "1"}

    assert plane(_PLANE_COMPLETE="complete_bash", **words).stdout.split() == ["drain"]


class _Command:
    """A command as Click has it, with an option of its own."""

    class _Option:
        param_type_name = "option"

        def __init__(self, name: str) -> None:
            self.opts = [name]

    def __init__(self, *options: str) -> None:
        self.params = [self._Option(name) for name in options]


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        ("list --stack a", "--stack a list"),
        ("list --closed --stack=a --region b", "--stack=a --region b list --closed"),
        ("--region b list --quiet", "--region b --quiet list"),
        ("end x --reason --stack", "end x --reason --stack"),
        ("deploy --stack a --region b", "--region b deploy --stack a"),
        ("list -- --stack a", "list -- --stack a"),
        ("unknown --stack", "--stack unknown"),
    ],
)
def test_shared_options_may_stand_behind_a_command_that_has_none_of_that_name(words: str, moved: str) -> None:
    commands = {"list": _Command(), "end": _Command("--reason"), "deploy": _Command("--stack")}

    assert in_front(words.split(), SHARED, commands) == moved.split()


def wheel(folder: Path) -> tuple[Path, str]:
    """A package that is on this machine, and its hash."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        for name, lines in {
            "METADATA": ["Metadata-Version: 2.1", "Name: tiny", "Version: 1.0"],
            "WHEEL": ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"],
            "RECORD": [],
        }.items():
            archive.writestr(f"tiny-1.0.dist-info/{name}", "".join(f"{line}\n" for line in lines))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_an_environment_is_made_once_from_its_lock_with_its_progress_shown(tmp_path: Path) -> None:
    package, digest = wheel(tmp_path)
    folder, lock, shown = tmp_path / "made", tmp_path / "lock.txt", Terminal()
    lock.write_text(f"tiny @ file://{package} \\\n    --hash=sha256:{digest}\n")
    assert not is_ready(folder, lock)

    make(folder, lock, shown)

    assert is_ready(folder, lock)
    assert subprocess.run([folder / "bin" / "python", "-c", "import tiny"], check=False).returncode == 0
    assert shown.getvalue().startswith("Making made, once, with 1 packages:\n")
    assert shown.getvalue().endswith("made is ready.\n")
    lock.write_text(f"tiny @ file://{package} \\\n    --hash=sha256:{'0' * 64}\n")
    os.utime(lock, (2e9, 2e9))
    assert not is_ready(folder, lock)
    with pytest.raises(NotMade, match="made could not be made: pip says why, above"):
        make(folder, lock, shown)
    assert not is_ready(folder, lock)


def test_its_own_lock_is_a_part_of_the_developers() -> None:
    def packages(lock: str) -> set[str]:
        lines = (ROOT / "requirements" / lock).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line}

    assert packages("plane.txt") <= packages("dev.txt")
