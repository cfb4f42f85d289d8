"""For every call of a plane that a schedule and its timers poll, and every way it can go wrong.

Besides, SQS loses timers, doubles them, is late with them or gives them in any order; it is down for minutes,
and then gives all at once; and somebody disables the mapping. Whatever happens, no burst of polls follows.
"""

from typing import Any

from execution_plane.ledger.runs import Run
from tests.faults.faulty_ledger import FaultyLedger
from tests.faults.injection import Fault, Killed
from tests.faults.matrix import matrix
from tests.faults.simulation import Simulation
from tests.support.schedule import Schedule
from tests.support.sqs import FakeSqs
from tests.support.world import Plane

INTERVAL, BUSY, PERIOD = 4, 2.0, 12
WINDOW = 2.0  # seconds in which polls are counted
MOST_POLLS = 5
"""In so many seconds: those of two slots that meet, and of two pollers that overlap, but of no third."""
SQS_OUTAGE, MAPPING_DISABLED = 180.0, 600.0


class PolledSimulation(Simulation):
    """A plane that is polled as it is deployed."""

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        super().__init__(point, fault)
        self.polled: list[float] = []
        self.schedule = self.new_schedule()

    def new_plane(self) -> Plane:
        self.sqs, self.queue_url = FakeSqs(self.world.aws_clock), "failures"
        ledger = FaultyLedger(self.injector)
        active = ledger.active

        def noting() -> list[Run]:
            self.polled.append(self.world.clock.now())
            return active()

        ledger.active = noting  # type: ignore[method-assign]
        return Plane(
            self.world,
            ledger,
            source="keptn-lambda-executor/1/eu-west-1/x",
            sqs=self.injector.wrap_fake("sqs", self.sqs),
            failure_queue_url=self.queue_url,
        )

    def new_schedule(self) -> Schedule:
        """A schedule whose calls to SQS suffer, and whose pollers may die."""
        return Schedule(
            self.plane,
            interval=INTERVAL,
            busy=BUSY,
            period=PERIOD,
            sqs=lambda queue: self.injector.wrap_fake("sqs", queue),
            fatal=Killed,
        )

    def serve(self, seconds: float) -> None:
        """Let the schedule run, and Lambda work off its queue as time passes."""
        self.world.clock.on_advance.append(self.work_all)
        self.schedule.run(seconds)
        self.world.clock.on_advance.remove(self.work_all)

    def meddle(self, change: Any) -> None:
        """Tick, and change what is in the timers' queue then: by a function of moments and records."""
        self.schedule.tick()
        messages = self.schedule.queue.messages
        messages[:] = change(list(messages))

    def come_to_rest(self) -> None:
        self.schedule.stop()
        polled = [moment for moment in self.polled if self.injector.fault is not Fault.SLOW]
        for moment in polled:
            close = [other for other in polled if moment <= other < moment + WINDOW]
            assert len(close) <= MOST_POLLS, f"{len(close)} polls in {WINDOW} s"
        super().come_to_rest()


def tasks_at_the_edges_of_slots_and_ticks(simulation: PolledSimulation) -> None:
    simulation.serve(3)
    simulation.trigger()
    simulation.serve(8)
    simulation.trigger()
    simulation.serve(6)


def timers_are_lost(simulation: PolledSimulation) -> None:
    simulation.trigger()
    simulation.meddle(lambda _: [])
    simulation.serve(20)


def timers_come_twice(simulation: PolledSimulation) -> None:
    simulation.trigger()
    simulation.meddle(lambda messages: messages + messages)
    simulation.serve(10)


def timers_are_late_by_more_than_a_slot(simulation: PolledSimulation) -> None:
    simulation.trigger()
    simulation.meddle(lambda messages: [(due + INTERVAL + 1, record) for due, record in messages])
    simulation.serve(16)


def timers_come_in_another_order(simulation: PolledSimulation) -> None:
    simulation.trigger()
    simulation.meddle(
        lambda messages: [
            (due, record) for (due, _), (_, record) in zip(messages, reversed(messages), strict=True)
        ]
    )
    simulation.serve(16)


def sqs_is_down_and_then_gives_all_at_once(simulation: PolledSimulation) -> None:
    _silence(simulation, SQS_OUTAGE)


def the_mapping_is_disabled_for_ten_minutes(simulation: PolledSimulation) -> None:
    simulation.keptn_may_time_out = True
    _silence(simulation, MAPPING_DISABLED)


def _silence(simulation: PolledSimulation, seconds: float) -> None:
    """A task is under way, and another is triggered meanwhile; every tick and timer waits in the queue."""
    simulation.trigger()
    simulation.serve(6)
    simulation.schedule.is_enabled = False
    simulation.trigger()
    simulation.serve(seconds)
    begun = len(simulation.polled)
    simulation.schedule.is_enabled = True
    simulation.world.clock.advance(0)
    assert len(simulation.polled) - begun <= MOST_POLLS
    simulation.serve(10)


test_the_invariants_hold_with_a_schedule = matrix(
    PolledSimulation,
    tasks_at_the_edges_of_slots_and_ticks,
    timers_are_lost,
    timers_come_twice,
    timers_are_late_by_more_than_a_slot,
    timers_come_in_another_order,
    sqs_is_down_and_then_gives_all_at_once,
    the_mapping_is_disabled_for_ten_minutes,
)
