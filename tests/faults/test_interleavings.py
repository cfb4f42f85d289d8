"""Any interleaving of what users, AWS and Keptn can do, then rest: the invariants hold."""

from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cli.runs.ending import NotEnded, end
from cli.runs.finding import NoSuchRun
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LedgerUnavailable
from local.keptn.timing import Timing
from runs.work import TaskCancelled, TaskContext
from tests.faults.faulty_ledger import FaultyLedger
from tests.faults.injection import Fault, Injector, Killed, Trouble, troubles
from tests.faults.invariants import bring_to_rest, check_invariants, replies_to
from tests.support.sample import Extent
from tests.support.sqs import FakeSqs, given_up
from tests.support.world import Plane, World

FAULTS = [fault for fault in Fault if fault is not Fault.TWICE]  # invocations are doubled by a rule
OPERATIONS = [
    "POST",
    "GET",
    "Invoke",
    "PutItem",
    "UpdateItem",
    "GetItem",
    "Query",
    "ReceiveMessage",
    "DeleteMessageBatch",
]
TROUBLE = st.sampled_from([None, *troubles(OPERATIONS, 2, FAULTS)])
WORKS = st.sampled_from(["heard", "heard", "heard", "silent", "none"])
"""What is to be done for an event: work that is heard of, work that is silent, or nothing."""
OUTCOMES = st.sampled_from(["pass", "raises", "watches", "takes a while"])


pytestmark = pytest.mark.timeout(1800)


class Interleaving(RuleBasedStateMachine):
    """A plane with two pollers, whose surroundings do as they please."""

    @initialize(
        reply_delay=st.sampled_from([0.0, 0.5, 30.0]),
        gap=st.sampled_from([0.0, 5.0]),
        works=st.lists(WORKS, min_size=1, max_size=3),
    )
    def begin(self, reply_delay: float, gap: float, works: list[str]) -> None:
        self.world = World(timing=Timing(reply_delay, gap))
        self.injector = Injector(self.world.clock)
        self.world.clock.on_advance.append(self.injector.catch_up)
        self.world.wrap_session = self.injector.wrap_session
        self.ledger = FaultyLedger(self.injector)
        self.sqs = FakeSqs(self.world.aws_clock)
        self.plane = Plane(
            self.world,
            self.ledger,
            source="keptn-lambda-executor/1/eu-west-1/x",
            sqs=self.injector.wrap_fake("sqs", self.sqs),
            failure_queue_url="failures",
        )
        self.broken_for = 0
        self.plane.queue.invoke = self.injector.wrap_invoke(self.plane.queue.invoke)  # type: ignore[method-assign]
        self.injector.others = lambda: self.plane.cycle(self.plane.new_poller())
        self.world.planes.append(self.plane)
        self.tasks = [self.world.trigger(work=work) for work in works]
        self.delivered: list[dict[str, Any]] = []
        self.snapshot: list[Run] = []
        self.in_doubt: set[str] = set()

    @precondition(lambda self: len(self.tasks) < 4)
    @rule(work=WORKS)
    def trigger(self, work: str) -> None:
        self.tasks.append(self.world.trigger(work=work))

    @rule(which=st.integers(0, 3), command=st.sampled_from(["abort", "pause", "resume"]))
    def control(self, which: int, command: str) -> None:
        if which < len(self.tasks):
            self.world.keptn.control("podtato", self.world.contexts[self.tasks[which]], command)

    @rule(pollers=st.integers(1, 2), trouble=TROUBLE)
    def tick(self, pollers: int, trouble: Trouble | None) -> None:
        self._expect(trouble)
        for _ in range(pollers):
            self._survive(self.plane.cycle)

    @rule()
    def remember_the_index(self) -> None:
        self.snapshot = self.ledger.memory.active()

    @rule()
    def tick_on_a_stale_index(self) -> None:
        self.ledger.memory.stale = list(self.snapshot)
        self._survive(self.plane.cycle)

    @rule(outcome=OUTCOMES, trouble=TROUBLE)
    def work(self, outcome: str, trouble: Trouble | None) -> None:
        self._expect(trouble)
        if self.plane.queue.invocations:
            payload = self.plane.queue.invocations.pop(0)
            self.delivered.append(payload)
            self._work(payload, outcome)

    @rule(outcome=OUTCOMES, trouble=TROUBLE)
    def serve(self, outcome: str, trouble: Trouble | None) -> None:
        """What happens most often: a tick, and the invocations that it makes."""
        self._survive(self.plane.cycle)
        self.world.clock.advance(6)
        self._survive(self.plane.cycle)
        self.work(outcome, trouble)
        self.world.clock.advance(10)

    @rule(which=st.integers(0, 3), trouble=TROUBLE)
    def an_operator_ends_a_run(self, which: int, trouble: Trouble | None) -> None:
        self._expect(trouble)
        run = self.ledger.memory.get(self.tasks[which]) if which < len(self.tasks) else None
        if run is not None:
            self._survive(lambda: self._end(run))

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 100))
    def deliver_again(self, which: int) -> None:
        self._work(self.delivered[which % len(self.delivered)], "pass")

    @rule(seconds=st.sampled_from([1.0, 10.0, 45.0, 100.0, 400.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-300.0, -20.0, 0.0, 20.0, 300.0]))
    def the_clocks_differ(self, seconds: float) -> None:
        if seconds > self.world.aws_clock.skew:
            if self.injector.is_any_late:
                return  # what takes a minute would seem to take six, which is more than anything waits for
            counts = self.world.keptn.counts
            self.in_doubt |= {task for task in self.tasks if self._sent(task) != counts(task)}
        self.world.aws_clock.skew = seconds

    @rule(invocations=st.integers(1, 4))
    def a_deployment_breaks_the_worker(self, invocations: int) -> None:
        """It can not be imported for as many invocations."""
        self.broken_for = invocations

    @precondition(lambda self: self.can_lose_the_ledger())
    @rule()
    def the_ledger_is_lost(self) -> None:
        self.in_doubt |= {task for task in self.tasks if any(self._sent(task))}
        self.ledger.memory.runs.clear()
        self.plane.queue.invocations.clear()
        self.delivered.clear()
        self.snapshot = []

    def can_lose_the_ledger(self) -> bool:
        """What neither the ledger nor Keptn knows, nobody does: what began must have been counted."""
        keptn = self.world.keptn
        sent = Counter(
            event.get("triggeredid") for event in keptn.received if event["type"].endswith(".started")
        )
        begun = set(self.plane.tasks.begun)
        return all(keptn.counts(task)[0] == max(sent[task], task in begun) for task in self.tasks)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for context in self.world.contexts.values():
            self.world.keptn.control("podtato", context, "resume")
        self.injector.is_armed = False
        self.ledger.memory.stale = None
        bring_to_rest(self.world)
        check_invariants(
            self.world,
            self.tasks,
            keptn_lost_nothing=self.injector.keptn_lost_nothing,
            may_time_out=True,
            in_doubt=self.in_doubt,
        )

    def _end(self, run: Run) -> None:
        with suppress(NotEnded, NoSuchRun):
            end(self.ledger, self.plane.steps(), self.world.aws_clock, run, "it hangs")

    def _sent(self, task: str) -> tuple[int, int]:
        return replies_to(self.world, task, self.plane.source)

    def _expect(self, trouble: Trouble | None) -> None:
        self.injector.ambush = trouble

    def _work(self, payload: dict[str, Any], outcome: str) -> None:
        self.plane.tasks.does = lambda context: self._do(outcome, context)
        invocation = str(uuid4())
        try:
            if self.broken_for:
                self.broken_for -= 1
                raise ImportError("No module named 'yaml'")
            self.plane.work(payload, invocation=invocation)
        except (Killed, LedgerUnavailable, ImportError) as death:
            self.sqs.send_message(QueueUrl="failures", MessageBody=given_up(payload, death, invocation))

    def _do(self, outcome: str, context: TaskContext) -> Outcome:
        if outcome == "raises":
            raise RuntimeError("the task's own")
        if outcome == "takes a while":
            self.world.clock.advance(300)
        if outcome == "watches":
            for _ in range(3):
                self.world.clock.advance(10)
                self._survive(self.plane.cycle)
                if not context.still_wanted():
                    raise TaskCancelled
        return Outcome("pass", "succeeded")

    def _survive(self, act: Any) -> None:
        try:
            act()
        except Killed:
            self.plane.poller = self.plane.new_poller()
        except LedgerUnavailable:
            pass


def try_interleavings(machine: type[Interleaving], extent: Extent) -> None:
    """As many as there are to be tried."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=extent.interleavings(),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,  # the same examples each time: a change is judged by itself
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_the_invariants_hold_in_any_order(extent: Extent) -> None:
    try_interleavings(Interleaving, extent)
