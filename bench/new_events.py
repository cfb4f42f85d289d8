"""How fast the poller dispatches many new events, beside a plain sequential loop of the same calls."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

EVENTS = 1000
DELAY = 0.02  # seconds until the stub answers
TITLE = f"(b) {EVENTS:,} new events, beside a loop of look, put and invoke; stubs answer after 20 ms"


def measure() -> Iterator[Figure]:
    """Events per second, and that both sent the very same requests."""
    with stub_server(Behaviour(delay=DELAY, events=EVENTS)) as stub:
        answer = answer_of("bench.subjects.new_events", poller_environment(stub.url))
        counts = stub.notes().counts
    ours, loop = (EVENTS / answer[who] for who in ("controller", "loop"))
    yield Figure("events dispatched per second", ours, loop, at_least=5, bounds_ratio=True)
    for kind in ("look", "PutItem", "invoke"):
        yield Figure(f"requests of both together: {kind}", counts[kind], 2 * EVENTS, exactly=2 * EVENTS)
