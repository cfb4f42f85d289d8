"""One cycle with some active runs and a number of closed ones, in moto's DynamoDB.

The answer is what the cycle asked of the ledger, and what the ledger read for it.
"""

import json
import os
from collections import Counter
from typing import Any

from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from bench.events import triggered_events
from control.controller import TickReport
from execution_plane.clock import Deadline
from execution_plane.keptn.events import read_triggered
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import Ledger
from execution_plane.shared_clients import aws_client
from local.aws import create_secret, create_table
from poller import build

TABLE = os.environ["LEDGER_TABLE_NAME"]
ACCOUNT = "123456789012"  # moto's


@mock_aws
def main() -> None:
    """The active runs' events are open, so that nothing is due; the closed ones' are not."""
    active, closed = int(os.environ["ACTIVE"]), int(os.environ["CLOSED"])
    client = aws_client("dynamodb")
    create_table(client, TABLE)
    create_secret(aws_client("secretsmanager"), "token", "token")
    _, clock, _, controller = build()
    ledger = Ledger(client, TABLE)
    *refs, gone = [read_triggered(raw).ref for raw in triggered_events(active + 1, 1024)]
    now = float(int(clock.now()))  # as many digits in every process, so that bytes can be compared
    for ref in refs:
        ledger.create(Run.claimed(ref, "bench", now, now + 3600))
    if closed:
        run = ledger.create(Run.claimed(gone, "bench", now, now + 3600))
        ledger.move(run, run.closed(now))
        _multiply(gone.id, closed)
    counts = Counter({"items": len(dynamodb_backends[ACCOUNT]["eu-west-1"].get_table(TABLE).items)})
    client.meta.events.register("after-call.dynamodb", lambda **call: _count(counts, **call))
    controller.cycle(Deadline.after(clock, 600), TickReport())
    print(json.dumps(counts))


def _multiply(event_id: str, number: int) -> None:
    """Make so many items of one, in moto's memory: through the API it would take minutes."""
    table = dynamodb_backends[ACCOUNT]["eu-west-1"].get_table(TABLE)
    attributes = next(item.attrs for item in table.all_items() if item.attrs["event_id"].value == event_id)
    item = {name: value.to_regular_json() for name, value in attributes.items()}
    for index in range(number - 1):
        table.put_item(item | {"event_id": {"S": f"{event_id}-{index}"}})


def _count(counts: Counter[str], model: Any, parsed: dict[str, Any], http_response: Any, **_: Any) -> None:
    counts[model.name] += 1
    counts["requests"] += 1
    counts["returned"] += len(parsed.get("Items", ()))
    counts["scanned"] += parsed.get("ScannedCount", 0)
    counts["bytes"] += len(http_response.content)


main()
