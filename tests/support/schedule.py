"""EventBridge Scheduler, the timers' queue and Lambda's mapping on a simulated clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control.pulse import Pulse
from execution_plane.clock import Clock, Deadline
from poller import serve

if TYPE_CHECKING:
    from control.controller import TickReport
    from tests.support.clock import SimulatedClock
    from tests.support.world import Plane

TICK = (Path(__file__).parents[2] / "events" / "tick.json").read_text()
STEP = 0.5  # seconds, after each of which the mapping looks for messages by default


@dataclass
class TimerQueue:
    """A queue with message timers; has the one method of boto3's client that a tick calls."""

    clock: Clock
    late: Callable[[], float] = lambda: 0.0
    """Seconds by which it is late with a message."""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """When each is there to be received, and its record."""

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl
        assert len(Entries) <= 10
        for entry in Entries:
            self.send(entry["MessageBody"], entry["DelaySeconds"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def send(self, body: str, delay: int = 0) -> None:
        assert 0 <= delay <= 900
        now = self.clock.now()
        record = {"body": body, "attributes": {"SentTimestamp": str(int(now * 1000))}}
        self.messages.append((now + delay + self.late(), record))

    def due(self) -> Iterator[dict[str, Any]]:
        """What is there, taken off the queue one by one as it is asked for."""
        while there := [each for each in self.messages if each[0] <= self.clock.now()]:
            self.messages.remove(there[0])
            yield there[0][1]


class Schedule:
    """Has a plane polled as it is deployed; each invocation is in a new execution environment."""

    def __init__(
        self,
        plane: "Plane",
        *,
        interval: int = 5,
        busy: float = 1.0,
        period: int = 60,
        timeout: float = 120.0,
        pollers: int = 2,
        sqs: Callable[[TimerQueue], Any] = lambda queue: queue,
        fatal: type[BaseException] = Exception,
        late: Callable[[], float] = lambda: 0.0,
        step: float = STEP,
    ) -> None:
        """`pollers` are the most that the mapping starts at once; `sqs` is what a tick has of the queue, and
        `fatal` ends an invocation besides what fails it.
        """
        self._fatal = fatal
        self._step = step
        self.queue = TimerQueue(plane.world.aws_clock, late)
        self.is_enabled = True
        self.failures: list[BaseException] = []
        self.reports: list[TickReport | None] = []
        self.most_at_once = 0
        self._plane = plane
        self._period = period
        self._busy = busy
        self._timeout = timeout
        self._pollers = pollers
        self._under_way = 0
        self._until = inf
        self._next_tick = plane.clock.now()
        client = sqs(self.queue)
        self._pulse = Pulse(
            lambda: client, "timers", interval=interval, period=period, clock=plane.world.aws_clock
        )
        plane.clock.on_advance.append(self._deliver)

    def tick(self) -> None:
        """The schedule's next tick."""
        self.queue.send(TICK)
        self._deliver()

    def run(self, seconds: float) -> None:
        """Tick at once, and after each period, for so long; what is due at its very end is not delivered."""
        clock: SimulatedClock = self._plane.clock
        self._until = end = clock.now() + seconds
        self._deliver()
        while clock.now() < end:
            if clock.now() >= self._next_tick:
                self._next_tick += self._period
                self.tick()
            clock.advance(min(self._step, end - clock.now()))

    def stop(self) -> None:
        """Deliver no more."""
        self.is_enabled = False
        self._plane.clock.on_advance.remove(self._deliver)

    def _deliver(self) -> None:
        while self.is_enabled and self._under_way < self._pollers and self._plane.clock.now() < self._until:
            record = next(self.queue.due(), None)
            if record is None:
                return
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            try:
                self.invoke({"Records": [record]})
            finally:
                self._under_way -= 1

    def invoke(self, request: dict[str, Any]) -> None:
        """One invocation; what it fails with is kept."""
        end = Deadline.after(self._plane.world.aws_clock, self._timeout)
        try:
            self.reports.append(serve(request, self._pulse, self._plane.new_poller(), self._busy, end))
        except (Exception, self._fatal) as failure:  # Lambda tells of it, and nobody tries again
            self.failures.append(failure)
