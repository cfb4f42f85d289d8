"""For every call of a scenario with containers and every way it can go wrong: the scenario to its end."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.faulty_ledger import FaultyLedger
from tests.faults.injection import Call, Fault, Injector, Killed
from tests.faults.promise import bring_to_rest, check_promise
from tests.support.ecs import FORGOTTEN_AFTER, FakeEcs
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

CONFIG = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Build, image: builder}
      - {name: Check, function: check}
      - {name: Ship, image: shipper}
"""


class Theatre:
    """A world with a plane that runs containers, in which a fault strikes one call of the functions."""

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        self.world = World(reply_delay=0.5, dispatch_gap=0.5)
        self.injector = Injector(self.world.clock, point, fault)
        self.world.clock.on_advance.append(self.injector.catch_up)
        self.world.wrap_session = self.injector.wrap_session
        self.ecs = FakeEcs(self.world.aws_clock)
        self.plane = Plane(
            self.world,
            FaultyLedger(self.injector),
            source="keptn-lambda-executor/1/eu-west-1/x",
            ecs=self.injector.wrap_fake("ecs", self.ecs),
        )
        self.plane.logs = self.injector.wrap_fake("logs", self.plane.logs)
        self.plane.queue.invoke = self.injector.wrap_invoke(self.plane.queue.invoke)  # type: ignore[method-assign]
        self.functions = use_job_config(self.plane, CONFIG)
        self.world.planes.append(self.plane)
        self.injector.others = self.another_poller_cycles
        self.task = self.world.trigger()

    def play(self, cycles: int) -> None:
        """Cycle on, with functions that may die and are then replaced."""
        for _ in range(cycles):
            self._survive(self.plane.cycle)
            invocations, self.plane.queue.invocations[:] = list(self.plane.queue.invocations), []
            for event in invocations:
                self._survive(lambda event=event: self.plane.work(event))  # type: ignore[misc]
            self.world.clock.advance(10.0)

    def end(self, times: int = 1, exit_code: int = 0) -> None:
        """Every container ends, and EventBridge says so this many times."""
        for task in self.ecs.running:
            event = self.ecs.end(task.arn, exit_code)
            for _ in range(times):
                self.plane.deliver_end(event)

    def another_poller_cycles(self) -> None:
        """A tick that overlaps whatever is under way."""
        self._survive(lambda: self.plane.cycle(self.plane.new_poller()))

    def abort(self) -> None:
        """A user aborts the sequence, and pollers go by it for some minutes."""
        self.world.keptn.control("podtato", self.world.contexts[self.task], "abort")
        for _ in range(3):
            self.another_poller_cycles()
            self.world.clock.advance(100.0)

    def come_to_rest(self) -> None:
        """No more faults: everything must come to rest, with the promise kept."""
        self.injector.is_armed = False
        bring_to_rest(self.world)
        check_promise(self.world, [self.task], keptn_lost_nothing=self.injector.fault is not Fault.LOST)
        begun = Counter(self.functions.begun)
        assert all(number == 1 for number in begun.values()), f"begun more than once: {begun}"

    def _survive(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Killed:
            self.plane.poller = self.plane.new_poller()
        except Exception as failure:
            self.failure = failure  # of an invocation, which the next cycle must mend


def containers_end(theatre: Theatre) -> None:
    theatre.play(2)
    theatre.end()
    theatre.play(2)
    theatre.end()
    theatre.play(3)


def ends_are_lost(theatre: Theatre) -> None:
    theatre.play(2)
    theatre.end(times=0)
    theatre.play(3)
    theatre.end(times=0)
    theatre.play(4)


def ends_come_twice(theatre: Theatre) -> None:
    theatre.play(2)
    theatre.end(times=2)
    theatre.play(2)
    theatre.end(times=2, exit_code=1)
    theatre.play(3)


def ends_are_lost_and_forgotten(theatre: Theatre) -> None:
    theatre.play(2)
    theatre.end(times=0)
    theatre.world.clock.advance(2 * FORGOTTEN_AFTER)
    theatre.play(4)


def aborted_while_a_container_runs(theatre: Theatre) -> None:
    theatre.injector.others = theatre.abort
    theatre.play(2)
    theatre.abort()
    theatre.play(10)


def a_container_past_its_deadline(theatre: Theatre) -> None:
    theatre.play(2)
    theatre.world.clock.advance(300)
    theatre.play(12)


def no_place_for_a_container(theatre: Theatre) -> None:
    theatre.ecs.refusals = ["Capacity is unavailable at this time."] * 2
    theatre.play(10)
    theatre.end()
    theatre.play(3)


Scenario = Callable[[Theatre], None]
SCENARIOS: tuple[Scenario, ...] = (
    containers_end,
    ends_are_lost,
    ends_come_twice,
    ends_are_lost_and_forgotten,
    aborted_while_a_container_runs,
    a_container_past_its_deadline,
    no_place_for_a_container,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_promise_is_kept_with_containers(
    scenario: Scenario, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    calls = play(scenario, None, None)
    points = [index for index, call in enumerate(calls) if call.suffers(fault)]
    broken = []
    for point in points:
        try:
            play(scenario, point, fault)
        except AssertionError as failure:
            broken.append(f"{point} {calls[point]}: {failure}")
    record_property("faults tried", len(points))
    record_property("faults survived", len(points) - len(broken))
    assert points
    assert not broken, "\n".join(broken)


def play(scenario: Scenario, point: int | None, fault: Fault | None) -> list[Call]:
    """Play a scenario to its end; the calls that were made in it."""
    theatre = Theatre(point, fault)
    scenario(theatre)
    theatre.come_to_rest()
    return theatre.injector.calls
