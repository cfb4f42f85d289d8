import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.aws import POLLER, TABLE, WORKER
from local.stand_ins import HOST, StandIns
from tests.sam.cli import Sam

pytestmark = pytest.mark.timeout(600)
EVENTS = Path(__file__).parents[2] / "events"


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return loaded


def test_a_tick_claims_what_is_open_and_a_dispatched_run_serves_it(sam: Sam, stand_ins: StandIns) -> None:
    task = stand_ins.trigger("APAC")

    report = sam.invoke(POLLER, event("tick.json"))
    answer = sam.invoke(WORKER, event("dispatched-run.json") | {"event_id": task})

    assert report["events_listed"] == 1
    assert answer == {"event_id": task, "what": "done: succeeded, pass"}
    assert stand_ins.keptn.keptn.counts(task) == (1, 1)


def test_the_sample_of_a_dispatched_run_that_nobody_claimed_does_nothing(sam: Sam) -> None:
    sample = event("dispatched-run.json")

    assert sam.invoke(WORKER, sample) == {"event_id": sample["event_id"], "what": "nothing to do"}


def test_deleting_the_stack_reports_what_is_open_and_answers(
    sam: Sam, stand_ins: StandIns, cloudformation: "CloudFormation"
) -> None:
    task = stand_ins.trigger("APAC")
    sam.invoke(POLLER, event("tick.json"))
    deletion = event("stack-delete.json") | {"ResponseURL": cloudformation.url}

    with sam.start_lambda() as functions:
        functions.invoke("LifecycleFunction", deletion)

    (answer,) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert answer["RequestId"] == deletion["RequestId"]
    starts, finishes = stand_ins.keptn.keptn.counts(task)
    assert starts == finishes == 1
    item = stand_ins.client("dynamodb").get_item(TableName=TABLE, Key={"event_id": {"S": task}})["Item"]
    assert json.loads(item["outcome"]["S"])["status"] == "errored"


class CloudFormation:
    """Where custom resources answer to."""

    def __init__(self, address: str) -> None:
        answers: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.answers = answers
        self.server = HTTPServer((address, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_address[1]}/answer"


@pytest.fixture
def cloudformation(stand_ins: StandIns) -> Iterator[CloudFormation]:
    running = CloudFormation(stand_ins.address)
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()
