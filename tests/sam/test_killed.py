import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws import POLLER, WORKER
from local.example import EVENT_TYPE, PROJECT, SERVICE, STAGE
from local.stand_ins import StandIns
from tests.sam.cli import LocalLambda, Sam, kill_containers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)
TICK: dict[str, Any] = json.loads((Path(__file__).parents[2] / "events" / "tick.json").read_text())
WORKER_SECONDS = 30  # the shortest that the template takes
LEASE_BEYOND = 30
JOB_CONFIG = f"""\
apiVersion: v2
actions:
  - name: Wait
    events:
      - name: {EVENT_TYPE}
    tasks:
      - name: Wait
        function: wait
"""


def test_a_sequence_ends_although_its_worker_is_killed(sam: Sam, stand_ins: StandIns) -> None:
    keptn = stand_ins.keptn.keptn
    keptn.add_resource(PROJECT, "job/config.yaml", JOB_CONFIG, STAGE, SERVICE)
    task = stand_ins.trigger("APAC")
    plane = replace(sam, parameters={"WorkerTimeoutSeconds": str(WORKER_SECONDS)})

    def is_waiting() -> bool:
        return any(event["type"].endswith(".status.changed") for event in keptn.received)

    def is_over(functions: LocalLambda) -> bool:
        functions.invoke(POLLER, TICK)
        return keptn.counts(task) == (1, 1)

    with plane.start_lambda() as functions:
        functions.invoke(POLLER, TICK)
        assert until(is_waiting)
        assert kill_containers(WORKER) == 1
        assert keptn.counts(task) == (1, 0)
        assert until(lambda: is_over(functions), WORKER_SECONDS + LEASE_BEYOND + 60, pause=5)

    (finished,) = [event for event in keptn.received if event["type"].endswith("sayhello.finished")]
    assert (finished["data"]["status"], finished["data"]["result"]) == ("errored", "fail")
    assert "worker was lost" in finished["data"]["message"]
    assert keptn.open_events(EVENT_TYPE) == []
