"""Times, durations and states as a person reads them."""

import re
from datetime import UTC, datetime

from cli.runs.aws import Unusable
from execution_plane.ledger.runs import Run, State

SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(\d+)([smhd])")
SHORT_ID = 8  # characters


def clock_time(at: float, *, near: float | None = None) -> str:
    """A moment by UTC, with its date unless that is the day of `near`."""
    moment = datetime.fromtimestamp(at, UTC)
    is_same_day = near is not None and datetime.fromtimestamp(near, UTC).date() == moment.date()
    return moment.strftime("%H:%M:%S" if is_same_day else "%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """A duration, in its two largest units: `3 min 5 s`, `2 h`, `1 d 4 h`."""
    left = round(max(0.0, seconds))
    parts = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def compared(skew: float) -> str:
    """How a clock that is so many seconds ahead compares to another: `7 min ahead of`, `2 s behind`."""
    return f"{duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'}"


def seconds_of(text: str) -> float:
    """The seconds of a duration such as 30m, 24h or 7d. Raises Unusable."""
    found = DURATION.fullmatch(text.strip())
    if not found:
        raise Unusable(f"{text!r} is no duration: write 30m, 24h or 7d.")
    return float(found[1]) * SPANS[found[2]]


def printable(text: str) -> str:
    """A text that may come from anybody, so that it can't steer the terminal."""
    return "".join(each if each.isprintable() or each in "\t\n" else "�" for each in text)


def place(run: Run) -> str:
    """Where in Keptn a run's task belongs."""
    return f"{run.event.project} / {run.event.stage} / {run.event.service}"


def state_of(run: Run) -> str:
    """How a run stands, in a few words."""
    match run.state:
        case State.CLAIMED:
            return "claimed"
        case State.RUNNING:
            return "running"
        case State.WAITING:
            return f"waits for its {run.step.kind if run.step else 'step'}"
        case State.DONE if run.silent:
            return "done, without a reply"
        case State.DONE if run.repairs:
            return "done, repaired"
        case State.DONE:
            return "done" if run.reported_at else "done, to be reported"
        case State.CLOSED:
            return result_of(run) or run.closed_as
    raise AssertionError(run.state)


def result_of(run: Run) -> str:
    """What a run came to; empty if it is not known, or owed nobody a result."""
    if run.closed_as == "cancelled":
        return "cancelled"
    if run.outcome is None:
        return ""
    return "errored" if run.outcome.status == "errored" else run.outcome.result


def has_failed(run: Run) -> bool:
    """Whether a closed run is one to look into."""
    return result_of(run) in {"errored", "fail"}
