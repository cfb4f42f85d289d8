"""What is counted is counted once, whoever counts beside it."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from execution_plane.telemetry import Count, count, metrics


@pytest.fixture
def _switching_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_switching_often")
def test_a_thousand_and_more_counts_of_32_threads_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.clear_metrics()
    with ThreadPoolExecutor(32) as pool:
        for _ in range(3217):
            pool.submit(count, Count.RUNS_CLAIMED)
    metrics.flush_metrics()

    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(sum(each[Count.RUNS_CLAIMED]) for each in written) == 3217
