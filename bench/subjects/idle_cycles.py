"""Cycles of the poller where nothing is open; the answer is what the stub received after the first."""

import json
import os

from bench.stub_server import Stub
from control.controller import TickReport
from execution_plane.clock import Deadline
from poller import build


def main() -> None:
    """The first cycle is not counted: it reads the API token as well."""
    _, clock, _, controller = build()
    stub = Stub(os.environ["AWS_ENDPOINT_URL"])
    controller.cycle(Deadline.after(clock, 60), TickReport())
    stub.notes()
    for _ in range(int(os.environ["CYCLES"])):
        controller.cycle(Deadline.after(clock, 60), TickReport())
    print(json.dumps(stub.notes().counts))


main()
