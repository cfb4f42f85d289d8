"""For every call of a scenario with containers and every way it can go wrong: the scenario to its end."""

from collections import Counter
from typing import Any

from execution_plane.clock import Deadline
from execution_plane.ledger.runs import PREPARE_LEASE, Run
from runs.work import Find
from tests.faults.faulty_ledger import FaultyJobConfigs, FaultyLedger
from tests.faults.injection import Fault, Killed
from tests.faults.matrix import matrix
from tests.faults.simulation import Simulation
from tests.support.container_runs import THREE
from tests.support.ecs import FORGOTTEN_AFTER, FakeEcs
from tests.support.job_configs import use_job_config
from tests.support.sqs import FakeSqs
from tests.support.world import Plane


class ContainerSimulation(Simulation):
    """A plane whose job config has two containers and a function between them."""

    job_config = THREE
    no_place: Any = "Capacity is unavailable at this time."
    service: Any
    """The fake that does the steps."""

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        super().__init__(point, fault)
        self.functions = use_job_config(
            self.plane, self.job_config, job_configs=FaultyJobConfigs(self.injector)
        )
        self.trigger()

    def new_plane(self) -> Plane:
        self.service = FakeEcs(self.world.aws_clock)
        source = "keptn-lambda-executor/1/eu-west-1/x"
        self.sqs, self.queue_url = FakeSqs(self.world.aws_clock), "failures"
        plane = Plane(
            self.world,
            FaultyLedger(self.injector),
            source=source,
            ecs=self.injector.wrap_fake("ecs", self.service),
            sqs=self.injector.wrap_fake("sqs", self.sqs),
            failure_queue_url=self.queue_url,
        )
        plane.logs = self.injector.wrap_fake("logs", plane.logs)
        return plane

    def end(self, times: int = 1, exit_code: int = 0) -> None:
        """Every step ends, and EventBridge says so this many times."""
        for task in self.service.running:
            event = self.service.end(task.arn, exit_code)
            for _ in range(times):
                self.plane.deliver_end(event)

    def come_to_rest(self) -> None:
        super().come_to_rest()
        begun = Counter(self.functions.begun)
        assert all(number == 1 for number in begun.values()), f"begun more than once: {begun}"


def containers_end(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end()
    simulation.cycles(2)
    simulation.end()
    simulation.cycles(3)


def ends_are_lost(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end(times=0)
    simulation.cycles(3)
    simulation.end(times=0)
    simulation.cycles(4)


def ends_come_twice(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end(times=2)
    simulation.cycles(2)
    simulation.end(times=2, exit_code=1)
    simulation.cycles(3)


def ends_are_lost_and_forgotten(simulation: ContainerSimulation) -> None:
    """Nobody polls for two hours, and a fault may have kept the started from Keptn."""
    simulation.keptn_may_time_out = True
    simulation.cycles(2)
    simulation.end(times=0)
    simulation.world.clock.advance(2 * FORGOTTEN_AFTER)
    simulation.cycles(4)


def aborted_while_a_container_runs(simulation: ContainerSimulation) -> None:
    simulation.injector.others = simulation.abort
    simulation.cycles(2)
    simulation.abort()
    simulation.cycles(10)


def a_container_past_its_deadline(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.world.clock.advance(300)
    simulation.cycles(12)


def a_worker_that_dies_at_a_containers_end(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end()
    work_finder, simulation.plane.work_finder = simulation.plane.work_finder, Deadly()
    simulation.cycles(1)
    simulation.plane.work_finder = work_finder
    simulation.world.clock.advance(PREPARE_LEASE)
    simulation.cycles(3)
    simulation.end()
    simulation.cycles(3)


def a_worker_that_can_not_be_imported_at_a_containers_end(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end()
    simulation.is_broken = True
    simulation.cycles(10, seconds=60.0)


def a_worker_that_can_not_be_imported_for_a_while_at_a_containers_end(
    simulation: ContainerSimulation,
) -> None:
    simulation.cycles(2)
    simulation.end()
    simulation.is_broken = True
    simulation.cycles(3)
    simulation.is_broken = False
    simulation.cycles(8)
    simulation.end()
    simulation.cycles(3)


def a_worker_function_that_is_not_there_at_a_containers_end(simulation: ContainerSimulation) -> None:
    simulation.cycles(2)
    simulation.end(times=0)
    simulation.plane.queue.refusals = 1_000
    simulation.cycles(8, seconds=60.0)


class Deadly:
    """A work finder that kills its worker."""

    def search(self, _: Run, __: Deadline) -> Find:
        raise Killed


def no_place_for_a_container(simulation: ContainerSimulation) -> None:
    simulation.service.refusals = [simulation.no_place] * 2
    simulation.cycles(10)
    simulation.end()
    simulation.cycles(3)


SCENARIOS = (
    containers_end,
    ends_are_lost,
    ends_come_twice,
    ends_are_lost_and_forgotten,
    aborted_while_a_container_runs,
    a_container_past_its_deadline,
    a_worker_that_dies_at_a_containers_end,
    a_worker_that_can_not_be_imported_at_a_containers_end,
    a_worker_that_can_not_be_imported_for_a_while_at_a_containers_end,
    a_worker_function_that_is_not_there_at_a_containers_end,
    no_place_for_a_container,
)
test_the_invariants_hold_with_containers = matrix(ContainerSimulation, *SCENARIOS)
