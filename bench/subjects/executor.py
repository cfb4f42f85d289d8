"""Serves the tasks of a local Keptn, in one process: a plane with so many workers, or the least executor.

A worker is an execution environment of its own: it shares with the others what they share in AWS, which are
the ledger and the job configs in it, here in memory. Tasks take no time. The least executor is Keptn's own
distributor and SDK in short: it lists each second, and starts and ends what is new.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import count
from queue import SimpleQueue
from typing import Any, cast

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import Outcome, finished, read_triggered, started
from execution_plane.keptn.subscriptions import FixedSubscriptions, Subscription
from execution_plane.keptn.transport import Transport
from execution_plane.ledger.job_configs import JobConfigs
from execution_plane.ledger.runs import Origin
from execution_plane.ledger.table import Ledger
from execution_plane.settings import PollerSettings
from execution_plane.shared_clients import SharedClients
from jobs.model import Rules
from poller import assemble
from runs.actions import ActionPerformer
from runs.job_config_lookup import AT_ONCE, LEVELS, KeptnLookup
from runs.work_finder import JobConfigWorkFinder
from tests.support.memory_job_configs import MemoryJobConfigs
from tests.support.memory_ledger import MemoryLedger
from worker import assemble as assemble_worker

EVENT_TYPE = "sh.keptn.event.sayhello.triggered"
SOURCE = "keptn-lambda-executor/1/eu-west-1/bench"
WORKERS = int(os.environ["WORKERS"])
IDLE, BUSY = float(os.environ["IDLE"]), float(os.environ["BUSY"])
CLOCK = SystemClock()
HOUR = Deadline.after(CLOCK, 3600)
PASS = Outcome("pass", "succeeded", "done")


class OneAtATime:
    """What a table is: all that is done to it is done one after the other."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def act(*arguments: Any, **more: Any) -> Any:
            with self._lock:
                return getattr(self._inner, name)(*arguments, **more)

        return act


class Token:
    """Credentials that are always the control plane's."""

    def headers(self) -> dict[str, str]:
        """The token, in the way of Keptn's API."""
        return {"x-token": os.environ["KEPTN_TOKEN"]}

    def renew(self) -> None:
        """There is no other."""


class Nothing:
    """Runs a task by doing nothing."""

    def run(self, *_: object) -> Outcome:
        """Do nothing."""
        return PASS


class Lambda:
    """Lambda's queue, and as many execution environments as there are workers."""

    def __init__(self, ledger: Ledger, job_configs: JobConfigs) -> None:
        self._queue: SimpleQueue[str] = SimpleQueue()
        for _ in range(WORKERS):
            threading.Thread(target=self._serve, args=(ledger, job_configs), daemon=True).start()

    def invoke(self, *, Payload: bytes, **_: str) -> dict[str, Any]:  # noqa: N803
        """Put an invocation into the queue."""
        self._queue.put(json.loads(Payload)["event_id"])
        return {"StatusCode": 202, "Payload": BytesIO()}

    def _serve(self, ledger: Ledger, job_configs: JobConfigs) -> None:
        control_plane = client()
        levels = ThreadPoolExecutor(AT_ONCE * len(LEVELS))
        lookup = KeptnLookup(control_plane, job_configs, CLOCK, max_age=5.0, pool=levels)
        performer = ActionPerformer({"function": Nothing()}, CLOCK)
        clients = SharedClients(CLOCK, control_plane, ledger, cast("Any", None))
        worker = replace(
            assemble_worker({"JOB_CONFIG": "bundled"}, clients, lambda _: None),
            work_finder=JobConfigWorkFinder(lookup, performer, Rules()),
        )
        while True:
            worker.handle(self._queue.get(), Deadline.after(CLOCK, 900), Origin())


def client() -> ControlPlane:
    """A client of its own connections."""
    return ControlPlane(Transport(os.environ["KEPTN_URL"], Token(), CLOCK))


def serve_as_plane() -> None:
    """One poller, slot after slot."""
    ledger = cast("Ledger", OneAtATime(MemoryLedger()))
    job_configs = cast("JobConfigs", OneAtATime(MemoryJobConfigs()))
    control_plane = client()
    settings = PollerSettings.from_environment(
        {"EVENT_TYPES": EVENT_TYPE, "WORKER_FUNCTION_NAME": "worker", "PLANE_SOURCE": SOURCE}
    )
    clients = SharedClients(CLOCK, control_plane, ledger, cast("Any", None))
    subscriptions = FixedSubscriptions((Subscription(EVENT_TYPE),))
    queue: Any = Lambda(ledger, job_configs)
    poller = assemble(
        settings, clients, {"lambda": queue}.__getitem__, subscriptions, ErrorLog(control_plane)
    )
    begun = CLOCK.monotonic()
    for slot in count(1):
        ends = Deadline(CLOCK, begun + slot * IDLE)
        poller.cycle_until(ends, BUSY, HOUR)
        CLOCK.sleep(max(0.0, ends.remaining()))


def serve_as_the_least() -> None:
    """No ledger, no job config, no second thought."""
    control_plane = client()
    pool = ThreadPoolExecutor(WORKERS)
    taken: set[str] = set()

    def answer(raw: object) -> None:
        ref = read_triggered(raw).ref
        control_plane.send(started(ref, "least"), HOUR)
        control_plane.send(finished(ref, "least", PASS), HOUR)

    while True:
        begun = CLOCK.monotonic()
        for raw in control_plane.open_events(EVENT_TYPE, {}).events:
            if raw["id"] not in taken:
                taken.add(raw["id"])
                pool.submit(answer, raw)
        CLOCK.sleep(max(0.0, begun + BUSY - CLOCK.monotonic()))


serve = serve_as_plane if os.environ["KIND"] == "plane" else serve_as_the_least
threading.Thread(target=serve, daemon=True).start()
sys.stdin.read()
