"""The pulse: when the poller polls, and for how long.

A tick of the schedule polls once, and sets timers for the time until the next tick; each timer is one poll.
Ticks and timers are messages of one queue, so that Lambda's mapping bounds how many pollers there are.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock
from execution_plane.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SCHEDULER = "aws.scheduler"
BATCH = 10  # messages that SQS takes at once


@dataclass(frozen=True)
class Slot:
    """The time to which a poll belongs, from one timer to the next; in seconds since the epoch."""

    due: float
    ends: float


def slots(tick: float, interval: int, period: int) -> list[Slot]:
    """The slots from a tick to the next; one of the whole period where there is no shorter interval."""
    length = min(interval or period, period)
    return [Slot(tick + begin, tick + min(begin + length, period)) for begin in range(0, period, length)]


class Pulse:
    """Gives each invocation of the poller its slot."""

    def __init__(
        self,
        client: "Callable[[], SQSClient]",
        queue_url: str | None,
        *,
        interval: int,
        period: int,
        clock: Clock,
    ) -> None:
        """`period` is that of the schedule. Without a queue, as on a laptop, a tick polls once."""
        self._client = client
        self._queue_url = queue_url
        self._interval = interval
        self._period = period
        self._clock = clock

    def slot(self, request: Mapping[str, Any]) -> Slot | None:
        """The slot for which the poller was invoked; None for one that has ended, which nobody need poll for.

        A tick sets the timers of the slots that follow. Whoever else invokes the poller has it poll once.
        """
        now = self._clock.now()
        message, sent_at = _message(request, now)
        if "due" in message:
            slot = Slot(message["due"], message["ends"])
            return slot if now < slot.ends else None
        if message.get("source") != SCHEDULER or not self._queue_url:
            return Slot(now, now)
        tick = now - int(max(0.0, now - sent_at))  # so that timers are set in whole seconds, as SQS has them
        coming = [slot for slot in slots(tick, self._interval, self._period) if now < slot.ends]
        self._set(coming[1:], now)
        return coming[0] if coming else None

    def _set(self, later: Sequence[Slot], now: float) -> None:
        """Set timers. Where SQS refuses, the next tick sets others: until then there are fewer polls."""
        for begin in range(0, len(later), BATCH):
            timers: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps(vars(slot)),
                    "DelaySeconds": round(slot.due - now),
                }
                for number, slot in enumerate(later[begin : begin + BATCH])
            ]
            try:
                answer = self._client().send_message_batch(QueueUrl=self._queue_url or "", Entries=timers)
                reasons = [refused.get("Message", "") for refused in answer.get("Failed", ())]
            except (ClientError, BotoCoreError) as problem:
                reasons = [str(problem)]
            if reasons:
                logger.warning("timers can't be set", reason=reasons[0])


def _message(request: Mapping[str, Any], now: float) -> tuple[Mapping[str, Any], float]:
    """What an invocation is told, and when it was sent: by SQS's own clock, if it came through a queue.

    Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS", for the records' fields.
    """
    if "Records" not in request:
        return request, now
    (record,) = request["Records"]
    sent = record.get("attributes", {}).get("SentTimestamp")
    return json.loads(record["body"]), float(sent) / 1000 if sent else now
