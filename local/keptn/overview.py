"""What the bridge's lists say of a sequence and of an integration, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.keptn.events import Event, Scope, is_sequence_type, kind_of
from local.keptn.sequence_states import SequenceState

OVER = ("finished", "aborted", "timedOut")
STALE = 120.0  # seconds without a heartbeat; an integration sends one at least each minute
WORST_FIRST = ("fail", "warning", "pass")


@dataclass(frozen=True)
class Overview:
    """How a sequence fares: what it came to in each stage, and altogether, and how long it took."""

    result: str
    """`fail`, `warning` or `pass` once it is over, else empty. One that was aborted or timed out failed."""
    by_stage: Mapping[str, str]
    seconds: float

    @classmethod
    def of(cls, state: SequenceState, events: Sequence[Event], now: float) -> "Overview":
        """The overview of a sequence by its events, oldest first."""
        by_stage = {
            Scope.of(event).stage: _result(Scope.of(event))
            for event in events
            if kind_of(event["type"]) == "finished" and is_sequence_type(event["type"])
        }
        is_over = state["state"] in OVER
        results = set(by_stage.values()) if state["state"] == "finished" else {"fail"}
        worst = next((each for each in WORST_FIRST if each in results), "")
        times = [seconds_of(str(event["time"])) for event in events]
        ends = max(times) if is_over and times else now
        return cls(worst if is_over else "", by_stage, max(0.0, ends - seconds_of(str(state["time"]))))


def is_meant(words: str, state: SequenceState, overview: Overview) -> bool:
    """Whether each of the words, in any case, is in what the list shows of a sequence."""
    stages = [str(stage["name"]) for stage in state["stages"]]
    names = ("name", "project", "service", "shkeptncontext", "state")
    shown = " ".join([*(str(state[name]) for name in names), *stages, overview.result]).lower()
    return all(word in shown for word in words.lower().split())


def silence(integration: Mapping[str, Any], now: float) -> float:
    """Seconds since an integration's last heartbeat."""
    return max(0.0, now - seconds_of(str(integration["metadata"]["lastseen"])))


def in_words(seconds: float) -> str:
    """A duration as the pages show it: `0.4 s`, `3 min 5 s`, `2 h 1 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def seconds_of(time: str) -> float:
    """A time as Keptn writes it, in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def _result(scope: Scope) -> str:
    return "fail" if scope.status in {"errored", "aborted"} else scope.result or "pass"
