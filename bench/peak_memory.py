"""How much memory cycles take when very much is open."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

EVENTS = 10_000
EVENT_BYTES = 5 * 1024
LIMIT = 150  # MiB
MIB = 1024 * 1024
LARGE = 50  # events of a mebibyte, the most that the NATS behind Keptn takes
TITLE = "(d) Peak memory of a cycle with 50 MiB of open events, beside an idle poller"


def measure() -> Iterator[Figure]:
    """Peaks of one process: a later one includes the earlier ones."""
    with stub_server(Behaviour(events=EVENTS, event_bytes=EVENT_BYTES)) as stub:
        idle, new, known = answer_of("bench.subjects.many_open_events", poller_environment(stub.url))
        claimed = stub.notes().counts["PutItem"]
    yield Figure(
        f"{EVENTS:,} events of 5 KiB: all are new, and claimed",
        new["peak"],
        idle["peak"],
        "MiB",
        at_most=LIMIT,
    )
    yield Figure("the next cycle, all have a run", known["peak"], idle["peak"], "MiB", at_most=LIMIT)
    yield Figure("events claimed in the first", claimed, EVENTS, exactly=EVENTS)
    yield Figure("runs read from the ledger in the second", known["runs"], EVENTS, exactly=EVENTS)
    with stub_server(Behaviour(events=LARGE, event_bytes=MIB)) as stub:
        idle, large, _ = answer_of("bench.subjects.many_open_events", poller_environment(stub.url))
    yield Figure(f"{LARGE} events of 1 MiB", large["peak"], idle["peak"], "MiB", at_most=LIMIT)
    yield Figure("events listed of these", large["events"], LARGE, exactly=LARGE)
