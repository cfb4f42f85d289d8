"""The one logger and the one set of metrics. Names are an interface: see docs/logs.md and docs/metrics.md."""

import os
import threading
import warnings
from enum import StrEnum
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Lambda sets it where its own lines are off, and it would rule instead of LogLevel (Powertools' documentation
# of its logger: "AWS Lambda Advanced Logging Controls").
os.environ.pop("AWS_LAMBDA_LOG_LEVEL", None)
logger = Logger()
metrics = Metrics()
# An invocation with nothing to count is nothing to warn about, least of all in a log of JSON lines.
warnings.filterwarnings("ignore", message="No application metrics to publish")


class CurrentInvocation:
    """Which function's invocation this process is serving; a Lambda environment serves one at a time."""

    name = ""
    """As `poller/REQUEST_ID`; empty outside of functions."""

    def begin(self, function: str, context: "LambdaContext") -> None:
        """Note that an invocation of a function begins."""
        self.name = f"{function}/{context.aws_request_id}"


invocation = CurrentInvocation()


class Count(StrEnum):
    """What is counted, one metric each."""

    RUNS_CLAIMED = "RunsClaimed"
    RUNS_FINISHED = "RunsFinished"
    RUNS_ERRORED = "RunsErrored"
    RUNS_ABANDONED = "RunsAbandoned"
    RUNS_CANCELLED = "RunsCancelled"
    RUNS_ADOPTED = "RunsAdopted"
    REPLIES_UNCERTAIN = "RepliesUncertain"
    REPLIES_REPAIRED = "RepliesRepaired"
    REPLIES_NOT_COUNTED = "RepliesNotCounted"
    POLLS_FAILED = "PollsFailed"
    EVENTS_REFUSED = "EventsRefused"


class Measure(StrEnum):
    """What is measured, one metric each: of a slot, as of its last cycle, or of a run that is closed."""

    EVENTS_OPEN = "EventsOpen"
    LISTS_FAILING = "ListsFailing"
    RUNS_ACTIVE = "RunsActive"
    RUNS_OVERDUE = "RunsOverdue"
    OLDEST_RUN = "OldestRunSeconds"
    START_DELAY = "StartSeconds"
    RUN_DURATION = "RunSeconds"


_counting = threading.Lock()


def count(what: Count) -> None:
    """Count one more; written out by the handler's end, or with every hundredth. Safe for threads."""
    with _counting:  # add_metric is not: while one thread writes a hundred out, another would do so again
        metrics.add_metric(name=what, unit=MetricUnit.Count, value=1)


def measure(what: Measure, value: float) -> None:
    """Tell a value, in seconds where the name says so. Safe for threads."""
    unit = MetricUnit.Seconds if what.endswith("Seconds") else MetricUnit.Count
    with _counting:
        metrics.add_metric(name=what, unit=unit, value=value)
