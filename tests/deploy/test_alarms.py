"""Alarms, dashboard and a key of one's own, as CloudFormation makes them; nothing here looks at a metric."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.planes import Sequence, deploy, parameters
from tests.deploy.sam_cli import SamCli, Stack

REGION = "eu-central-1"
EMAIL = "ops@example.com"


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer) -> Iterator[Stack]:
    """A plane with all that an operator may look at but saved queries, which the emulator refuses."""
    given = parameters(keptn, AlarmEmail=EMAIL, Dashboard="enabled", SavedQueries="disabled")
    made = deploy(sam, "watched", REGION, given, keptn.token)
    yield made
    made.remove()


def alarms(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [each for each in found if each["AlarmName"].startswith(f"{stack.name}-")]


def test_an_address_is_asked_whether_it_wants_what_every_alarm_tells(stack: Stack) -> None:
    (topic,) = [each["TopicArn"] for each in stack.client("sns").list_topics()["Topics"]]

    asked = stack.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    assert [(each["Protocol"], each["Endpoint"]) for each in asked] == [("email", EMAIL)]
    assert len(alarms(stack)) == 7
    assert all(each["AlarmActions"] == [topic] for each in alarms(stack))


def test_missing_ticks_are_told_by_too_little_data_in_which_an_alarm_begins(stack: Stack) -> None:
    (ticks,) = [each for each in alarms(stack) if "TicksMissingAlarm" in each["AlarmName"]]

    assert (ticks["StateValue"], ticks["TreatMissingData"]) == ("INSUFFICIENT_DATA", "missing")
    assert ticks["InsufficientDataActions"] == ticks["AlarmActions"]


def test_the_dashboard_is_of_this_stacks_functions_and_logs(stack: Stack) -> None:
    name = f"{stack.name}-{REGION}"
    body = stack.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    outputs = stack.outputs()

    assert len(json.loads(body)["widgets"]) > 10
    assert "${" not in body
    assert set(re.findall(r"SOURCE '([^']+)'", body)) == {
        outputs["PollerLogGroupName"], outputs["WorkerLogGroupName"],
    }  # fmt: skip
    assert outputs["PollerFunctionName"] in body


def test_it_serves_tasks_as_any_other(stack: Stack, keptn: KeptnServer) -> None:
    sequence = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})
    stack.tick()

    assert sequence.comes_to(1, 1)
