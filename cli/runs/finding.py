"""Finding runs: those that are active, those that were closed lately, and the one that is meant by an id."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli.runs.words import clock_time
from execution_plane.ledger.runs import KEEP_CLOSED, Run
from execution_plane.ledger.table import Ledger, Record

SHORTEST = 4  # characters of an id's beginning
DAY = 86_400.0


@dataclass(frozen=True)
class Where:
    """Which runs are meant, by what their events name; None for any."""

    project: str | None = None
    stage: str | None = None
    service: str | None = None
    task: str | None = None

    def has(self, run: Run) -> bool:
        """Whether a run is among them."""
        wanted = {name: value for name, value in vars(self).items() if value is not None}
        return all(getattr(run.event, name) == value for name, value in wanted.items())


class NoSuchRun(Exception):
    """There is no run, or more than one, that an id may mean; the text is a sentence."""


def closed_since(ledger: Ledger, since: float, now: float) -> list[Run]:
    """The runs that were closed since a moment, newest first. Raises LedgerUnavailable."""
    return [
        run for run in _closed(ledger, now, since) if run.closed_at is not None and run.closed_at >= since
    ]


def find(ledger: Ledger, given: str, now: float) -> Record:
    """The run with this event id, or the only one whose event id or shkeptncontext begins so.

    What is active is looked at first, then what was closed, day by day into the past. Raises NoSuchRun and
    LedgerUnavailable.
    """
    if len(given) < SHORTEST:
        raise NoSuchRun(f"{given!r} is too short for an id's beginning: give {SHORTEST} characters or more.")
    if record := ledger.record(given):
        return record
    found = [run for run in ledger.active() if _is_meant(run, given)]
    found = found or _newest_closed(ledger, given, now)
    if len(found) > 1:
        several = "; ".join(_named(run) for run in found[:10])
        raise NoSuchRun(
            f"{given} may be any of {len(found)} runs, so give more of the event's id: {several}."
        )
    record = ledger.record(found[0].event.id) if found else None
    if record is None:
        raise NoSuchRun(
            f"this plane has no run of {given}: it was never taken here, or was closed a month ago or more. "
            "One that was closed before the upgrade to this version is found by its whole event id only."
        )
    return record


def _closed(ledger: Ledger, now: float, since: float) -> Iterator[Run]:
    """Closed runs, newest first, day by day."""
    day, last = (datetime.fromtimestamp(at, UTC).date() for at in (now, since))
    while day >= last:
        yield from reversed(ledger.closed_on(day))
        day -= timedelta(days=1)


def _newest_closed(ledger: Ledger, given: str, now: float) -> list[Run]:
    """The closed runs that are meant, of the latest day that has any."""
    found: list[Run] = []
    for run in _closed(ledger, now, now - KEEP_CLOSED - DAY):
        if (
            found
            and found[0].closed_at
            and run.closed_at
            and found[0].closed_at // DAY > run.closed_at // DAY
        ):
            break
        if _is_meant(run, given):
            found.append(run)
    return found


def _is_meant(run: Run, given: str) -> bool:
    return run.event.id.startswith(given) or run.event.context.startswith(given)


def _named(run: Run) -> str:
    return f"{run.event.id} ({run.event.task} in {run.event.stage}, {clock_time(run.claimed_at)})"
