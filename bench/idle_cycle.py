"""What an idle cycle asks of Keptn and AWS: one GET per event type, one query, a heartbeat if registered."""

from collections.abc import Iterator

from bench.events import EVENT_TYPE
from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

TITLE = "(a) An idle cycle: requests as they arrive at a stub for Keptn and AWS"
CASES = ((1, "disabled", 0), (1, "enabled", 1), (5, "enabled", 1))  # event types, registration, heartbeats
CYCLES = 10


def measure() -> Iterator[Figure]:
    """Requests of one cycle, beside what there must be."""
    with stub_server(Behaviour()) as stub:
        for types, registration, heartbeats in CASES:
            names = [EVENT_TYPE, *(f"sh.keptn.event.task{number}.triggered" for number in range(1, types))]
            environment = poller_environment(
                stub.url, EVENT_TYPES=",".join(names), REGISTRATION=registration, CYCLES=str(CYCLES)
            )
            counts = answer_of("bench.subjects.idle_cycles", environment)
            gets, queries, beats = (counts.pop(kind, 0) / CYCLES for kind in ("list", "Query", "heartbeat"))
            what = f"{types} event type{'s' * (types > 1)}, registration {registration}"
            yield Figure(f"{what}: GETs", gets, types, exactly=types)
            yield Figure(f"{what}: queries", queries, 1, exactly=1)
            yield Figure(f"{what}: heartbeats", beats, heartbeats, exactly=heartbeats)
            yield Figure(f"{what}: anything else", sum(counts.values()) / CYCLES, 0, exactly=0)
