"""What goes on between Keptn and the planes, printed as it happens."""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any

from local.function_process import Answer
from local.keptn.bridge import Moment
from local.keptn.control_plane import Keptn
from local.keptn.events import CONTROLLER, Event, keptn_time
from local.lambda_endpoint import Invocation
from local.plane import Plane
from local.screen import Screen

_STYLES = {"started": "blue", "status.changed": "blue", "finished": "green"}
_LONGEST = 160


class Flow:
    """Keptn's events and what the functions said of themselves, in the order of their times."""

    def __init__(self, keptn: Keptn, screen: Screen) -> None:
        self._keptn = keptn
        self._screen = screen
        self._planes: dict[str, Plane] = {}
        self._seen: dict[str, int] = {}
        self._ended: deque[tuple[float, Invocation, Answer]] = deque()
        self._last_said: dict[str, str] = {}
        self._runs: dict[str, str] = {}
        self.failures: list[tuple[Invocation, Answer]] = []
        """The invocations that failed."""

    def add(self, plane: Plane) -> None:
        """Know a plane by its source and its functions."""
        self._planes |= dict.fromkeys((plane.source, plane.poller.name, plane.worker.name), plane)

    def on_end(self, invocation: Invocation, answer: Answer) -> None:
        """Note that an invocation ended; may be called from any thread."""
        self._ended.append((self._keptn.clock.now(), invocation, answer))

    def show(self) -> None:
        """Print what is new."""
        news = [(_seconds(event), partial(self._show_event, event)) for event in self._new_events()]
        news += [(at, partial(self._show_poll, plane, said)) for at, plane, said in self._new_changes()]
        while self._ended:
            at, invocation, answer = self._ended.popleft()
            news.append((at, partial(self._show_end, invocation, answer)))
        for at, show in sorted(news, key=itemgetter(0)):
            show(keptn_time(at)[11:23])

    def _new_events(self) -> list[Event]:
        contexts = dict.fromkeys(str(event["shkeptncontext"]) for event in list(self._keptn.received))
        found: list[Event] = []
        for context in contexts:
            events = self._keptn.events(context)
            found += events[self._seen.get(context, 0) :]
            self._seen[context] = len(events)
        return found

    def _new_changes(self) -> Iterator[tuple[float, Plane, str]]:
        """What pollers did, as the ledgers have it: a slot's poller says nothing before its slot ends."""
        for plane in {plane.name: plane for plane in self._planes.values()}.values():
            for task, (state, claimed_at) in plane.claims().items():
                before, self._runs[task] = self._runs.get(task), state
                if before is None:
                    yield claimed_at, plane, "takes the task"
                if state == "closed" != before:
                    yield (
                        self._keptn.clock.now(),
                        plane,
                        "the task is no longer open in Keptn, so its run is closed",
                    )

    def _show_poll(self, plane: Plane, said: str, time: str) -> None:
        self._screen.row(time, plane.location, "poller", "", said, style="dim")

    def _show_event(self, event: Event, time: str) -> None:
        moment = Moment.of(event)
        source = moment.source
        plane = self._planes.get(source)
        who = plane.location if plane else "Keptn" if source == CONTROLLER else "user"
        bad = moment.result == "fail" or moment.status in {"errored", "aborted"}
        self._screen.row(
            time,
            who,
            moment.name,
            moment.kind,
            _message(moment, event),
            style="red" if bad else _STYLES.get(moment.kind, "") if plane else "",
        )

    def _show_end(self, invocation: Invocation, answer: Answer, time: str) -> None:
        plane = self._planes[invocation.function]
        if answer.is_error:
            self.failures.append((invocation, answer))
            said, style = f"failed: {_error(answer)}", "red"
        elif invocation.function == plane.poller.name:
            said, style = _slot(answer.content), "dim"
            if said == self._last_said.get(plane.location):
                return
            self._last_said[plane.location] = said
        else:
            said, style = f"delivered again: {answer.content['what']}", "dim"
            if invocation.delivery == 1:
                return
        function = "poller" if invocation.function == plane.poller.name else "worker"
        if said:
            self._screen.row(time, plane.location, function, "", said, style=style)


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()


def _message(moment: Moment, event: Event) -> str:
    data: Any = event["data"]
    if moment.kind == "triggered":
        asked = data.get("sayhello") if isinstance(data, Mapping) else None
        return f"location {asked['location']}" if isinstance(asked, Mapping) and "location" in asked else ""
    outcome = moment.status if moment.status == "errored" else moment.result
    said = " ".join(moment.message.split())
    return ": ".join(part for part in (outcome, said) if part)[:_LONGEST]


def _slot(report: Mapping[str, int]) -> str:
    """What a slot came to, "" for nothing worth a line."""
    listed = report.get("events_listed", 0)
    if not listed or report["events_left"] < listed:
        return ""
    return f"{listed} task{'s' if listed != 1 else ''} open in Keptn, none for this plane"


def _error(answer: Answer) -> str:
    return f"{answer.content['errorType']}: {answer.content['errorMessage']}"
