"""A sequence's time line as a picture: a bar for each task, from triggered to finished, with its replies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from local.keptn.events import PREFIX, Event, kind_of
from local.keptn.sources import hue_of

_LEAST = 0.001  # seconds that a picture shows
_MARKS = {"started": "started", "changed": "status.changed", "finished": "finished"}


@dataclass(frozen=True)
class Mark:
    """One reply on a bar; `left` is in percent of the picture."""

    kind: str
    left: float
    hue: int
    title: str


@dataclass(frozen=True)
class Bar:
    """One task; in percent of the picture. A task that nobody has finished goes on to its right edge.

    Its hue is of the source that started it first, None while none has.
    """

    stage: str
    name: str
    left: float
    width: float
    hue: int | None
    result: str
    seconds: float
    is_open: bool
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Timeline:
    """The picture; `ticks` are times since its left edge, behind their places in percent.

    `sources` has everybody who replied, with their hues.
    """

    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]
    sources: Sequence[tuple[str, int]]


def draw(events: Sequence[Event], now: float) -> Timeline:
    """Draw the tasks among a sequence's events, oldest first; `now` is where it ends if one is open."""
    times = {id(event): _seconds(event) for event in events}
    tasks = [event for event in events if _is_task(event)]
    if not tasks:
        return Timeline((), (), ())
    answers = {
        str(task["id"]): [event for event in events if event.get("triggeredid") == task["id"]]
        for task in tasks
    }
    is_open = any(_result(replies) is None for replies in answers.values())
    begins = min(times.values())
    ends = max(now if is_open else 0.0, *times.values(), begins + _LEAST)

    def place(event: Event) -> float:
        return 100 * (times[id(event)] - begins) / (ends - begins)

    bars = []
    for task in tasks:
        replies = answers[str(task["id"])]
        result = _result(replies)
        last = max((times[id(each)] for each in replies), default=ends) if result is not None else ends
        started = next((each for each in replies if kind_of(each["type"]) == "started"), None)
        bars.append(
            Bar(
                stage=str(task["data"].get("stage", "")),
                name=task["type"].removeprefix(PREFIX).removesuffix(".triggered"),
                left=place(task),
                width=100 * (last - times[id(task)]) / (ends - begins),
                hue=hue_of(str(started["source"])) if started else None,
                result=result or "",
                seconds=last - times[id(task)],
                is_open=result is None,
                marks=[mark for each in replies if (mark := _mark(each, place(each)))],
            )
        )
    ticks = [(25.0 * step, _span((ends - begins) * step / 4)) for step in range(5)]
    sources = dict.fromkeys(str(each["source"]) for replies in answers.values() for each in replies)
    return Timeline(bars, ticks, [(source, hue_of(source)) for source in sources])


def _is_task(event: Event) -> bool:
    """Whether it triggers a task: a sequence's event has its stage in its type as well."""
    name = event["type"].removeprefix(PREFIX).removesuffix(".triggered")
    return kind_of(event["type"]) == "triggered" and "." not in name and isinstance(event["data"], dict)


def _result(replies: Sequence[Event]) -> str | None:
    """The worst result of a task that has as many finished as started; None while it goes on."""
    kinds = [kind_of(event["type"]) for event in replies]
    if not kinds.count("finished") or kinds.count("finished") < kinds.count("started"):
        return None
    results = {str((event["data"] or {}).get("result")) for event in replies}
    return next((each for each in ("fail", "warning", "pass") if each in results), "pass")


def _mark(event: Event, left: float) -> Mark | None:
    kind = _MARKS.get(kind_of(event["type"]))
    if kind is None:
        return None
    source, message = str(event["source"]), str((event["data"] or {}).get("message") or "")
    return Mark(kind, left, hue_of(source), "\n".join(filter(None, (f"{kind} by {source}", message[:200]))))


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()


def _span(seconds: float) -> str:
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
