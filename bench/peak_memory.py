"""How much memory cycles take when very much is open."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

EVENTS = 10_000
EVENT_BYTES = 1024
LIMIT = 150  # MiB
TITLE = (
    f"(d) Peak memory of a cycle with {EVENTS:,} open events of {EVENT_BYTES} bytes, beside an idle poller"
)


def measure() -> Iterator[Figure]:
    """Peaks of one process: a later one includes the earlier ones."""
    with stub_server(Behaviour(events=EVENTS, event_bytes=EVENT_BYTES)) as stub:
        idle, new, known = answer_of("bench.subjects.many_open_events", poller_environment(stub.url))
        claimed = stub.notes().counts["PutItem"]
    yield Figure("all are new, and claimed", new["peak"], idle["peak"], "MiB", at_most=LIMIT)
    yield Figure("the next cycle, all have a run", known["peak"], idle["peak"], "MiB", at_most=LIMIT)
    yield Figure("events claimed in the first", claimed, EVENTS, exactly=EVENTS)
    yield Figure("runs read from the ledger in the second", known["runs"], EVENTS, exactly=EVENTS)
