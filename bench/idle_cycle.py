"""What an idle cycle asks of Keptn and AWS: one GET per event type and one query, and nothing else."""

from collections.abc import Iterator

from bench.events import EVENT_TYPE
from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

TITLE = "(a) An idle cycle: requests as they arrive at a stub for Keptn and AWS"
TYPES = (1, 5)
CYCLES = 10


def measure() -> Iterator[Figure]:
    """Requests of one cycle, beside what there must be."""
    with stub_server(Behaviour()) as stub:
        for types in TYPES:
            names = [EVENT_TYPE, *(f"sh.keptn.event.task{number}.triggered" for number in range(1, types))]
            environment = poller_environment(stub.url, EVENT_TYPES=",".join(names), CYCLES=str(CYCLES))
            counts = answer_of("bench.subjects.idle_cycles", environment)
            gets, queries = (counts.pop(kind, 0) / CYCLES for kind in ("list", "Query"))
            what = f"{types} event type{'s' * (types > 1)}"
            yield Figure(f"{what}: GETs of open events", gets, types, exactly=types)
            yield Figure(f"{what}: queries of the ledger", queries, 1, exactly=1)
            yield Figure(f"{what}: anything else", sum(counts.values()) / CYCLES, 0, exactly=0)
