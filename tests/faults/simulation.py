"""A simulation of a plane, in which a fault strikes one call; scenarios say what goes on in it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from local.keptn.timing import Timing
from tests.faults.injection import Fault, Injector, Killed
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.sqs import given_up
from tests.support.world import Plane, World


class Simulation:
    """A world with one plane, in which a fault strikes one call of the functions."""

    sqs: Any
    """Lambda's client of the failure queue, which suffers nothing."""
    queue_url: str

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        self.world = World(timing=Timing(reply_delay=0.5, dispatch_gap=0.5))
        self.injector = Injector(self.world.clock, point, fault)
        self.injector.others = self.another_poller_cycles
        self.world.clock.on_advance.append(self.injector.catch_up)
        self.world.wrap_session = self.injector.wrap_session
        self.keptn_loses = False
        """Whether the scenario itself has Keptn drop a reply."""
        self.keptn_may_time_out = False
        """Whether no reply is owed, or nobody polls for as long as Keptn waits for the first."""
        self.is_broken = False
        """Whether the worker can not be imported."""
        self.are_records_lost = False
        """Whether Lambda leaves nothing of a failed invocation in the failure queue."""
        self.died: list[tuple[dict[str, Any], BaseException, str]] = []
        """The invocations that failed: what they were invoked with, how they died, and their request ids."""
        self.tasks: list[str] = []
        self.plane = self.new_plane()
        self.plane.queue.invoke = self.injector.wrap_invoke(self.plane.queue.invoke)  # type: ignore[method-assign]
        self.world.planes.append(self.plane)

    def new_plane(self) -> Plane:
        """The plane, whose calls suffer what the injector says; sets its failure queue."""
        raise NotImplementedError

    def give_up(self, payload: dict[str, Any], death: BaseException, invocation: str = "1") -> None:
        """An invocation came to nothing, and Lambda leaves it in the failure queue."""
        self.died.append((payload, death, invocation))
        if self.are_records_lost:
            return
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=given_up(payload, death, invocation))

    def trigger(self, **data: Any) -> None:
        """A user triggers the sequence, with data."""
        self.tasks.append(self.world.trigger("APAC", **data))

    def control(self, command: str) -> None:
        """A user aborts, pauses or resumes the sequences."""
        for context in self.world.contexts.values():
            self.world.keptn.control("podtato", context, command)

    def poll(self) -> None:
        """One cycle of a poller, which may die and is then replaced."""
        self.survive(self.plane.cycle)

    def work_all(self) -> None:
        """Each invocation that is in Lambda's queue."""
        invocations, self.plane.queue.invocations[:] = list(self.plane.queue.invocations), []
        for payload in invocations:
            self.invoke(payload)

    def cycles(self, cycles: int = 1, pollers: int = 1, seconds: float = 10.0) -> None:
        """Cycles so many seconds apart, each with the invocations that it makes."""
        for _ in range(cycles):
            for _ in range(pollers):
                self.poll()
            self.work_all()
            self.world.clock.advance(seconds)

    def invoke(self, payload: dict[str, Any]) -> None:
        """An invocation of the worker, which may fail."""
        invocation = str(uuid4())
        try:
            if self.is_broken:
                raise ImportError("No module named 'yaml'")
            self.plane.work(payload, invocation=invocation)
        except (Killed, Exception) as death:
            self.give_up(payload, death, invocation)

    def wait(self, cycles: int, seconds: float) -> None:
        """Cycles far apart, with nothing taken from Lambda's queue."""
        for _ in range(cycles):
            self.poll()
            self.world.clock.advance(seconds)

    def another_poller_cycles(self) -> None:
        """A tick that overlaps whatever is under way."""
        self.survive(lambda: self.plane.cycle(self.plane.new_poller()))

    def abort(self) -> None:
        """A user aborts the sequences, and pollers go by it for some minutes."""
        self.control("abort")
        for _ in range(3):
            self.another_poller_cycles()
            self.world.clock.advance(100.0)

    def survive(self, act: Callable[[], object]) -> None:
        """Do what may be the poller's death."""
        try:
            act()
        except Killed:
            self.plane.poller = self.plane.new_poller()
        except Exception:
            return

    def come_to_rest(self) -> None:
        """No more faults: everything must come to rest, and the invariants hold."""
        self.injector.is_armed = False
        bring_to_rest(self.world)
        check_invariants(
            self.world,
            self.tasks,
            keptn_lost_nothing=not self.keptn_loses and self.injector.keptn_lost_nothing,
            may_time_out=self.keptn_may_time_out,
        )
