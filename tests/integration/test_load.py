"""Five hundred tasks at once, two busy pollers, slow replies, invocations that come twice; by real HTTP."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

from control.controller import Controller
from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.subscriptions import FixedSubscriptions, Subscription
from execution_plane.keptn.transport import Transport
from execution_plane.ledger.runs import Origin, Run, State
from execution_plane.ledger.table import Ledger
from execution_plane.shared_clients import SharedClients
from local.keptn.faults import Delay
from local.keptn.server import KeptnServer
from poller import assemble
from runs.executor import RunExecutor
from tests.support.memory_ledger import MemoryLedger
from tests.support.world import SAYHELLO, SHIPYARD, Tasks, Token, accepted, poller_settings
from worker import assemble as assemble_worker

TASKS = 500
SERVICES = tuple(f"service-{number}" for number in range(TASKS))
"""One for each task: Keptn runs one sequence at a time in each."""
REPLY_SECONDS = 0.075
SIDE_BY_SIDE = 24
CLOCK = SystemClock()


class LambdaThatDoubles:
    """Lambda's queue of asynchronous invocations, which delivers each of them twice."""

    def __init__(self, worker: RunExecutor) -> None:
        self._worker = worker
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self.ends: list[Future[str]] = []

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        event_id = json.loads(Payload)["event_id"]
        for _ in range(2):
            self.ends.append(
                self._pool.submit(self._worker.handle, event_id, Deadline.after(CLOCK, 60), Origin())
            )
        return accepted()

    def close(self) -> None:
        self._pool.shutdown()


class Fleet:
    """One plane with two pollers and as many workers as it takes."""

    def __init__(self, server: KeptnServer, ledger: Ledger) -> None:
        self._server, self._ledger = server, ledger
        self.tasks = Tasks()
        clients = SharedClients(CLOCK, self._client(), ledger, cast("Any", None))
        worker = assemble_worker({"JOB_CONFIG": "bundled"}, clients, lambda _: None)
        pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self.queue = LambdaThatDoubles(replace(worker, work_finder=self.tasks, pool=pool))
        self._stop = threading.Event()
        self._pollers = [threading.Thread(target=self._poll, args=(self._poller(),)) for _ in range(2)]
        self.failures: list[BaseException] = []

    def _client(self) -> ControlPlane:
        return ControlPlane(Transport(self._server.url, Token(self._server.keptn), CLOCK))

    def _poller(self) -> Controller:
        client = self._client()
        settings = poller_settings("keptn-lambda-executor/1/eu-west-1/x")
        clients = SharedClients(CLOCK, client, self._ledger, cast("Any", None))
        subscriptions = FixedSubscriptions((Subscription(SAYHELLO),))
        return assemble(
            settings, clients, {"lambda": self.queue}.__getitem__, subscriptions, ErrorLog(client)
        )

    def _poll(self, poller: Controller) -> None:
        try:
            while not self._stop.is_set():
                poller.cycle_until(Deadline.after(CLOCK, 2), 0.2, Deadline.after(CLOCK, 8))
                self._stop.wait(0.05)
        except BaseException as failure:
            self.failures.append(failure)

    def __enter__(self) -> "Fleet":
        for thread in self._pollers:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._pollers:
            thread.join()
        self.queue.close()


class OneAtATime(MemoryLedger):
    """The ledger's rules with a table's atomic writes; moto's are two steps, and slow."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def active(self) -> list[Run]:
        with self._lock:
            return super().active()

    def create(self, run: Run) -> Run:
        with self._lock:
            return super().create(run)

    def move(self, before: Run, after: Run) -> Run:
        with self._lock:
            return super().move(before, after)


@pytest.fixture
def ledger() -> Ledger:
    return cast("Ledger", OneAtATime())


@pytest.fixture
def server() -> Iterator[KeptnServer]:
    with KeptnServer() as listening:
        listening.keptn.create_project("podtato", SHIPYARD, SERVICES)
        yield listening


@pytest.mark.slow
def test_five_hundred_tasks_at_once_are_each_started_and_finished_once(
    server: KeptnServer, ledger: Ledger
) -> None:
    keptn = server.keptn
    for service in SERVICES:
        keptn.trigger("podtato", "dev", service, "sequence1", {"sayhello": {"location": "APAC"}})
    assert keptn.wait_for(lambda: len(keptn.open_events(SAYHELLO)) == TASKS)
    tasks = [str(event["id"]) for event in keptn.open_events(SAYHELLO)]
    server.faults.add(Delay(REPLY_SECONDS), "/v1/event$", "POST")

    with Fleet(server, ledger) as fleet:
        assert keptn.wait_for(lambda: not keptn.open_events(SAYHELLO), timeout=45)
        while ledger.active() and not fleet.failures:
            CLOCK.sleep(0.2)  # until the pollers have seen that all is over

    assert fleet.failures == []
    assert {keptn.counts(task) for task in tasks} == {(1, 1)}
    sent = Counter(event["type"].rpartition(".")[2] for event in keptn.received if event.get("triggeredid"))
    assert sent == {"started": TASKS, "finished": TASKS}
    assert keptn.ignored == []
    assert Counter(fleet.tasks.begun) == dict.fromkeys(tasks, 1)
    runs = [ledger.get(task) for task in tasks]
    assert all(run and run.state is State.CLOSED and run.closed_as == "acknowledged" for run in runs)
    assert len(fleet.queue.ends) == 2 * TASKS
    assert all(end.exception() is None for end in fleet.queue.ends)
