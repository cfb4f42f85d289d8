"""A circuit breaker: while Keptn wants no requests, none is sent.

It wants none of a login that it has refused: its gateway lets each address log in twice at once and once a
second, and counts before it looks at the token, so that a wrong token keeps out whoever else is at the same
address (docs/keptn-api.md, 1.3). And it, or what stands before it, may ask for a pause by `Retry-After`.

This is known to one execution environment, and kept nowhere else: another one asks once to find out.
"""

import threading

from execution_plane.clock import Clock
from execution_plane.keptn.connecting import LONGEST_RETRY_AFTER

FIRST_PAUSE = 5.0  # seconds after a login was refused
LONGEST_PAUSE = 40.0  # less than from one tick to the next, so that each of them asks


class CircuitBreaker:
    """Says whether to send a request. Safe for threads.

    When the pause of a refused login is over, one request goes, and its answer decides for the others.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._why = ""
        self._pause = 0.0
        self._until = float("-inf")
        self._is_asking = False
        self._is_login_refused = False

    @property
    def refusal(self) -> str:
        """How the login was refused; empty if, as far as is known, it is good."""
        return self._why if self._is_login_refused else ""

    def obstacle(self) -> str:
        """Why nothing is to be sent; empty if this request may go."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._until:
                return self._why
            if self._is_login_refused:
                self._is_asking, self._until = True, now + self._pause
            return ""

    def refuse_login(self, why: str) -> None:
        """The login was refused, and there is no other: pause, the longer the more often it was asked."""
        with self._lock:
            if self._is_login_refused and not self._is_asking:
                return  # a request that was under way with the first one
            longer = 2 * self._pause if self._is_login_refused else FIRST_PAUSE
            self._is_login_refused = True
            self._open(why, min(longer, LONGEST_PAUSE))

    def wait(self, why: str, seconds: float) -> None:
        """Keptn asks for a pause."""
        with self._lock:
            if not self._is_login_refused:
                self._open(why, min(seconds, LONGEST_RETRY_AFTER))

    def close(self) -> None:
        """There was an answer that says nothing of the kind."""
        with self._lock:
            self._why, self._until, self._is_login_refused = "", float("-inf"), False

    def _open(self, why: str, pause: float) -> None:
        self._why, self._pause, self._is_asking = why, pause, False
        self._until = self._clock.monotonic() + pause
