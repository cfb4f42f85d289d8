"""What the demo takes for well served, and what it complains of."""

from dataclasses import replace
from typing import Any

import pytest

from local.keptn.events import Event
from local.verdict import Served, problems

APAC, EU = "keptn-lambda-executor/1/a/apac", "keptn-lambda-executor/1/e/eu"


def reply(kind: str, source: str = APAC, **data: Any) -> Event:
    return {"type": f"sh.keptn.event.sayhello.{kind}", "source": source, "data": data}


FINISHED = reply("finished", message="Hello, world from APAC!", result="pass", status="succeeded")
WELL = Served(
    location="APAC",
    source=APAC,
    state="finished",
    counts=(1, 1),
    replies=(reply("started"), reply("status.changed"), FINISHED),
    runs={"APAC": "closed"},
)


def test_a_task_that_its_own_plane_answered_once_is_well_served() -> None:
    assert problems(WELL) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"state": "started"}, "the APAC sequence is started, not finished"),
        ({"counts": (2, 1)}, "Keptn counted 2 started and 1 finished"),
        (
            {"replies": (reply("status.changed", EU), FINISHED)},
            f"answered by {APAC}, {EU}, not by {APAC} alone",
        ),
        ({"replies": (reply("started"), FINISHED)}, "has no status.changed"),
        (
            {"replies": (reply("status.changed"), reply("finished", message="Oh", result="fail"))},
            "ended with 'Oh' (fail, None), not with 'Hello, world from APAC!'",
        ),
        ({"runs": {"APAC": "closed", "EU": "closed"}}, "not one closed run of APAC"),
        ({"runs": {}}, "the ledgers hold {}"),
    ],
)
def test_each_thing_that_is_wrong_is_said(change: dict[str, Any], complaint: str) -> None:
    (said,) = problems(replace(WELL, **change))

    assert complaint in said


def test_a_task_that_nobody_answered_is_complained_of() -> None:
    said = problems(replace(WELL, counts=(0, 0), replies=(), runs={}))

    assert any("answered by nobody" in each for each in said)
