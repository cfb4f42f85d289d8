"""What the poller has loaded after a whole tick: nothing of what only the worker needs."""

import sys

from bench.fresh import answer_of, poller_environment
from bench.large_job_config import WORKERS_OWN
from bench.stub_server import Behaviour, stub_server


def test_a_tick_loads_nothing_that_reads_or_matches_job_configs() -> None:
    path = ":".join(entry for entry in sys.path if entry)

    with stub_server(Behaviour(events=1)) as stub:
        environment = poller_environment(stub.url, PYTHONPATH=path)
        loaded = {name.partition(".")[0] for name in answer_of("bench.subjects.loaded_modules", environment)}
        asked = stub.notes().counts

    assert asked["invoke"] == 1, "the tick dispatched no event"
    assert "execution_plane" in loaded
    assert loaded & WORKERS_OWN == set()
