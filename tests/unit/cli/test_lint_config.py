"""The command that checks job configs."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import lint_config

ROOT = Path(__file__).parents[3]

VALID = "apiVersion: v2\nactions:\n  - name: a\n    tasks:\n      - image: alpine\n"
PRIVILEGED = VALID + "        securityContext: {privileged: true}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_a_valid_file_prints_nothing_and_ends_with_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)
    assert lint_config.main([str(file)]) == 0
    assert capsys.readouterr().out == ""


def test_every_problem_is_a_line_and_the_end_is_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("apiVersion: v2\nactions:\n  - silent: 1\n    events: [{name: '['}]\n")
    assert lint_config.main([str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file}, line 3, actions[0].silent: expected true or false, found '1'"
    assert lines[1].startswith(
        f"{file}, line 4, actions[0].events[0].name: expected an RE2 pattern, found '['"
    )
    assert len(lines) == 2


def test_all_files_are_checked(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("")
    assert lint_config.main([str(file), str(tmp_path / "missing.yaml")]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_privileged_jobs_must_be_allowed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(PRIVILEGED)
    assert lint_config.main([str(file)]) == 1
    assert "privileged containers are not allowed" in capsys.readouterr().out
    assert lint_config.main(["--allow-privileged-jobs", str(file)]) == 0


def test_images_are_checked_against_the_allowlist(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)
    assert lint_config.main([str(file), "--allowed-images", "docker.io/*,al*"]) == 0
    assert lint_config.main([str(file), "--allowed-images", "docker.io/*"]) == 1
    assert "expected an image that this deployment allows" in capsys.readouterr().out


def test_a_bad_allowlist_is_a_wrong_use_of_the_command(file: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        lint_config.main([str(file), "--allowed-images", "["])
    assert caught.value.code == 2


def test_it_runs_as_a_module(file: Path) -> None:
    file.write_text("apiVersion: v1")
    path = ":".join(entry for entry in sys.path if entry)
    ended = subprocess.run(
        [sys.executable, "-m", "cli.lint_config", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path},
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "expected v2, found 'v1'" in ended.stdout


def test_make_runs_it_for_one_file_or_several(file: Path) -> None:
    file.write_text("apiVersion: v1")
    asked = [
        "make",
        "--dry-run",
        "--no-print-directory",
        "lint-config",
        f"FILE={file} missing.yaml",
        "ARGS=--allow-privileged-jobs",
    ]
    command = subprocess.check_output(asked, text=True, cwd=ROOT).splitlines()[-1]

    ended = subprocess.run(
        ["sh", "-c", command.replace(".venv/bin/python", sys.executable)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (ended.returncode, ended.stderr) == (1, "")
    assert "expected v2, found 'v1'" in ended.stdout
    assert "missing.yaml: No such file or directory" in ended.stdout
