"""Asking again what may be asked again."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from execution_plane.clock import Clock, Deadline

T = TypeVar("T")

RETRY_PAUSES = (1.0, 2.0, 4.0)  # seconds between the tries of a request that may be repeated


def retry(
    call: Callable[[], T],
    failure: type[Exception],
    pauses: Sequence[float],
    clock: Clock,
    *,
    until: Deadline | None = None,
) -> T:
    """Call, and again after each pause while it fails in the given way and there is time.

    Raises the last failure.
    """
    for pause in pauses:
        try:
            return call()
        except failure:
            if until is not None and until.remaining() <= 2 * pause:
                raise
            clock.sleep(pause)
    return call()
