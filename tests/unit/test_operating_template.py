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
TOLD = [{"Fn::If": ["BringsTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AlarmTopic"}]}]
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
        for namespace, name, dimension, value, _ in metrics_of(widget):
            yield namespace, name, dimension, value


def metrics_of(widget: dict[str, Any]) -> list[list[Any]]:
    """The metrics of a widget, without what is computed of them."""
    return [each for each in widget["properties"].get("metrics", ()) if len(each) > 1]


def computed_in(widget: dict[str, Any]) -> list[str]:
    """The expressions of a widget."""
    return [
        each[0]["expression"] for each in widget["properties"].get("metrics", ()) if isinstance(each[0], dict)
    ]


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


def test_graphs_show_0_where_nothing_is_told_and_no_time_where_nothing_took_any() -> None:
    for widget in widgets():
        metrics = metrics_of(widget)
        if not metrics:
            continue
        if {name for _, name, *_ in metrics} <= {Measure.START_DELAY, Measure.RUN_DURATION}:
            assert computed_in(widget) == []
        else:
            (expression,) = computed_in(widget)
            assert "FILL(" in expression
            assert [each[-1]["id"] for each in metrics] == [f"m{n}" for n in range(1, len(metrics) + 1)]
            assert not any(each[-1]["visible"] for each in metrics)


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
    assert properties["AlarmActions"] == TOLD
    assert properties.get("OKActions", TOLD) == TOLD


@pytest.mark.parametrize("name", ALARMS)
def test_a_plane_that_rests_raises_no_alarm(name: str) -> None:
    """Nothing takes the absence of data for a failure but the alarm that looks for ticks, which begins so."""
    properties = ALARMS[name]["Properties"]

    assert properties["TreatMissingData"] != "breaching"
    assert ("InsufficientDataActions" in properties) == (name == "TicksMissingAlarm")


def test_a_plane_that_rests_is_not_said_to_have_recovered() -> None:
    assert ALARMS["PollFailedAlarm"]["Properties"]["TreatMissingData"] == "ignore"


def test_missing_ticks_are_told_though_the_first_deployment_tells_nothing() -> None:
    """An alarm begins without enough data, and only a change of its state does something."""
    properties = ALARMS["TicksMissingAlarm"]["Properties"]

    assert properties["TreatMissingData"] == "missing"
    assert properties["InsufficientDataActions"] == TOLD


def test_the_page_of_metrics_lists_every_metric() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)

    assert sorted(listed) == sorted([*Count, *Measure])


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_asks_for_lines_that_are_logged(name: str) -> None:
    query = QUERIES[name]["Properties"]["QueryString"]

    for message in re.findall(r'message = "([^"]+)"', query):
        assert f'"{message}"' in SOURCES
    for widget in widgets():
        for message in re.findall(r"message = '([^']+)'", widget["properties"].get("query", "")):
            assert f'"{message}"' in SOURCES
