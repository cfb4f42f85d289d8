"""How the poller's last invocations ended: what shows that the plane polls.

Lambda's own metrics count them, whatever LogLevel is; the poller's log has the reasons of those that failed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cli.runs.aws import Missing, ask
from cli.runs.doctor.finding import Finding, fine, problem, unknown
from cli.runs.forecast import ALL_DAY
from cli.runs.plane import Plane
from cli.runs.words import clock_time

SUBJECT = "polls"
MINUTE, HOUR = 60, 3600  # seconds for which CloudWatch sums up
RECENT = 900.0  # seconds in which invocations are looked for
STALE = 600.0  # seconds without one after which the poller no longer runs, as TicksMissingAlarm has it
LONGEST_REST = 4 * 86_400.0  # seconds: a long weekend
AHEAD = 3600.0  # seconds by which this machine's clock may be behind
RATE = re.compile(r"rate\((\d+) minutes?\)")
CAUSES = ": see schedule, timers, functions and concurrency, and whether the schedule's role may send timers"
FAILED = '"ERROR" "kind"'  # only an invocation that failed logs an error with its exception's kind


@dataclass(frozen=True)
class Counted:
    """How many invocations began within `seconds` from `at` (by AWS's clock), and how many of them failed."""

    at: float
    seconds: int
    number: int
    failed: int

    @property
    def has_success(self) -> bool:
        """Whether any of them did not fail."""
        return self.failed < self.number


@dataclass(frozen=True)
class Failure:
    """The last invocation that logged why it failed."""

    at: float
    reason: str


@dataclass(frozen=True)
class Beat:
    """When the schedule starts the poller: its expression, and since when it is so."""

    expression: str
    since: float

    @property
    def rests(self) -> bool:
        """Whether it has hours or days without ticks."""
        return not ALL_DAY.fullmatch(self.expression)

    @property
    def first(self) -> str:
        """When the first tick comes, as the end of a sentence."""
        if rate := RATE.fullmatch(self.expression):
            return f"at about {clock_time(self.since + int(rate[1]) * MINUTE)} UTC"
        return f"when {self.expression} says so"


def check_polls(plane: Plane) -> Iterator[Finding]:
    """Whether the last polls succeeded; if not, since when and why."""
    beat, now = _beat(plane), plane.clock.now()
    counted = invocations(plane, RECENT, MINUTE)
    if not counted and beat.rests:
        counted = invocations(plane, LONGEST_REST, HOUR)
    yield verdict(counted, _last_failure(plane), beat, now)


def has_polled(plane: Plane) -> bool:
    """Whether the poller was started lately. Raises Unusable."""
    return bool(invocations(plane, RECENT, MINUTE))


def verdict(counted: Sequence[Counted], failure: Failure | None, beat: Beat, now: float) -> Finding:
    """What the invocations of late, oldest first, say of the plane."""
    last = counted[-1] if counted else None
    good = next((each for each in reversed(counted) if each.has_success), None)
    is_newest = failure is not None and (last is None or failure.at >= last.at + last.seconds)
    if is_newest or (last and not last.has_success):
        return problem(SUBJECT, f"{_why(failure)}; {_since(good)}.")
    if last is None:
        return _never(beat, now)
    if last.at + last.seconds + STALE >= now:
        return fine(SUBJECT, f"the last that succeeded was {_at(last)}{_failed_lately(counted, failure)}.")
    if beat.rests:
        return fine(SUBJECT, f"the plane rests by {beat.expression}; its last poll, {_at(last)}, succeeded.")
    return problem(SUBJECT, f"the poller was last started {_at(last)}{CAUSES}.")


def _never(beat: Beat, now: float) -> Finding:
    if now < beat.since + STALE:
        return unknown(
            SUBJECT,
            f"the plane has yet to poll: the schedule starts the poller {beat.first}, which AWS counts some "
            "minutes later. Ask again then.",
        )
    return problem(SUBJECT, f"the poller was not started in the last quarter of an hour{CAUSES}.")


def _failed_lately(counted: Sequence[Counted], failure: Failure | None) -> str:
    failed, number = sum(each.failed for each in counted), sum(each.number for each in counted)
    return f"; {failed} of {number} failed lately: {_why(failure)}" if failed else ""


def _why(failure: Failure | None) -> str:
    if failure is None:
        return "the poller fails before it can say why: its log group has Lambda's words"
    return f"the poll at {clock_time(failure.at)} UTC failed: {failure.reason.rstrip('.')}"


def _since(good: Counted | None) -> str:
    return f"the last that succeeded was {_at(good)}" if good else "none has succeeded lately"


def _at(counted: Counted) -> str:
    """The time of some invocations, as exactly as they were counted."""
    moment = datetime.fromtimestamp(counted.at, UTC)
    return moment.strftime("at %H:%M UTC" if counted.seconds == MINUTE else "on %Y-%m-%d, about %H:%M UTC")


def _beat(plane: Plane) -> Beat:
    """The schedule's, if it is there. Raises Unusable."""
    name = plane.stack.output("ScheduleName")
    try:
        found = ask(lambda: plane.aws.client("scheduler").get_schedule(Name=name))
    except Missing:
        return Beat("rate(1 minute)", 0.0)
    dates = (found[name].timestamp() for name in ("CreationDate", "LastModificationDate") if name in found)
    return Beat(found["ScheduleExpression"], max(dates, default=0.0))


def invocations(plane: Plane, seconds: float, period: int) -> list[Counted]:
    """What Lambda counted of the poller's invocations lately, oldest first. Raises Unusable."""
    name, now = plane.stack.output("PollerFunctionName"), plane.clock.now()
    asked = {
        "MetricDataQueries": [_query(metric, name, period) for metric in ("Invocations", "Errors")],
        "StartTime": datetime.fromtimestamp(now - seconds, UTC),
        "EndTime": datetime.fromtimestamp(now + AHEAD, UTC),
        "ScanBy": "TimestampAscending",
    }
    found = ask(lambda: plane.aws.client("cloudwatch").get_metric_data(**asked))["MetricDataResults"]
    values = {each["Id"]: dict(zip(each["Timestamps"], each["Values"], strict=True)) for each in found}
    failed: Mapping[datetime, float] = values.get("errors", {})
    return [
        Counted(at.timestamp(), period, int(number), int(failed.get(at, 0)))
        for at, number in sorted(values.get("invocations", {}).items())
        if number
    ]


def _query(metric: str, function: str, period: int) -> dict[str, Any]:
    dimensions = [{"Name": "FunctionName", "Value": function}]
    of = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": metric.lower(), "MetricStat": {"Metric": of, "Period": period, "Stat": "Sum"}}


def _last_failure(plane: Plane) -> Failure | None:
    """The last of the poller's own words about a failed invocation. Raises Unusable."""
    asked: dict[str, Any] = {
        "logGroupName": plane.stack.output("PollerLogGroupName"),
        "startTime": int((plane.clock.now() - RECENT) * 1000),
        "filterPattern": FAILED,
    }
    last: Failure | None = None
    while True:
        page = ask(partial(plane.aws.client("logs").filter_log_events, **asked))
        for event in page["events"]:
            reason = _reason(event["message"])
            last = Failure(event["timestamp"] / 1000, reason) if reason else last
        if "nextToken" not in page:
            return last
        asked["nextToken"] = page["nextToken"]


def _reason(line: str) -> str:
    """Why an invocation failed, if that is what a line says."""
    try:
        said = json.loads(line)
    except ValueError:
        return ""
    is_failure = isinstance(said, dict) and "kind" in said and said.get("level") == "ERROR"
    return str(said.get("reason") or said.get("message")) if is_failure else ""
