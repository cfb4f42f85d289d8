"""New events: dispatched by the controller, some worked on by a worker, and dispatched by a plain loop.

The answer is the seconds of controller and loop, the controller's requests, and the processor seconds of
controller and worker. What is made or read at first use is theirs to pay.
"""

import json
import os
from time import perf_counter, process_time
from uuid import UUID

from bench.events import EVENT_TYPE
from bench.stub_server import Stub
from control.controller import TickReport
from control.dispatch import Dispatcher
from execution_plane.clock import Deadline
from execution_plane.keptn.events import read_triggered
from execution_plane.ledger.runs import Origin, Run
from execution_plane.shared_clients import SharedClients, aws_client
from poller import build
from worker import build as build_worker

HOUR = 3600.0
WORKED = 200  # events, of which each takes a worker ten requests


def main() -> None:
    """Once each: a thousand events are an average already."""
    settings, clock, _, controller = build()
    report, stub = TickReport(), Stub(os.environ["AWS_ENDPOINT_URL"])
    stub.notes()
    begin, begin_cpu = perf_counter(), process_time()
    controller.cycle(Deadline.after(clock, HOUR), report)
    by_controller, cpu = perf_counter() - begin, process_time() - begin_cpu
    counts = stub.notes().counts

    worker = build_worker()
    begin_cpu = process_time()
    events = [str(UUID(int=number + 1)) for number in range(WORKED)]
    done = [worker.handle(event_id, Deadline.after(clock, HOUR), Origin()) for event_id in events]
    worker_cpu = process_time() - begin_cpu
    if {*done} != {"done: succeeded, pass"}:
        raise RuntimeError(f"the worker's tasks came to {', '.join({*done})}")

    clients = SharedClients.from_environment()
    dispatcher = Dispatcher(lambda: aws_client("lambda"), settings.worker_function)
    listing = clients.control_plane.open_events(EVENT_TYPE, {})
    refs = [read_triggered(raw).ref for raw in listing.events]
    begin = perf_counter()
    for ref in refs:
        clients.control_plane.look(ref, settings.source)
        run = Run.claimed(ref, settings.source, clock.now(), clock.now() + HOUR)
        dispatcher.dispatch(clients.ledger.create(run))
    by_loop = perf_counter() - begin
    if report.steps != len(refs):
        raise RuntimeError(f"the controller claimed {report.steps} of {len(refs)} events")
    answer = {"controller": by_controller, "loop": by_loop, "cpu": cpu, "counts": counts}
    print(json.dumps({**answer, "worker_cpu": worker_cpu, "worked": WORKED}))


main()
