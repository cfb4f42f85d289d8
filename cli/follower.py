"""Follows a sequence of any Keptn's to its end, and shows it."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from cli.ending import FAILED, PASSED, Unusable
from cli.runs.words import duration, printable
from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.transport import KeptnError, KeptnUnauthorized, Transport

HELD_UP = {"paused", "waiting"}
AHEAD = {"triggered", "started", "paused", "waitingForApproval"}
OVER = {"finished", "aborted", "timedOut"}
PAUSE = 2.0  # seconds between two questions
# Questions in a row that must find a sequence over: another stage may follow, an event come late.
SETTLING = 3
QUIET = 10  # questions in a row that must find nothing open of a sequence that Keptn does not call over
PATIENCE = 600.0  # seconds for which Keptn may fail to answer
UNTAKEN = 120.0  # seconds after which it is said that nobody has started a task
MOST_UNKNOWN = 15  # questions in which Keptn may know nothing of the sequence
PAGE = "100"  # events, the most that Keptn gives at once
MARKS = {"triggered": "▷", "started": "▶", "changed": "·", "finished": "■"}
STYLES = {"pass": "green", "warning": "yellow", "fail": "red"}
INDENT = " " * 12


class NeverBegun(Unusable):
    """Keptn has no such sequence, and nothing goes on."""


class Follower:
    """Shows a sequence's events as they come, and knows how it ended."""

    def __init__(self, keptn: Transport, clock: Clock, console: Console) -> None:
        self._keptn = keptn
        self._clock = clock
        self._console = console
        self._seen: set[str] = set()
        self._open: dict[str, str] = {}
        """The names of sequences and tasks that have not finished, by their triggered events' ids."""
        self._results: list[str] = []
        self._messages: dict[str, None] = {}
        """All that was shown."""
        self._reasons: list[str] = []
        """What Keptn says of sequences that failed."""
        self._untaken: dict[str, tuple[str, float]] = {}
        """Tasks that nobody has started: their names and since when that is seen, by their events' ids."""
        self._failing_since: float | None = None

    def follow(self, project: str, context: str, seconds: float) -> int:
        """Show everything until the sequence is over in all its stages; the exit code.

        Raises Unusable if Keptn never begins it or it goes on after `seconds`, and KeptnError if Keptn
        refuses the login or has not answered for ten minutes.
        """
        end = Deadline.after(self._clock, seconds)
        over, quiet, unknown, state = 0, 0, 0, ""
        while True:
            before = state
            try:
                state = self._state(project, context)
                self._show_new(project, context)
                if state != before and state in HELD_UP:
                    self._say_what_it_waits_for(project, context, state)
                self._answered()
            except KeptnError as trouble:
                self._bear(trouble)
            fails = self._failing_since is not None
            self._say_what_is_untaken()
            unknown += not state and not self._results and not fails
            if unknown == MOST_UNKNOWN:
                raise NeverBegun("Keptn does not begin it: is there such a project, stage and sequence?")
            over = over + 1 if state in OVER and not fails else 0
            quiet = quiet + 1 if self._results and not self._open and not fails else 0
            if over == SETTLING or quiet == QUIET:
                return self._conclude(state)
            if end.is_over():
                raise Unusable(f"the sequence is {state or 'not begun'} after {duration(seconds)}.")
            self._clock.sleep(PAUSE)

    def _bear(self, trouble: KeptnError) -> None:
        """Ask on, unless that has gone on for long or the login is refused. Raises KeptnError."""
        now = self._clock.monotonic()
        since = self._failing_since or now
        if isinstance(trouble, KeptnUnauthorized) or now - since >= PATIENCE:
            raise trouble
        if self._failing_since is None:
            self._say(f"Keptn does not answer, and is asked on for {duration(PATIENCE)}: {trouble}.")
        self._failing_since = since

    def _answered(self) -> None:
        if self._failing_since is not None:
            self._say("Keptn answers again.")
        self._failing_since = None

    def _say_what_it_waits_for(self, project: str, context: str, state: str) -> None:
        """Keptn runs one sequence at a time for each stage and service; a paused one waits for a person."""
        if state == "paused":
            self._say("The sequence is paused, and waits until somebody resumes it in the Bridge.")
            return
        listed = self._states(project, {"pageSize": PAGE})
        ours = next((each for each in listed if each.get("shkeptncontext") == context), {})
        ahead = [each for each in listed if each.get("state") in AHEAD and _shares_stage(each, ours)]
        if not ahead:
            self._say("The sequence is waiting for another one of its stage and service.")
        for each in ahead:
            self._say(
                f"The sequence is waiting: {each.get('name')} ({each.get('shkeptncontext')}) of the same "
                f"stage and service is {each.get('state')}."
            )

    def _say_what_is_untaken(self) -> None:
        now = self._clock.monotonic()
        for known, (name, since) in list(self._untaken.items()):
            if now - since >= UNTAKEN:
                del self._untaken[known]
                self._say(
                    f"Nobody has started {name} for {duration(UNTAKEN)}: is there a plane that takes its "
                    "events? `./plane doctor` says what yours does."
                )

    def _state(self, project: str, context: str) -> str:
        states = self._states(project, {"keptnContext": context})
        return str(states[0].get("state", "")) if states else ""

    def _states(self, project: str, asked: Mapping[str, str]) -> list[Mapping[str, Any]]:
        path = f"/controlPlane/v1/sequence/{quote(project, safe='')}"
        return list((self._keptn.get(path, asked).body or {}).get("states") or [])

    def _show_new(self, project: str, context: str) -> None:
        """Events come newest first, and in pages."""
        new = [event for event in self._events(project, context) if event.get("id") not in self._seen]
        new.reverse()
        for event in sorted(new, key=lambda each: str(each.get("time"))):
            self._seen.add(str(event.get("id")))
            self._show(event)

    def _events(self, project: str, context: str) -> Iterator[Mapping[str, Any]]:
        page = {"keptnContext": context, "project": project, "pageSize": PAGE}
        while True:
            body = self._keptn.get("/mongodb-datastore/event", page).body or {}
            yield from body.get("events") or []
            key = str(body.get("nextPageKey") or "0")
            if key == "0":
                return
            page["nextPageKey"] = key

    def _show(self, event: Mapping[str, Any]) -> None:
        parts = str(event.get("type")).removeprefix("sh.keptn.event.").split(".")
        kind, data = parts[-1], event.get("data") or {}
        name = ".".join(parts[:-1]).removesuffix(".status")
        result = str(data.get("result") or "") if kind == "finished" else ""
        # A message may come from anybody, and must not steer the terminal.
        message = printable(str(data.get("message") or "").strip())
        is_sequence = kind == "finished" and len(parts) > 2
        self._note(event, kind, name)
        if is_sequence:
            result = "fail" if data.get("status") in {"aborted", "errored"} else result
            self._results.append(result)
            if result == "fail" and message:
                self._reasons.append(message)
            message = ""
        first, *others = message.splitlines() or [""]
        line = Text("  ").join(
            each
            for each in (
                Text(str(event.get("time"))[11:19]),
                Text(MARKS.get(kind, " ")),
                Text(str(data.get("stage", ""))),
                Text(name),
                _coloured(result) if result else Text("status" if kind == "changed" else kind),
                Text(first),
            )
            if each
        )
        self._say(line)
        for other in others:
            self._say(f"{INDENT}{other}")
        self._messages[message] = None

    def _note(self, event: Mapping[str, Any], kind: str, name: str) -> None:
        """Keep account of what is open. Of a sequence, what finishes it may name no event."""
        self._untaken.pop(str(event.get("triggeredid") or ""), None)
        if kind == "triggered":
            self._open[str(event.get("id"))] = name
            if "." not in name:
                self._untaken[str(event.get("id"))] = (name, self._clock.monotonic())
        elif kind == "finished":
            answered = str(event.get("triggeredid") or "")
            self._open = {
                known: each
                for known, each in self._open.items()
                if known != answered and (answered in self._open or each != name)
            }

    def _conclude(self, state: str) -> int:
        results = set(self._results) if state == "finished" or state not in OVER else {"fail"}
        worst = next((each for each in ("fail", "warning", "pass") if each in results), "fail")
        for reason in dict.fromkeys(self._reasons):
            if reason not in self._messages:
                self._say(reason)
        if state in OVER:
            self._say(Text(f"The sequence is {state}: ").append(_coloured(worst)).append("."))
        else:
            self._say(Text("Nothing of the sequence is open any more: ").append(_coloured(worst)).append("."))
        return FAILED if worst == "fail" else PASSED

    def _say(self, line: Text | str) -> None:
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _shares_stage(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two sequences, as Keptn lists them, may have to take turns."""

    def stages(listed: Mapping[str, Any]) -> set[str]:
        return {str(stage.get("name")) for stage in listed.get("stages") or ()}

    return (
        one.get("shkeptncontext") != other.get("shkeptncontext")
        and one.get("service") == other.get("service")
        and bool(stages(one) & stages(other))
    )


def _coloured(result: str) -> Text:
    return Text(result, STYLES.get(result, ""))
