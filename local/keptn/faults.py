"""What can go wrong between an execution plane and the gateway, on demand and repeatably."""

import re
import threading
from dataclasses import dataclass, field


class ConnectionDropped(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True)
class Answer:
    """Answer in Keptn's place, which sees nothing of the request. HTML with a 200 is one of these."""

    status: int
    body: str = ""
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Redirect:
    """Send the client elsewhere."""

    url: str
    status: int = 302


@dataclass(frozen=True)
class Delay:
    """Handle the request after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class DropConnection:
    """Close the connection before anything is handled."""


@dataclass(frozen=True)
class HandleThenDrop:
    """Handle the request, then close the connection: it took effect, and the client cannot know."""


@dataclass(frozen=True)
class LoseEvent:
    """Answer an event with 200 and lose it."""


@dataclass(frozen=True)
class HugeBody:
    """Answer with a body of `size` bytes of spaces; without a size it never ends."""

    size: int | None = None
    status: int = 200
    content_type: str = "application/json"


Action = Answer | Redirect | Delay | DropConnection | HandleThenDrop | LoseEvent | HugeBody


@dataclass
class Rule:
    """When an action applies: to the requests that match, after the first `skip` of them, `times` times."""

    action: Action
    path: re.Pattern[str]
    method: str | None = None
    body: re.Pattern[str] | None = None
    skip: int = 0
    times: int | None = None
    seen: int = field(default=0)
    """How many requests have matched so far."""

    def matches(self, method: str, target: str, body: str) -> bool:
        """Whether a request is one of those meant; `target` is the path and query as sent."""
        return (
            self.method in (None, method)
            and self.path.search(target) is not None
            and (self.body is None or self.body.search(body) is not None)
        )

    def applies(self) -> bool:
        """Count a request that matches; whether the action is to be taken on it."""
        self.seen += 1
        turn = self.seen - self.skip
        return turn > 0 and (self.times is None or turn <= self.times)


class Faults:
    """The rules in force; the first one that applies to a request is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(
        self,
        action: Action,
        path: str = "",
        method: str | None = None,
        *,
        body: str | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Add a rule; `path` and `body` are regular expressions to be found anywhere."""
        rule = Rule(action, re.compile(path), method, re.compile(body) if body else None, skip, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._rules.clear()

    @property
    def wants_body(self) -> bool:
        """Whether some rule looks at bodies."""
        with self._lock:
            return any(rule.body for rule in self._rules)

    def take(self, method: str, target: str, body: str) -> Action | None:
        """What is to go wrong with this request, if anything."""
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, target, body) and rule.applies():
                    return rule.action
        return None
