"""How soon the first task of a sequence starts, after quiet and after busy times."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.sequence import figures, waits_of

SEQUENCES = 250  # of each kind
KINDS = {"quiet": (35.0, 95.0), "busy": (11.0, 30.0)}  # seconds since the last task, at random
MOST = {"p50": 2.8, "p95": 5.3, "max": 6.5}  # seconds
TITLE = f"(k) {2 * SEQUENCES} first tasks at random phases, from triggered to started, in simulated time"


def measure() -> Iterator[Figure]:
    """Seconds: of all, and of each kind."""
    waits = {kind: [first for (first,) in waits_of(1, SEQUENCES, between)] for kind, between in KINDS.items()}
    together = [wait for some in waits.values() for wait in some]
    yield from figures(f"{len(together)} first tasks", together, MOST)
    for kind, some in waits.items():
        yield from figures(f"{len(some)} after {kind} times", some, {})
