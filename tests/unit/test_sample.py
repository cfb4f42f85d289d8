"""A sample has something of everything, by a fixed rule, and the end of a run says what it leaves out."""

from collections import Counter
from itertools import chain, product
from typing import Any

import pytest

from tests.support.sample import ALL_EXAMPLES, EXAMPLES, Extent, strikes, summary

FAULTS = ["failed", "late", "lost"]
SCENARIOS = [
    ["get", "post", "get", "put"],
    ["get", "put", "get", "get", "delete"],
    ["get", "post", "put", "put", "get"],
    ["get", "put", "post", "get"],
]


def suffers(call: str, fault: str) -> bool:
    return call != "get" or fault == "failed"


STRIKES = 2
LEFT_OUT = ALL_EXAMPLES - EXAMPLES
SAMPLE = strikes(SCENARIOS, FAULTS, suffers, STRIKES)


def test_each_scenario_suffers_each_fault_at_so_many_kinds_of_call() -> None:
    for (number, calls), fault in product(enumerate(SCENARIOS), FAULTS):
        kinds = {call for call in calls if suffers(call, fault)}
        struck = [calls[index] for index in SAMPLE[number, fault]]

        assert set(struck) <= kinds
        assert len(set(struck)) == len(struck) == min(STRIKES, len(kinds))


def test_each_fault_strikes_each_kind_of_call_in_some_scenario() -> None:
    struck = {
        (SCENARIOS[number][index], fault) for (number, fault), points in SAMPLE.items() for index in points
    }

    assert struck == {
        (call, fault) for call, fault in product(chain(*SCENARIOS), FAULTS) if suffers(call, fault)
    }


def test_calls_of_one_kind_take_turns() -> None:
    struck = Counter(
        index
        for number in range(9)
        for index in strikes([["get"] * 3] * 9, FAULTS, suffers)[number, "failed"]
    )

    assert struck == {0: 3, 1: 3, 2: 3}


def test_a_new_scenario_at_the_end_changes_nothing_of_the_others() -> None:
    more = strikes([*SCENARIOS, ["get", "patch"]], FAULTS, suffers, STRIKES)

    assert {place: points for place, points in more.items() if place in SAMPLE} == SAMPLE
    assert {len(more[len(SCENARIOS), fault]) for fault in FAULTS} == {1, 2}


def report(nodeid: str, keywords: dict[str, Any], recorded: dict[str, Any]) -> pytest.TestReport:
    properties = list(recorded.items())
    return pytest.TestReport(
        nodeid, ("", 0, ""), keywords, "passed", None, "call", user_properties=properties
    )


def run(*, is_sample: bool) -> list[pytest.TestReport]:
    """A slow test, one of a matrix that survives two faults but for one, and one of interleavings."""
    recorded: dict[str, Any] = {}
    extent = Extent(is_sample, recorded.__setitem__)
    tried = extent.faults(range(1000, 3000), [1000, 2000])
    extent.survived(len(tried) - 1)
    extent.interleavings()
    slow = report("tests/integration/test_demo.py::test_it[a::b]", {"slow": 1}, {})
    return [
        slow,
        slow,
        report("tests/faults/test_matrix.py::test_it", {}, recorded),
        report("x", {}, {"other": "y"}),
    ]


def test_the_end_of_a_sample_says_what_it_left_out() -> None:
    assert summary(run(is_sample=True), is_sample=True) == [
        "fault matrix: 2 faults tried, 1 survived",
        "left out: 1 slow tests (1 in test_demo.py), 1,998 of 2,000 faults, "
        f"{LEFT_OUT:,} of {ALL_EXAMPLES:,} interleavings; make test-all has them",
    ]


def test_the_end_of_everything_says_what_a_sample_leaves_out() -> None:
    assert summary(run(is_sample=False), is_sample=False) == [
        "fault matrix: 2,000 faults tried, 1,999 survived",
        "make test leaves out: 1 slow tests (1 in test_demo.py), 1,998 of 2,000 faults, "
        f"{LEFT_OUT:,} of {ALL_EXAMPLES:,} interleavings",
    ]


def test_where_nothing_is_left_out_nothing_is_said() -> None:
    assert summary([report("x", {}, {})], is_sample=True) == []
