"""Pure parts: merging, aggregating, durations, types."""

from typing import Any

import pytest

from local.keptn import durations, events
from local.keptn.execution import TaskEvent, aggregate
from local.keptn.merge import merge


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ({"a": {"x": "1"}}, {"a": {"y": "2"}}, {"a": {"x": "1", "y": "2"}}),
        ({"a": "old"}, {"a": "new"}, {"a": "new"}),
        ({"a": "old"}, {"a": None}, {"a": ""}),
        ({"a": 1}, {"a": 2}, {"a": 1}),
        ({"a": True}, {"a": False}, {"a": True}),
        ({"a": 1}, {"a": "two"}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [2, 3]}, {"a": [2, 3, 1, 2]}),
        ({"a": [1]}, {"a": None}, {"a": [1]}),
        ({"a": ["x"]}, {"a": "x"}, {"a": "x"}),
        ({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
        ({"a": None}, {"a": 3}, {"a": 3}),
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1}, None, {"a": 1}),
    ],
)
def test_merging_follows_keptns_rules(first: Any, second: Any, merged: Any) -> None:
    assert merge(first, second) == merged


def test_merging_changes_neither_side() -> None:
    first, second = {"a": {"x": [1]}}, {"a": {"x": [2]}}
    merge(first, second)
    assert (first, second) == ({"a": {"x": [1]}}, {"a": {"x": [2]}})


def _finished(*outcomes: tuple[str, str]) -> list[TaskEvent]:
    kind = "sh.keptn.event.test.finished"
    return [TaskEvent(kind, "s", result, status, "", None) for result, status in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "since_0_19", "before"),
    [
        ([("pass", "succeeded")], ("pass", "succeeded"), ("pass", "succeeded")),
        ([("", "")], ("fail", "unknown"), ("pass", "succeeded")),
        ([("passed", "succeeded")], ("fail", "succeeded"), ("pass", "succeeded")),
        ([("pass", "unknown")], ("fail", "unknown"), ("pass", "succeeded")),
        ([("pass", "aborted")], ("pass", "aborted"), ("pass", "succeeded")),
        ([("pass", "errored")], ("pass", "errored"), ("pass", "errored")),
        (
            [("warning", "succeeded"), ("pass", "succeeded")],
            ("warning", "succeeded"),
            ("warning", "succeeded"),
        ),
        ([("fail", "succeeded"), ("warning", "errored")], ("fail", "errored"), ("fail", "errored")),
    ],
)
def test_the_worst_of_all_results_wins_and_odd_ones_fail_since_0_19(
    outcomes: list[tuple[str, str]], since_0_19: tuple[str, str], before: tuple[str, str]
) -> None:
    assert aggregate(_finished(*outcomes), odd_results_fail=True) == since_0_19
    assert aggregate(_finished(*outcomes), odd_results_fail=False) == before


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("0", 0), ("-5s", -5)]
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    assert durations.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "5 s", "1d", "s", "-"])
def test_what_is_no_go_duration_is_refused(text: str) -> None:
    with pytest.raises(durations.InvalidDuration):
        durations.seconds(text)


def test_keptn_takes_status_changed_for_a_sequence() -> None:
    assert events.is_sequence_type("sh.keptn.event.test.status.changed")
    assert events.is_task_type("sh.keptn.event.test.started")


def test_times_have_as_many_digits_as_go_gives_them() -> None:
    assert events.rfc3339(1_700_000_000.0) == "2023-11-14T22:13:20Z"
    assert events.rfc3339(1_700_000_000.25) == "2023-11-14T22:13:20.25Z"
    assert events.keptn_time(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
