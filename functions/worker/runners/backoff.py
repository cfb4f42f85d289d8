"""Pauses before another try: ever longer, and not for all alike, so that not all come back at once."""

import random
from collections.abc import Callable, Iterator
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 20.0


def backoff(jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """Exponential backoff with jitter, in seconds; `jitter` gives numbers from 0 to 1."""
    seconds = FIRST_SECONDS
    while True:
        yield seconds * (0.5 + jitter() / 2)
        seconds = min(2 * seconds, LONGEST_SECONDS)
