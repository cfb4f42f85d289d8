"""How soon somebody acts on a run whose worker is dead: for every call over which a worker can die."""

from functools import cache

import pytest

from execution_plane.ledger.runs import Run, State
from tests.faults.injection import Fault
from tests.faults.test_containers_matrix import ContainerSimulation
from tests.support.sample import Extent
from tests.support.sqs import given_up

RECORD_COMES_AFTER = 2.0  # seconds; Lambda needs about one
MOST_SECONDS = 10.0  # from a worker's death to its requeue, or to errored
LONGEST_LEASE = 960
STEPS = 12  # seconds, in which all is done if nobody dies


class DyingSimulation(ContainerSimulation):
    """A plane that is polled each second, and whose containers end at once, until an invocation dies."""

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        super().__init__(point, fault)
        self.of_workers: set[int] = set()
        """Which of the calls workers made."""
        self.are_records_lost = True  # until they come

    def live(self) -> None:
        """Let time pass until a worker has died, or all is done."""
        for _ in range(STEPS):
            self.poll()
            while self.plane.queue.invocations and not self.died:
                before = len(self.injector.calls)
                self.invoke(self.plane.queue.invocations.pop(0))
                self.of_workers |= set(range(before, len(self.injector.calls)))
            if self.died:
                return
            self.end()
            self.world.clock.advance(1.0)

    @property
    def run(self) -> Run:
        """The only run."""
        return self.plane.run(self.tasks[0])

    def seconds_until_taken_over(self) -> float:
        """Poll each second until somebody has done something about the run."""
        before, died_at = self.run, self.world.clock.now()
        for second in range(2 * LONGEST_LEASE):
            if second == RECORD_COMES_AFTER and not self.are_records_lost:
                payload, death, invocation = self.died[0]
                record = given_up(payload, death, invocation)
                self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=record)
            self.poll()
            if (self.run.state, self.run.dispatches, self.run.step) != (
                before.state,
                before.dispatches,
                before.step,
            ):
                break
            self.world.clock.advance(1.0)
        return self.world.clock.now() - died_at


@cache
def calls_of_workers() -> list[int]:
    simulation = DyingSimulation()
    simulation.live()
    simulation.come_to_rest()
    assert simulation.functions.begun
    return sorted(simulation.of_workers)


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
@pytest.mark.parametrize("is_record_lost", [False, True], ids=["with its record", "its record is lost"])
def test_a_dead_workers_run_goes_on_within_seconds_by_the_record_and_by_its_lease_without(
    fault: Fault, is_record_lost: bool, extent: Extent
) -> None:
    calls = calls_of_workers()
    held, survived = [], 0
    for point in extent.faults(calls, calls[:: len(calls) // 6]):
        simulation = DyingSimulation(point, fault)
        simulation.live()
        survived += 1
        run, now = simulation.run, simulation.world.clock.now()
        if not simulation.died or run.state is State.DONE or now >= run.lease_until:
            continue  # the call failed before anybody could be killed after it, or nobody has the run
        simulation.are_records_lost = is_record_lost

        seconds = simulation.seconds_until_taken_over()

        lease = run.lease_until - now
        held.append(lease)
        if is_record_lost:
            assert lease <= seconds <= lease + 1, f"{point}: {run.state}"
        else:
            assert seconds <= MOST_SECONDS, f"{point}: {run.state}"
        simulation.come_to_rest()
    extent.survived(survived)
    assert max(held) > MOST_SECONDS
