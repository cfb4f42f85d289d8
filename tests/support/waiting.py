"""Waiting for processes, on a real clock."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], seconds: float = 120.0, pause: float = 0.2) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
