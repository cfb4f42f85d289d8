"""A minute of the deployed poller on an idle plane: a tick, and then each timer that it sets.

A tick and its timers have gone before, so that the environment is warm. The answer has how many timers a tick
sets, the processor seconds of each invocation, and what the stub received in the second minute. `BURST` says
that there are new events: the answer then has the processor seconds of the tick that claims them.
"""

import json
import os
from time import process_time, time
from typing import Any

from bench.stub_server import Stub
from bench.subjects.lambda_context import LambdaContext
from control.pulse import slots
from poller import build, handler

TICK = json.dumps({"source": "aws.scheduler"})


def main() -> None:
    """The timers come at once: what they do does not depend on when."""
    stub = Stub(os.environ["AWS_ENDPOINT_URL"])
    if os.environ.get("BURST"):
        print(json.dumps({"processor": [taken(TICK)]}))
        return
    settings = build()[0]
    for _ in range(2):
        _, *later = slots(time(), settings.poll_interval, settings.schedule_period)
        stub.notes()
        processor = [taken(TICK), *(taken(json.dumps(vars(slot))) for slot in later)]
    notes = stub.notes()
    print(json.dumps({"processor": processor, "counts": notes.counts, "bytes": notes.received}))


def taken(body: str) -> float:
    """The processor seconds of an invocation by a message."""
    record: dict[str, Any] = {"body": body, "attributes": {"SentTimestamp": str(int(time() * 1000))}}
    begin = process_time()
    handler({"Records": [record]}, LambdaContext())
    return process_time() - begin


main()
