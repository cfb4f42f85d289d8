"""How long a cold tick takes to its first request, beside a script that only makes the same clients."""

from collections.abc import Iterator
from statistics import median
from time import monotonic

from bench.figures import Figure
from bench.fresh import poller_environment, run_fresh
from bench.stub_server import Behaviour, Stub, stub_server

TITLE = (
    "(c) A cold tick, beside a script that imports boto3 and requests, makes the same clients and GETs once"
)
TICK = "bench.subjects.tick"
SCRIPT = "bench.subjects.plain_get"
PAIRS = 20
MOST = 1.1  # times as long


def measure() -> Iterator[Figure]:
    """Milliseconds from process start until the stub notes a request: medians, and the least disturbed runs.

    Who goes first alternates. The first pair is not counted: it may have compiled what it imported.
    """
    firsts: dict[str, list[float]] = {TICK: [], SCRIPT: []}
    gets: dict[str, list[float]] = {TICK: [], SCRIPT: []}
    with stub_server(Behaviour()) as stub:
        for pair in range(1 + PAIRS):
            for module in (TICK, SCRIPT) if pair % 2 else (SCRIPT, TICK):
                first, get = _milliseconds(stub, module)
                if pair:
                    firsts[module].append(first)
                    gets[module].append(get)
    tick, script = firsts[TICK], firsts[SCRIPT]
    what = f"first request, median of {PAIRS}"
    yield Figure(what, median(tick), median(script), "ms", at_most=MOST, bounds_ratio=True)
    yield Figure("first request, fastest", min(tick), min(script), "ms")
    tick, script = gets[TICK], gets[SCRIPT]
    yield Figure(f"first GET of open events, median of {PAIRS}", median(tick), median(script), "ms")
    yield Figure("first GET of open events, fastest", min(tick), min(script), "ms")


def _milliseconds(stub: Stub, module: str) -> tuple[float, float]:
    """Until the first request of any kind, and until the first GET of open events."""
    begin = monotonic()
    run_fresh(module, poller_environment(stub.url))
    notes = stub.notes()
    return (notes.first_of_all - begin) * 1000, (notes.first["list"] - begin) * 1000
