"""The one logger and the one set of metrics. Their names are an interface; docs/operations.md lists them."""

import threading
import warnings
from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()
# An invocation with nothing to count is nothing to warn about, least of all in a log of JSON lines.
warnings.filterwarnings("ignore", message="No application metrics to publish")


class Count(StrEnum):
    """What is counted, one metric each."""

    RUNS_CLAIMED = "RunsClaimed"
    RUNS_FINISHED = "RunsFinished"
    RUNS_ABANDONED = "RunsAbandoned"
    RUNS_CANCELLED = "RunsCancelled"
    RUNS_ADOPTED = "RunsAdopted"
    REPLIES_UNCERTAIN = "RepliesUncertain"
    REPLIES_REPAIRED = "RepliesRepaired"
    REPLIES_NOT_COUNTED = "RepliesNotCounted"
    POLLS_FAILED = "PollsFailed"
    EVENTS_REFUSED = "EventsRefused"


_counting = threading.Lock()


def count(what: Count) -> None:
    """Count one more; written out by the handler's end, or with every hundredth. Safe for threads."""
    with _counting:  # add_metric is not: while one thread writes a hundred out, another would do so again
        metrics.add_metric(name=what, unit=MetricUnit.Count, value=1)
