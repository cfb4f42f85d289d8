"""Which actions an event is for."""

from typing import Any

import pytest

from execution_plane.keptn.events import read_triggered
from jobs.config import Action, EventFilter, JobConfig, Rules, read
from jobs.matching import event_root, matching_actions


def triggered(event_type: str = "sh.keptn.event.test.triggered", **data: Any) -> dict[str, Any]:
    return {
        "id": "f2b878d3-03c0-4e8f-bc3f-454bc1b3d79d",
        "type": event_type,
        "source": "shipyard-controller",
        "specversion": "1.0",
        "shkeptncontext": "08735340-6f9e-4b32-97ff-3b6c292bc509",
        "shkeptnspecversion": "0.2.4",
        "triggeredid": "another",
        "contenttype": "application/json",
        "time": "2021-05-13T07:46:09.546Z",
        "gitcommitid": "abc",
        "data": {"project": "sockshop", "stage": "dev", "service": "carts", **data},
    }


def matches(name: str = "", property: str = "", match: str = "", **event: Any) -> bool:  # noqa: A002
    config = JobConfig((Action(0, events=(EventFilter(name, property, match),)),))
    return bool(matching_actions(config, triggered(**event)))


@pytest.mark.parametrize(
    ("name", "event_type", "expected"),
    [
        ("sh.keptn.event.test.triggered", "sh.keptn.event.test.triggered", True),
        ("sh.keptn.event.*.triggered", "sh.keptn.event.remote-task.triggered", True),
        ("test", "sh.keptn.event.test.triggered", True),
        ("", "sh.keptn.event.test.triggered", True),
        ("remote-task.triggered", "sh.keptn.event.remote-task.triggered", True),
        ("sh.keptn.event.>", "sh.keptn.event.test.triggered", False),
        ("sh.keptn.event.test.triggered", "sh.keptn.event.testXtriggered", True),
        ("sh.keptn.event.test.triggered", "sh.keptn.event.test.triggered.foo", True),
        ("TEST", "sh.keptn.event.test.triggered", False),
        ("(?i)TEST", "sh.keptn.event.test.triggered", True),
        ("^test", "sh.keptn.event.test.triggered", False),
        ("triggered$", "sh.keptn.event.test.triggered", True),
        ("test|action", "sh.keptn.event.action.triggered", True),
    ],
)
def test_a_name_is_a_pattern_found_anywhere_in_the_event_type(
    name: str, event_type: str, expected: bool
) -> None:
    assert matches(name, event_type=event_type) is expected


@pytest.mark.parametrize(
    ("path", "match", "expected"),
    [
        ("$.data.text", "APAC", True),
        ("$.data.text", "apac", False),
        ("$.data.text", "APA", False),
        ("$.data.text", "AP.C", False),
        ("$.data.text", "!EU", False),
        ("", "anything", True),
        ("$.data.number", "3", False),
        ("$.data.flag", "true", False),
        ("$.data.nothing", "", False),
        ("$.data.map", "map[]", False),
        ("$.data.list", "a", False),
        ("$.data.list[0]", "a", True),
        ("$.data.list[*]", "a", False),
        ("$.data.list[0:1]", "a", False),
        ("$..text", "APAC", False),
        ('$.data["text","empty"]', "APAC", False),
        ('$.data.list[?(@=="a")]', "a", False),
        ("$.data.missing", "", False),
        ("$.data.empty", "", True),
        ("$.data.text.deeper", "", False),
        ("$.time", "2021-05-13T07:46:09.546Z", False),
        ('$.data.text == "APAC"', "true", False),
        ("$.type", "sh.keptn.event.test.triggered", True),
        ("$.source", "shipyard-controller", True),
        ("$.id", "f2b878d3-03c0-4e8f-bc3f-454bc1b3d79d", True),
        ("$.shkeptncontext", "08735340-6f9e-4b32-97ff-3b6c292bc509", True),
        ("$.specversion", "1.0", True),
        ("$.gitcommitid", "abc", True),
        ("$.triggeredid", "another", False),
        ("$.contenttype", "application/json", False),
        ("$.text", "APAC", False),
    ],
)
def test_only_an_identical_text_at_the_path_matches(path: str, match: str, expected: bool) -> None:
    data: dict[str, Any] = {"text": "APAC", "number": 3, "flag": True, "nothing": None, "map": {}}
    assert matches("test", path, match, **data, list=["a"], empty="") is expected


@pytest.mark.parametrize("path", ["$.data.nowhere", "$.data.stage.deeper", "$.data.list[9]", "$.type.deeper"])
def test_a_path_that_leads_nowhere_leaves_it_to_the_next_filter(path: str) -> None:
    filters = (EventFilter("test", path, ""), EventFilter("test", "$.data.stage", "dev"))
    config = JobConfig((Action(0, events=filters), Action(1, events=filters[:1])))
    assert [action.index for action in matching_actions(config, triggered(list=[]))] == [0]


def test_the_subscription_by_which_an_event_came_can_be_matched() -> None:
    event = read_triggered(triggered()).with_subscription("subscription-1")
    path = "$.data.temporaryData.distributor.subscriptionID"
    config = JobConfig((Action(0, events=(EventFilter("test", path, "subscription-1"),)),))
    assert matching_actions(config, event.attributes) == config.actions


def test_every_matching_action_is_returned_once_and_in_file_order() -> None:
    raw = b"""\
apiVersion: v2
actions:
  - name: both
    events: [{name: deployment}, {name: test}, {name: triggered}]
  - name: neither
    events: [{name: deployment}]
  - name: no events
  - name: the same name
    events: [{name: test, jsonpath: {property: $.data.stage, match: prod}}, {name: t.st}]
  - name: the same name
    events: [null]
"""
    actions = matching_actions(read(raw, origin="c.yaml", rules=Rules()), triggered())
    assert [(action.index, action.name) for action in actions] == [
        (0, "both"),
        (3, "the same name"),
        (4, "the same name"),
    ]


def test_the_root_has_eight_attributes_and_no_others() -> None:
    expected = {"id", "shkeptncontext", "time", "source", "data", "specversion", "type", "gitcommitid"}
    assert set(event_root(triggered())) == expected
    assert set(event_root({})) == expected


def test_an_event_with_little_in_it_matches_little() -> None:
    config = JobConfig((Action(0, events=(EventFilter("test"),)), Action(1, events=(EventFilter(""),))))
    assert [action.index for action in matching_actions(config, {"data": None, "type": None})] == [1]
