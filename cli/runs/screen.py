"""What the commands show on a terminal, by rich; what comes from anybody is made printable first."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.runs.asking import KeptnSays
from cli.runs.doctor.finding import Finding
from cli.runs.forecast import Next, View, does, stands
from cli.runs.lines import Line
from cli.runs.story import Moment
from cli.runs.words import SHORT_ID, clock_time, compared, duration, place, printable, result_of, state_of
from execution_plane.ledger.runs import Run

RESULTS = {"pass": "green", "warning": "yellow", "fail": "red", "errored": "red", "cancelled": "yellow"}
WRITERS = {
    "poller": "cyan",
    "worker": "blue",
    "lifecycle": "magenta",
    "finalizer": "magenta",
    "Keptn": "green",
}
WIDEST = 10_000  # characters
WIDE = 110  # characters, from which on a table has room
MOST_LINES = 20  # of a message
LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


def put(what: RenderableType) -> None:
    """Print it; for a program that reads it, each line is as long as its text, and is not wrapped."""
    console = Console()
    if console.is_terminal:
        console.print(what)
        return
    console.width = WIDEST
    with console.capture() as captured:
        console.print(what)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


class Listing:
    """Runs, one below the other: a table where there is room for one, else a few lines for each.

    A column that is a detail may be long, and has a line of its own on a narrow screen.
    """

    def __init__(self, columns: Sequence[tuple[str, bool]]) -> None:
        """Each column has a name, and whether it is a detail."""
        self._columns = columns
        self._rows: list[Sequence[Text]] = []

    def add(self, *cells: str | Text) -> None:
        """Another run."""
        self._rows.append([_text(cell) if isinstance(cell, str) else cell for cell in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide as the screen is."""
        if options.max_width >= WIDE:
            table = _table(*(name for name, _ in self._columns))
            for row in self._rows:
                table.add_row(*row)
            yield table
            return
        for row in self._rows:
            cells = list(zip(row, (is_detail for _, is_detail in self._columns), strict=True))
            yield Text("  ").join(cell for cell, is_detail in cells if not is_detail and cell)
            for cell, is_detail in cells:
                if is_detail and cell:
                    yield Padding(cell, (0, 0, 0, SHORT_ID + 2))


def active_table(
    rows: Sequence[tuple[Run, Next | None, View]], now: float, pause: int | None = None
) -> RenderableType:
    """The active runs, with what the poller does next about each if nothing changes; it polls again within
    `pause` seconds, where that is known.
    """
    table = Listing(
        [
            ("event", False),
            ("task", False),
            ("project / stage / service", True),
            ("state", False),
            ("age", False),
            ("next, if nothing changes (UTC)", True),
        ]
    )
    for run, step, view in rows:
        again = f", attempt {run.attempt}" if run.attempt > 1 else ""
        table.add(
            run.event.id[:SHORT_ID],
            run.event.task,
            place(run),
            f"{state_of(run)}{again}",
            duration(now - run.claimed_at),
            _next_in_short(run, step, view, now, pause),
        )
    return table if rows else Text("No run is active.")


def closed_table(runs: Sequence[Run], now: float) -> RenderableType:
    """Closed runs with what they came to."""
    table = Listing(
        [
            ("event", False),
            ("task", False),
            ("project / stage / service", True),
            ("closed (UTC)", False),
            ("took", False),
            ("result", False),
            ("message", True),
        ]
    )
    for run in runs:
        result = state_of(run)
        table.add(
            run.event.id[:SHORT_ID],
            run.event.task,
            place(run),
            clock_time(run.closed_at or 0.0, near=now),
            duration(run.reported_at - run.claimed_at) if run.reported_at else "",
            Text(result, RESULTS.get(result, "")),
            run.outcome.message.partition("\n")[0] if run.outcome else "",
        )
    return table if runs else Text("No run was closed in that time.")


def story(
    run: Run,
    moments: Sequence[Moment],
    says: KeptnSays,
    next_line: str,
    lines: Sequence[Line],
    now: float,
) -> RenderableType:
    """One run on one screen."""
    parts: list[RenderableType] = [_head(run, says.bridge, now), _timeline(moments), _keptn(says)]
    if run.outcome and run.outcome.message:
        parts.append(_panel("message", _text(_excerpt(run.outcome.message))))
    if lines:
        tail = Text("\n").join(_text(line.text) for line in lines)
        parts.append(_panel(f"the {lines[-1].who}'s last lines", tail))
    return Group(*parts, Text(f"\n{printable(next_line)}", "bold"))


def what_happens_next(
    run: Run,
    step: Next | None,
    view: View,
    now: float,
    *,
    is_ticking: bool = True,
    pause: int | None = None,
) -> str:
    """One sentence: how the run stands, and what the poller does if nothing changes, from when on; it polls
    again within `pause` seconds, where that is known.
    """
    how = stands(run, view, now)
    if run.expires_at:
        until = clock_time(run.expires_at)
        return f"Nothing happens next: {how}; DynamoDB deletes its record after {until} UTC."
    if step is None:
        return f"Now {how}; the poller closes it once Keptn no longer lists its task."
    if not is_ticking:
        return f"Now {how}. The schedule is disabled: once it is enabled, the poller {does(step, run, view)}."
    if step.at <= now:
        return f"Now {how}. At its next poll{_within(pause)}, the poller {does(step, run, view)}."
    when = f"{clock_time(step.at, near=now)} UTC (in {duration(step.at - now)})"
    return f"Now {how}. If nothing changes until {when}, the poller {does(step, run, view)}."


def _within(pause: int | None) -> str:
    return f", within {duration(pause)}" if pause else ""


def log_lines(lines: Sequence[Line]) -> RenderableType:
    """Log lines, merged."""
    if not lines:
        return Text("The logs have no line about it: they come seconds late, and go after LogRetentionDays.")
    table = _grid(3)
    for line in lines:
        table.add_row(
            Text(f"{clock_time(line.at)}.{int(line.at * 1000) % 1000:03}", "dim"),
            Text(line.who, WRITERS.get(line.who, "")),
            Text(printable(line.text), LEVELS.get(line.level, "")),
        )
    return table


def put_finding(finding: Finding) -> None:
    """Print one line of the doctor's."""
    style = "red" if finding.is_problem else "yellow" if finding.is_unknown else "green"
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=20)
    table.add_row(Text(finding.mark, style), Text(finding.subject, "bold"), _text(finding.sentence))
    put(table)


def _next_in_short(run: Run, step: Next | None, view: View, now: float, pause: int | None) -> str:
    if step is None:
        return "closed once Keptn no longer lists it"
    when = f"at the next poll{_within(pause)}" if step.at <= now else f"{clock_time(step.at, near=now)}"
    return f"{when}: {does(replace(step, reason=''), run, view)}"


def _head(run: Run, bridge: str, now: float) -> RenderableType:
    table = _grid(2)
    age = duration((run.closed_at or now) - run.claimed_at)
    rows = {
        "task": f"{run.event.task} in {place(run)}",
        "state": f"{state_of(run)}, attempt {run.attempt}, {age} since it was taken",
        "event": run.event.id,
        "context": run.event.context,
        "deadline": f"{clock_time(run.step.deadline if run.step else run.deadline)} UTC",
        "source": run.source,
    }
    if result := result_of(run):
        rows["result"] = result
    if bridge:
        rows["Bridge"] = bridge
    for name, text in rows.items():
        style = RESULTS.get(text, "") if name == "result" else ""
        table.add_row(Text(name, "dim"), Text(printable(text), style))
    return table


def _timeline(moments: Sequence[Moment]) -> RenderableType:
    first = moments[0].at if moments else 0.0
    table = _table(f"{clock_time(first).partition(' ')[0]} UTC", "by", "what", "")
    for moment in moments:
        table.add_row(
            f"{clock_time(moment.at, near=first)}.{int(moment.at * 1000) % 1000:03}",
            Text(moment.who, WRITERS.get(moment.who, "")),
            _text(moment.what),
            _text(moment.detail),
        )
    return table


def _keptn(says: KeptnSays) -> RenderableType:
    if says.problem:
        return _text(f"Keptn was not asked, or did not answer: {says.problem}")
    listed = "lists the task as open" if says.is_open else "does not list the task as open"
    counted = ""
    if says.look is not None and says.look.standing.value == "open":
        counted = f"; it counts {says.look.starts} started and {says.look.finishes} finished of ours"
        counted += ", and its sequence is paused" if says.look.paused else ""
    elif says.look is not None:
        counted = {"over": "; it says that the task is over", "gap": "; it has yet to note the task"}[
            says.look.standing.value
        ]
    sequence = f" The sequence is {says.sequence}." if says.sequence else ""
    put_right = f" Its clock is {compared(says.skew)} this machine's, and its times are put right."
    return _text(f"Keptn {listed}{counted}.{sequence}{put_right if says.is_skewed else ''}")


def _panel(title: str, text: Text) -> Panel:
    return Panel(text, title=title, title_align="left", expand=False)


def _grid(columns: int) -> Table:
    """A table without a head, of whose texts nothing is cut."""
    table = Table.grid(padding=(0, 2))
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _excerpt(text: str) -> str:
    """As much of a message as has room on a screen: how it begins, and its end."""
    lines = text.splitlines()
    if len(lines) <= MOST_LINES:
        return text
    left_out = f"… {len(lines) - MOST_LINES} lines, which `--json` has …"
    return "\n".join([lines[0], left_out, *lines[-MOST_LINES + 1 :]])


def _text(text: str) -> Text:
    """A text without markup, whoever wrote it."""
    return Text(printable(text))
