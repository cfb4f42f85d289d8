"""What `make` says where it can't do what it is asked for."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("word", "code", "sentence"),
    [
        ("", 2, "There is no Python 3.13, on which the functions run, so that no deployment can be tested"),
        ("WITHOUT=python3.13", 0, "No deployment is tested: there is no Python 3.13"),
        ("WITHOUT=python", 2, "or say so by make test-deploy WITHOUT=python3.13"),
    ],
)
def test_without_the_functions_python_no_deployment_passes_for_tested_unless_that_is_said(
    word: str, code: int, sentence: str
) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "test-deploy", "LAMBDA_PYTHON=", *filter(None, [word])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == code
    assert sentence in done.stdout + done.stderr
