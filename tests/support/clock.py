"""Time that passes when a test says so."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

START = 1_790_000_000.0  # in September 2026


class SimulatedClock:
    """A clock that a test moves; sleeping moves it too. What is in `on_advance` is called after each move."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self.on_advance: list[Callable[[], None]] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += max(seconds, 0.0)
        for react in self.on_advance:
            react()


class Ahead:
    """Another machine's clock: as many seconds ahead of a simulated one, or behind it."""

    def __init__(self, clock: SimulatedClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def now(self) -> float:
        return self._clock.now() + self._seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Inline(Executor):
    """An executor that does everything at once, in the caller's thread and in order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return iter([fn(*args) for args in zip(*iterables, strict=False)])
