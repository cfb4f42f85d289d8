"""Alarms, dashboard and saved queries: valid, documented, and of nothing but what the code tells."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from cli.template import read_template
from execution_plane.telemetry import Count, Measure

ROOT = Path(__file__).parents[2]
RESOURCES: dict[str, dict[str, Any]] = read_template()["Resources"]
OWN = "KeptnLambdaExecutor"
ALARMS = {name: each for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
QUERIES = {name: each for name, each in RESOURCES.items() if each["Type"] == "AWS::Logs::QueryDefinition"}
PAGE = (ROOT / "docs" / "operations.md").read_text()
SOURCES = "\n".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
FUNCTION_METRICS = {"Invocations", "Errors", "Throttles", "ConcurrentExecutions"}
QUEUE_METRICS = {"NumberOfMessagesSent", "ApproximateNumberOfMessagesVisible"}


def widgets() -> list[dict[str, Any]]:
    """The dashboard's widgets, with every reference replaced by its name."""
    body = RESOURCES["PlaneDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    parsed: dict[str, Any] = json.loads(re.sub(r"\$\{([\w:.]+)\}", r"\1", body))
    found: list[dict[str, Any]] = parsed["widgets"]
    return found


def of_the_dashboard() -> Iterator[tuple[str, str, str, str]]:
    """Namespace, metric, and the name and value of its dimension."""
    for widget in widgets():
        for namespace, name, dimension, value, _ in widget["properties"].get("metrics", ()):
            yield namespace, name, dimension, value


def of_the_alarms() -> Iterator[tuple[str, str, str]]:
    """Namespace, metric, and the name of its dimension."""
    for alarm in ALARMS.values():
        properties = alarm["Properties"]
        (dimension,) = properties["Dimensions"]
        yield properties["Namespace"], properties["MetricName"], dimension["Name"]


def test_the_dashboard_shows_nothing_that_is_never_told() -> None:
    told = {
        OWN: ({*Count, *Measure}, "service", "AWS::StackName"),
        "AWS/Lambda": (FUNCTION_METRICS, "FunctionName", ("PollerFunction", "WorkerFunction")),
        "AWS/SQS": (QUEUE_METRICS, "QueueName", "FailureQueue.QueueName"),
    }

    for namespace, name, dimension, value in of_the_dashboard():
        names, of, values = told[namespace]
        assert name in names
        assert dimension == of
        assert value in values


def test_every_metric_is_on_the_dashboard_or_has_an_alarm() -> None:
    read = {name for _, name, *_ in (*of_the_dashboard(), *of_the_alarms())}

    assert {*Count, *Measure} <= read


def test_the_dashboards_widgets_lie_beside_each_other() -> None:
    places = [
        {
            (x, y)
            for x in range(each["x"], each["x"] + each["width"])
            for y in range(each["y"], each["y"] + each["height"])
        }
        for each in widgets()
    ]

    assert all(not one & other for one, other in combinations(places, 2))
    assert max(x for place in places for x, _ in place) < 24


def test_the_alarms_watch_what_is_told() -> None:
    for namespace, name, dimension in of_the_alarms():
        assert (namespace, dimension) in {
            (OWN, "service"),
            ("AWS/Lambda", "FunctionName"),
            ("AWS/SQS", "QueueName"),
        }
        assert name in {*Count, *Measure} | FUNCTION_METRICS | QUEUE_METRICS


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_says_what_to_look_at_and_has_an_entry_of_its_own(name: str) -> None:
    properties = ALARMS[name]["Properties"]
    said = properties["AlarmDescription"]["Fn::Sub"]

    assert said.endswith("docs/operations.md#alarms.")
    assert re.search(rf"^\| `{name}` \| .+ \| .+ \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    assert properties["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]


@pytest.mark.parametrize("name", ALARMS)
def test_a_plane_that_rests_raises_no_alarm(name: str) -> None:
    """Only the alarm that looks for ticks takes their absence for a failure."""
    breaches = ALARMS[name]["Properties"]["TreatMissingData"] != "notBreaching"

    assert breaches == (name == "TicksMissingAlarm")


def test_the_operations_page_lists_every_metric() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|", PAGE.partition("## Metrics")[2].partition("\n## ")[0], re.MULTILINE
    )

    assert sorted(listed) == sorted([*Count, *Measure])


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_asks_for_lines_that_are_logged(name: str) -> None:
    query = QUERIES[name]["Properties"]["QueryString"]

    for message in re.findall(r'message = "([^"]+)"', query):
        assert f'"{message}"' in SOURCES
    for widget in widgets():
        for message in re.findall(r"message = '([^']+)'", widget["properties"].get("query", "")):
            assert f'"{message}"' in SOURCES
