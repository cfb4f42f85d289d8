"""A run's story: what its ledger item remembers and what Keptn was told, in the order of their times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.runs.asking import KeptnSays
from execution_plane.keptn.events import epoch_seconds
from execution_plane.ledger.history import Entry, What
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import Record

REPLIES = {"started": "started", "finished": "finished", "changed": "status.changed"}
SUBMITTED_BEFORE = "the container is known to ECS"  # as items say it from before there were other steps


@dataclass(frozen=True)
class Moment:
    """One thing that happened to a run; `at` is by the clock of whoever says it."""

    at: float
    who: str
    what: str
    detail: str = ""


def tell(record: Record, says: KeptnSays) -> list[Moment]:
    """The whole story, oldest first, by one clock: Keptn's times are put right where its own differs much."""
    moments = [*_from_ledger(record), *_from_keptn(record.run, says)]
    return sorted(moments, key=lambda moment: moment.at)


def handles(record: Record) -> Sequence[str]:
    """What their services call the run's steps, oldest first."""
    known = [entry.detail for entry in record.history if entry.what in {What.SUBMITTED, SUBMITTED_BEFORE}]
    step = record.run.step
    return [*known, step.handle] if step and step.handle and step.handle not in known else known


def _from_ledger(record: Record) -> Iterator[Moment]:
    if not record.history or record.history[0].version > 1:
        yield from _from_before(record.run, record.history)
    previous = 0
    for entry in record.history:
        if 0 < previous < entry.version - 1:
            yield Moment(entry.at, "ledger", f"… {entry.version - 1 - previous} changes that are not kept …")
        yield Moment(entry.at, _writer(entry), entry.what, entry.detail)
        previous = entry.version


def _from_before(run: Run, history: Sequence[Entry]) -> Iterator[Moment]:
    """What a run's own fields say of the time before its history begins."""
    begins = history[0].at if history else float("inf")
    known = (
        (run.claimed_at, What.CLAIMED, ""),
        (run.started_at, What.STARTING, ""),
        (run.step and run.step.since, What.WAITING, run.step.handle if run.step else ""),
        (run.reported_at, What.REPORTED, ""),
        (run.closed_at, What.CLOSED, run.closed_as),
    )
    for at, what, detail in known:
        if at and at < begins:
            yield Moment(at, "ledger", what, detail)


def _writer(entry: Entry) -> str:
    return entry.by.partition("/")[0] or "ledger"


def _from_keptn(run: Run, says: KeptnSays) -> Iterator[Moment]:
    ahead = says.skew if says.is_skewed else 0.0
    if not says.events and run.event.triggered_at is not None:
        yield Moment(run.event.triggered_at - ahead, "Keptn", f"{run.event.task} triggered")
    for event in says.events:
        at = epoch_seconds(event.get("time"))
        if at is not None:
            yield Moment(at - ahead, "Keptn", *_said(run, event))


def _said(run: Run, event: Mapping[str, Any]) -> tuple[str, str]:
    kind = str(event.get("type")).rpartition(".")[2]
    if kind not in REPLIES:
        return f"{run.event.task} {kind}", ""
    data = event.get("data")
    data = data if isinstance(data, dict) else {}
    source = "" if event.get("source") == run.source else f"from {event.get('source')}"
    result = f"{data.get('status')}, {data.get('result')}" if kind == "finished" else ""
    message = str(data.get("message") or "").partition("\n")[0]
    return f"{REPLIES[kind]} received", ": ".join(filter(None, (source, result, message)))
