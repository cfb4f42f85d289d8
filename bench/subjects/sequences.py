"""A plane that is polled as it is deployed, beside a Keptn with the real one's timing, in simulated time.

The answer has, for each of `SEQUENCES` sequences of `TASKS` tasks, the seconds from each task's triggered to
its started. A sequence is triggered at random, between `LEAST` and `MOST` seconds after the last one's end.
"""

import json
import os
from random import Random
from typing import Any, cast

import requests
from requests.adapters import BaseAdapter

from execution_plane.clock import Deadline
from execution_plane.ledger.runs import Run
from local.keptn.events import moment_of
from local.keptn.timing import AS_SEEN
from runs.work import Find
from tests.support.clock import SimulatedClock
from tests.support.memory_ledger import MemoryLedger
from tests.support.schedule import Schedule
from tests.support.world import SAYHELLO, Plane, Tasks, World

KEPTN_SECONDS = 0.03  # until the answer to a request, with TLS and proxy
AWS_SECONDS = 0.01  # of a write to the ledger
LATE = (0.02, 0.2)  # seconds by which SQS and its mapping are late with a message
WORKER_SECONDS = 0.05  # until a warm worker has its invocation
JOB_CONFIG_SECONDS = 0.08  # for which a job config is looked up
STEP = 0.05  # seconds
PATIENCE = 60.0  # seconds in which a sequence has ended
SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {{name: shipyard}}
spec:
  stages: [{{name: dev, sequences: [{{name: hello, tasks: [{tasks}]}}]}}]
"""


def main() -> None:
    """Have all sequences go to their ends."""
    least, most = float(os.environ["LEAST"]), float(os.environ["MOST"])
    simulated = Simulated(tasks=int(os.environ["TASKS"]))
    answer = []
    for _ in range(int(os.environ["SEQUENCES"])):
        simulated.schedule.run(simulated.random.uniform(least, most))
        answer.append(simulated.serve())
    print(json.dumps(answer))


class Simulated:
    """A plane with the default parameters, and a project with a sequence of so many tasks."""

    def __init__(self, tasks: int) -> None:
        self.world = World(FineClock(), timing=AS_SEEN)
        self.clock: SimulatedClock = self.world.clock
        self.random = Random(1)
        self.world.wrap_session = self._slow
        self.world.keptn.create_project(
            "bench", SHIPYARD.format(tasks=", ".join(["{name: sayhello}"] * tasks)), ("head",)
        )
        plane = Plane(
            self.world,
            cast("Any", SlowLedger(self.clock)),
            source="keptn-lambda-executor/1/eu-west-1/bench",
            work_finder=SlowTasks(self.clock),
        )
        self._plane, poller = plane, plane.poller
        plane.new_poller = lambda: poller  # type: ignore[method-assign] # a warm environment
        self.schedule = Schedule(plane, step=STEP, late=lambda: self.random.uniform(*LATE))
        self.clock.on_advance.append(self._work)

    def serve(self) -> list[float]:
        """Have a sequence go to its end: the seconds from each task's triggered to its started."""
        keptn = self.world.keptn
        context = keptn.trigger("bench", "dev", "head", "hello", {})
        until = self.clock.now() + PATIENCE
        while (keptn.sequence_state(context) or {}).get("state") != "finished":
            if self.clock.now() > until:
                raise RuntimeError("a sequence did not end")
            self.schedule.run(STEP)
        events = keptn.events(context)
        triggered = {each["id"]: moment_of(each) for each in events if each["type"] == SAYHELLO}
        started = [each for each in events if each["type"] == SAYHELLO.replace("triggered", "started")]
        return [moment_of(each) - triggered[each["triggeredid"]] for each in started]

    def _work(self) -> None:
        """The worker's invocations, each in an environment of its own."""
        while self._plane.queue.invocations:
            payload = self._plane.queue.invocations.pop(0)
            self.clock.advance(WORKER_SECONDS)
            self._plane.work(payload)

    def _slow(self, session: requests.Session) -> requests.Session:
        for prefix, adapter in list(session.adapters.items()):
            session.mount(prefix, SlowAdapter(adapter, self.clock))
        return session


class FineClock(SimulatedClock):
    """Time that passes in small steps, also while somebody sleeps: what is due happens when it is due."""

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now() + seconds
        while self.now() + STEP < end:
            super().advance(STEP)
        super().advance(end - self.now())


class SlowAdapter(BaseAdapter):
    """Half of a request's time passes before Keptn has it, half after."""

    def __init__(self, inner: BaseAdapter, clock: SimulatedClock) -> None:
        super().__init__()
        self._inner = inner
        self._clock = clock

    def send(self, *arguments: Any, **more: Any) -> requests.Response:
        """Send a request."""
        self._clock.advance(KEPTN_SECONDS / 2)
        answer = self._inner.send(*arguments, **more)
        self._clock.advance(KEPTN_SECONDS / 2)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class SlowLedger(MemoryLedger):
    """A ledger whose writes take their time."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def create(self, run: Run) -> Run:
        """Write a new run."""
        self._clock.advance(AWS_SECONDS)
        return super().create(run)

    def move(self, before: Run, after: Run) -> Run:
        """Write what becomes of a run."""
        self._clock.advance(AWS_SECONDS)
        return super().move(before, after)


class SlowTasks(Tasks):
    """Work that takes no time once it is found."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def search(self, run: Run, deadline: Deadline) -> Find:
        """Find it."""
        self._clock.advance(JOB_CONFIG_SECONDS)
        return super().search(run, deadline)


main()
