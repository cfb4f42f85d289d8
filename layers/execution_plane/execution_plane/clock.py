"""The one source of time. Production code takes a `Clock`; tests pass their own."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is written down, monotonic time for what is waited for; both in seconds."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after this many seconds."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


class RemainingTime(Protocol):
    """The part of Lambda's context object that says how long the invocation may still run."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...


@dataclass(frozen=True)
class Deadline:
    """A moment on a clock's monotonic scale by which something must have ended."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """`seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    @classmethod
    def from_context(cls, clock: Clock, context: RemainingTime) -> "Deadline":
        """When Lambda ends the invocation of `context`."""
        return cls.after(clock, context.get_remaining_time_in_millis() / 1000)

    def earlier_by(self, seconds: float) -> "Deadline":
        """The same deadline, with `seconds` kept in reserve."""
        return Deadline(self.clock, self.at - seconds)

    def no_later_than(self, seconds: float) -> "Deadline":
        """This deadline, or `seconds` from now, whichever comes first."""
        return Deadline(self.clock, min(self.at, self.clock.monotonic() + seconds))

    def remaining(self) -> float:
        """Seconds left; negative once it is over."""
        return self.at - self.clock.monotonic()

    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0
