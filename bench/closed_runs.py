"""Whether a cycle's cost grows with the history: the ledger's part with many closed runs and with none."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

ACTIVE = 25
CLOSED = 100_000
TITLE = (
    f"(e) A cycle's ledger cost with {CLOSED:,} closed runs, beside that with none; {ACTIVE} runs are active"
)
COUNTED = {
    "requests": "requests to DynamoDB",
    "Query": "of these, queries",
    "scanned": "items that the queries read (ScannedCount)",
    "returned": "items that they returned",
    "bytes": "bytes of the answers",
}


def measure() -> Iterator[Figure]:
    """Counts of one cycle each; DynamoDB's price depends on nothing else."""
    with stub_server(Behaviour(events=ACTIVE)) as stub:
        many, none = (
            answer_of(
                "bench.subjects.closed_runs",
                # Without an endpoint, AWS is moto; Keptn is the stub.
                poller_environment(stub.url, AWS_ENDPOINT_URL="", ACTIVE=str(ACTIVE), CLOSED=str(closed)),
            )
            for closed in (CLOSED, 0)
        )
    yield Figure("items in the table", many["items"], none["items"])
    for key, what in COUNTED.items():
        yield Figure(what, many[key], none[key], exactly=1, bounds_ratio=True)
