"""What a plane costs that has nothing to do, all in, by list prices; and what a burst takes of a processor.

Prices are those that AWS lists for us-east-1 (each service's page "Pricing"), without any free tier. A month
has 730 hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.stub_server import Behaviour, stub_server

MINUTES = 730 * 60
INTERVALS = {5: 2.00, 10: 1.30}
"""PollIntervalSeconds, and the most dollars a month."""
MEMORIES = (256, 512)
DEFAULT_MEMORY = 512
PROCESSOR = 1769  # MB with which a function has a whole one (Lambda developer guide, "Configure memory")
GB_SECOND, INVOCATION = 0.0000133334, 0.20e-6  # arm64
SQS_REQUEST, SCHEDULED, READ_UNIT = 0.40e-6, 1.00e-6, 0.125e-6
SECRET, SECRET_CALL = 0.40, 0.05e-4
OUT_GB = 0.09
ENVIRONMENTS = 2 * 12 * 30  # execution environments a month: two pollers', each for two hours
LONG_POLLS = 15
"""Receives that find nothing, a minute: Lambda polls a quiet queue five times over, for 20 s each."""
KEPTN_SECONDS, AWS_SECONDS = 0.03, 0.01  # until the answer to a request, another region's and this one's
BURST = 250  # tasks
TITLE = (
    "(j) A minute of an idle plane that is registered, one event type; a month by list prices, all in\n"
    f"    (Keptn answers after {KEPTN_SECONDS * 1000:.0f} ms, AWS after {AWS_SECONDS * 1000:.0f} ms; "
    "processor time is this machine's)"
)


@dataclass(frozen=True)
class Month:
    """A month of idle minutes."""

    counts: dict[str, int]
    processor: list[float]
    sent_bytes: int
    memory: int

    @property
    def polls(self) -> int:
        """In a minute."""
        return len(self.processor)

    @property
    def billed(self) -> float:
        """Milliseconds of a minute's invocations: what a processor takes at this memory, and the waiting."""
        keptn = sum(self.counts.get(kind, 0) for kind in ("list", "heartbeat"))
        aws = self.counts.get("Query", 0) + self.counts.get("SendMessageBatch", 0)
        share = min(self.memory / PROCESSOR, 1.0)
        return 1000 * (sum(self.processor) / share + keptn * KEPTN_SECONDS + aws * AWS_SECONDS)

    @property
    def sqs(self) -> int:
        """Requests of a minute: what is sent, received and deleted, and receives that find nothing."""
        return 1 + self.counts.get("SendMessageBatch", 0) + 2 * self.polls + LONG_POLLS

    @property
    def parts(self) -> dict[str, float]:
        """Dollars a month."""
        return {
            "Lambda": MINUTES
            * (self.billed / 1000 * self.memory / 1024 * GB_SECOND + self.polls * INVOCATION),
            "SQS": MINUTES * self.sqs * SQS_REQUEST,
            "EventBridge Scheduler": MINUTES * SCHEDULED,
            "DynamoDB": MINUTES * self.counts["Query"] * 0.5 * READ_UNIT,
            "Secrets Manager": SECRET + ENVIRONMENTS * SECRET_CALL,
            "Data transfer": MINUTES * self.sent_bytes / 1e9 * OUT_GB,
        }


def measure() -> Iterator[Figure]:
    """Polls, requests by service, billed milliseconds and dollars; then a burst at either memory."""
    with stub_server(Behaviour()) as stub:
        for interval, most in INTERVALS.items():
            environment = poller_environment(
                stub.url,
                POLL_INTERVAL_SECONDS=str(interval),
                POLL_INTERVAL_BUSY_SECONDS="1",
                REGISTRATION="enabled",
                TIMER_QUEUE_URL=f"{stub.url}/1/timers",
            )
            answer = answer_of("bench.subjects.idle_minute", environment)
            yield from _figures(interval, most, answer)
    with stub_server(Behaviour(events=BURST)) as stub:
        burst = answer_of("bench.subjects.idle_minute", poller_environment(stub.url, BURST="1"))
    (taken,) = burst["processor"]
    for memory in MEMORIES:
        what = f"{memory} MB: processor time of a cold cycle that takes {BURST} tasks"
        yield Figure(what, taken * PROCESSOR / memory, taken, "s")


def _figures(interval: int, most: float, answer: dict[str, Any]) -> Iterator[Figure]:
    months = {
        memory: Month(answer["counts"], answer["processor"], answer["bytes"], memory) for memory in MEMORIES
    }
    month = months[DEFAULT_MEMORY]
    keptn = sum(month.counts.get(kind, 0) for kind in ("list", "heartbeat"))
    yield Figure(f"{interval} s: polls", month.polls, exactly=60 / interval)
    yield Figure(f"{interval} s: requests to Keptn", keptn, exactly=2 * month.polls)
    yield Figure(f"{interval} s: requests to DynamoDB", month.counts["Query"], exactly=month.polls)
    yield Figure(f"{interval} s: requests to SQS, with its mapping's own", month.sqs)
    for memory, each in months.items():
        yield Figure(f"{interval} s, {memory} MB: billed for a minute", each.billed, unit="ms")
    for name, dollars in month.parts.items():
        yield Figure(f"{interval} s: {name}", dollars, unit="$")
    yield Figure(f"{interval} s, 256 MB: all in, a month", sum(months[256].parts.values()), unit="$")
    yield Figure(f"{interval} s: all in, a month", sum(month.parts.values()), unit="$", at_most=most)
