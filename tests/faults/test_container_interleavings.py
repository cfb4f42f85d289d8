"""Any interleaving with containers besides: they end, their ends are lost or doubled, ECS fails."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.faults.faulty_ledger import FaultyJobConfigs
from tests.faults.injection import Fault, Trouble, troubles
from tests.faults.test_interleavings import FAULTS, WORKS, Interleaving, try_interleavings
from tests.support.container_runs import BY_WORK
from tests.support.ecs import FakeEcs
from tests.support.job_configs import use_job_config
from tests.support.sample import Extent

OPERATIONS = [
    "DescribeTaskDefinition",
    "DescribeTasks",
    "GetLogEvents",
    "ListTasks",
    "RegisterTaskDefinition",
    "RunTask",
    "StopTask",
]
TROUBLES = troubles([*OPERATIONS, "UpdateItem", "GET"], 1, [*FAULTS, Fault.TWICE])


pytestmark = pytest.mark.timeout(1800)


class ContainerInterleaving(Interleaving):
    """The same plane, whose job config has containers with a function between or behind them."""

    @initialize(
        reply_delay=st.sampled_from([0.0, 0.5]),
        works=st.lists(WORKS, min_size=1, max_size=2),
        no_place=st.integers(0, 2),
    )
    def begin(self, reply_delay: float, works: list[str], no_place: int) -> None:
        super().begin(reply_delay, 0.0, works)
        self.ecs = FakeEcs(self.world.aws_clock)
        self.ecs.refusals = ["Capacity is unavailable at this time."] * no_place
        self.plane.ecs = self.injector.wrap_fake("ecs", self.ecs)
        self.plane.logs = self.injector.wrap_fake("logs", self.plane.logs)
        job_configs = FaultyJobConfigs(self.injector)
        self.functions = use_job_config(self.plane, BY_WORK, job_configs=job_configs)
        self.ends: list[dict[str, Any]] = []

    @precondition(lambda self: self.ecs.running)
    @rule(which=st.integers(0, 3), exit_code=st.sampled_from([0, 0, 1, None]), times=st.integers(0, 2))
    def a_container_ends(self, which: int, exit_code: int | None, times: int) -> None:
        running = self.ecs.running
        event = self.ecs.end(running[which % len(running)].arn, exit_code)
        self.ends.append(event)
        for _ in range(times):
            self.plane.deliver_end(event)

    @precondition(lambda self: self.ends)
    @rule(which=st.integers(0, 9))
    def an_end_comes_late(self, which: int) -> None:
        self.plane.deliver_end(self.ends[which % len(self.ends)])

    @rule(trouble=st.sampled_from([None, *TROUBLES]))
    def serve_a_container(self, trouble: Trouble | None) -> None:
        self.serve("pass", trouble)

    def can_lose_the_ledger(self) -> bool:
        """What was in a container, no other ledger can go on with."""
        submitted = any(call.operation == "RunTask" for call in self.injector.calls)
        return super().can_lose_the_ledger() and not submitted and not self.functions.begun

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "functions"):
            assert len(self.functions.begun) == len(set(self.functions.begun))


def test_the_invariants_hold_in_any_order_with_containers(extent: Extent) -> None:
    try_interleavings(ContainerInterleaving, extent)
