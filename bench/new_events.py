"""How fast the poller dispatches many new events, beside a plain sequential loop of the same calls; and what
the processor does for each event.
"""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

EVENTS = 1000
WHOLE_PROCESSOR = 1769  # MB of memory with which a function has a whole one, by AWS's developer guide
DELAY = 0.02  # seconds until the stub answers
TITLE = f"(b) {EVENTS:,} new events, beside a loop of look, put and invoke; stubs answer after 20 ms"


def measure() -> Iterator[Figure]:
    """Events per second; what the controller asked for, and the processor's time of controller and worker,
    which decides how fast a function is that has a share of one: AWS gives it by memory.
    """
    with stub_server(Behaviour(delay=DELAY, events=EVENTS)) as stub:
        answer = answer_of("bench.subjects.new_events", poller_environment(stub.url))
    ours, loop = (EVENTS / answer[who] for who in ("controller", "loop"))
    yield Figure("events dispatched per second", ours, loop, at_least=5, bounds_ratio=True)
    for kind, most in (("list", 1), ("look", EVENTS // 250), ("PutItem", EVENTS), ("invoke", EVENTS)):
        yield Figure(f"requests: {kind}", answer["counts"][kind], most, at_most=most)
    for who, seconds, events in (
        ("poller", answer["cpu"], EVENTS),
        ("worker", answer["worker_cpu"], answer["worked"]),
    ):
        cpu = 1000 * seconds / events
        yield Figure(f"{who}: processor's time for each event", cpu, unit="ms")
        for megabytes in (256, 512, 1024):
            yield Figure(f"{who}: at {megabytes:,} MB", cpu * WHOLE_PROCESSOR / megabytes, unit="ms")
