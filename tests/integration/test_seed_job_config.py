"""The job executor's job/config.yaml of the user's document; tests/integration/test_demo.py has it run."""

import hashlib

from jobs.config import Rules, read
from local.job_demo import JOB_CONFIG

SHA256 = "56de0e51f80190e60276b81321729ec5d7c35340d072fd01cee44de4dea2b7b6"


def test_the_file_is_the_users_document_byte_for_byte() -> None:
    assert hashlib.sha256(JOB_CONFIG.read_bytes()).hexdigest() == SHA256
    assert len(read(JOB_CONFIG.read_bytes(), origin="seed", rules=Rules()).actions) == 2
