"""The job executor's job/config.yaml of the user's document, from `triggered` to `finished`.

The demo that serves it, in a process of its own, checks Keptn's own count of the replies.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from jobs.config import Rules, read
from local.job_demo import JOB_CONFIG

ROOT = Path(__file__).parents[2]
SHA256 = "56de0e51f80190e60276b81321729ec5d7c35340d072fd01cee44de4dea2b7b6"


def second_act(**variables: str) -> str:
    """What the demo prints of the job config. It fails if a task is not served once, and as the file says."""
    done = subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("job/config.yaml in Keptn, unchanged.")[2]


def test_the_file_is_the_users_document_byte_for_byte() -> None:
    assert hashlib.sha256(JOB_CONFIG.read_bytes()).hexdigest() == SHA256
    assert len(read(JOB_CONFIG.read_bytes(), origin="seed", rules=Rules()).actions) == 2


def test_the_file_runs_unchanged_in_real_containers(docker_image: str) -> None:
    printed = second_act()

    assert "Its tasks run in a container, by Docker." in printed
    assert "finished        pass: Hello, world from APAC!" in printed
    assert "finished        pass: Hello, world from Europe!" in printed


def test_without_docker_it_runs_all_the_same_and_says_where() -> None:
    printed = second_act(DOCKER_HOST="tcp://127.0.0.1:1")

    assert "Its tasks run on this machine and not in a container, as no Docker answers." in printed
    assert "finished        pass: Hello, world from APAC!" in printed
    assert "finished        pass: Hello, world from Europe!" in printed
