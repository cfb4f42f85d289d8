"""How soon a sequence's tasks start: its first, and the next ones across the edges of slots and ticks."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of
from bench.load import percentile

TASKS, SEQUENCES = 5, 130
BETWEEN = (0.0, 60.0)  # seconds from a sequence's end to the next one, at random
MOST = {"p50": 1.0, "max": 2.0}  # seconds
TITLE = f"(i) Tasks 2 to {TASKS} of {SEQUENCES} sequences, from triggered to started, in simulated time"


def measure() -> Iterator[Figure]:
    """Seconds."""
    waits = [wait for each in waits_of(TASKS, SEQUENCES, BETWEEN) for wait in each[1:]]
    yield from figures(f"{len(waits)} next tasks", waits, MOST)


def waits_of(tasks: int, sequences: int, between: tuple[float, float]) -> list[list[float]]:
    """From triggered to started, in seconds: of each task of so many sequences, so many seconds apart."""
    settings = {"TASKS": tasks, "SEQUENCES": sequences, "LEAST": between[0], "MOST": between[1]}
    environment = {name: str(value) for name, value in settings.items()}
    answer: list[list[float]] = answer_of(
        "bench.subjects.sequences", {**environment, "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
    )
    return answer


def figures(what: str, waits: list[float], most: dict[str, float]) -> Iterator[Figure]:
    """Half of them, nearly all and all of them."""
    found = {"p50": percentile(waits, 50), "p95": percentile(waits, 95), "max": max(waits)}
    for name, value in found.items():
        yield Figure(f"{what}: {name}", value, unit="s", at_most=most.get(name))
