import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws import POLLER, TABLE
from local.example import EVENT_TYPE
from local.stand_ins import StandIns
from tests.sam.cli import LocalLambda, Sam
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)
EVENTS = Path(__file__).parents[2] / "events"
TICK: dict[str, Any] = json.loads((EVENTS / "tick.json").read_text())
TIMER: dict[str, Any] = json.loads((EVENTS / "timer.json").read_text())


def test_the_whole_flow_from_a_tick_to_finished(sam: Sam, stand_ins: StandIns) -> None:
    keptn = stand_ins.keptn.keptn
    ours, others = stand_ins.trigger("APAC"), stand_ins.trigger("EU")

    def is_closed(functions: LocalLambda) -> bool:
        functions.invoke(POLLER, TIMER)
        return states(stand_ins) == {ours: "closed"}

    plane = replace(sam, parameters={"MatchProperty": "$.data.sayhello.location", "MatchValue": "APAC"})

    with plane.start_lambda() as functions:
        functions.invoke(POLLER, TICK)
        assert until(lambda: keptn.counts(ours) == (1, 1))
        assert until(lambda: is_closed(functions), pause=2)  # its run stays active for ten seconds

    replies = [event for event in keptn.received if event.get("triggeredid") == ours]
    started, *progress, finished = [event["type"] for event in replies]
    assert started == "sh.keptn.event.sayhello.started"
    assert set(progress) == {"sh.keptn.event.sayhello.status.changed"}
    assert finished == "sh.keptn.event.sayhello.finished"
    assert replies[-1]["data"]["message"] == "Hello, world from APAC!"
    assert (replies[-1]["data"]["status"], replies[-1]["data"]["result"]) == ("succeeded", "pass")
    assert keptn.counts(others) == (0, 0)
    assert [event["id"] for event in keptn.open_events(EVENT_TYPE)] == [others]


def states(stand_ins: StandIns) -> dict[str, str]:
    """The state of every run in the ledger."""
    items = stand_ins.client("dynamodb").scan(TableName=TABLE)["Items"]
    return {item["event_id"]["S"]: item["state"]["S"] for item in items if "state" in item}
