"""Time that passes when a test says so."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

START = 1_790_000_000.0  # in September 2026
STEP = 10.0  # seconds, no more of which pass at once: what is due meanwhile happens about when it is due


class SimulatedClock:
    """A clock that a test moves; sleeping moves it too. What is in `on_advance` is called after each step."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self.on_advance: list[Callable[[], object]] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")  # as the system's clock says
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        end = self._now + max(seconds, 0.0)
        while self._now + STEP < end:
            self._step_to(self._now + STEP)
        self._step_to(max(self._now, end))

    def _step_to(self, moment: float) -> None:
        self._now = moment
        for react in self.on_advance:
            react()


class SkewedClock:
    """What another machine takes for the time: `skew` seconds more. Durations are the same everywhere."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.skew = 0.0
        self._clock = clock

    def now(self) -> float:
        return self._clock.now() + self.skew

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Inline(Executor):
    """An executor that does everything at once, in the caller's thread and in order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as failure:
            future.set_exception(failure)
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return iter([fn(*args) for args in zip(*iterables, strict=False)])
