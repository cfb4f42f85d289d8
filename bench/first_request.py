"""How long a cold tick takes to its first request, beside a script that only makes the same clients."""

from collections.abc import Iterator
from statistics import median
from time import monotonic

from bench.figures import Figure
from bench.fresh import poller_environment, run_fresh
from bench.stub_server import Behaviour, Notes, Stub, stub_server

TITLE = "(c) A cold tick, beside a script that imports boto3 and requests, makes the same clients and GETs once"
PAIRS = 15


def measure() -> Iterator[Figure]:
    """Medians of pairs that take turns, in milliseconds; the stub notes when a request arrives."""
    ticks: list[float] = []
    first_gets: list[float] = []
    scripts: list[float] = []
    with stub_server(Behaviour()) as stub:
        for _ in range(1 + PAIRS):
            begin, notes = _run(stub, "bench.subjects.tick")
            ticks.append(notes.first_of_all - begin)
            first_gets.append(notes.first["list"] - begin)
            begin, notes = _run(stub, "bench.subjects.plain_get")
            scripts.append(notes.first_of_all - begin)
    # The first pair may have compiled what it imported.
    tick, get, script = (median(seconds[1:]) * 1000 for seconds in (ticks, first_gets, scripts))
    yield Figure("first request, of the ledger", tick, script, "ms", at_most=1.2, bounds_ratio=True)
    yield Figure("first GET to Keptn, after the ledger and the API token", get, script, "ms")


def _run(stub: Stub, module: str) -> tuple[float, Notes]:
    begin = monotonic()
    run_fresh(module, poller_environment(stub.url))
    return begin, stub.notes()
