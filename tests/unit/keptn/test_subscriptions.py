"""Which events are ours, and with how few requests they are found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_plane.keptn.events import EventRef, read_triggered
from execution_plane.keptn.subscriptions import EventMatch, Query, Subscription, from_settings, queries
from execution_plane.keptn.uniform import read_subscription
from execution_plane.settings import Match, PollerSettings

CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
SAYHELLO, SAYBYE = "sh.keptn.event.sayhello.triggered", "sh.keptn.event.saybye.triggered"


def ref(event_type: str = SAYHELLO, project: str = "p", stage: str = "s", service: str = "v") -> EventRef:
    return EventRef("event", event_type, CONTEXT, project, stage, service)


@pytest.mark.parametrize(
    ("subscription", "takes"),
    [
        (Subscription(SAYHELLO), True),
        (Subscription(SAYBYE), False),
        (Subscription(SAYHELLO, ("p",)), True),
        (Subscription(SAYHELLO, ("q", "p")), True),
        (Subscription(SAYHELLO, ("q",)), False),
        (Subscription(SAYHELLO, ("p",), ("t",)), False),
        (Subscription(SAYHELLO, ("p",), ("s",), ("w",)), False),
        (Subscription(SAYHELLO, (), ("s",), ("v", "w")), True),
        (Subscription(SAYHELLO, ("P",)), False),
    ],
)
def test_values_of_a_filter_are_alternatives_and_filters_must_all_pass(
    subscription: Subscription, takes: bool
) -> None:
    assert subscription.takes(ref()) is takes


def event(**changes: Any) -> dict[str, Any]:
    data = {"project": "p", "stage": "s", "service": "v", **changes}
    return {"id": "event", "type": SAYHELLO, "shkeptncontext": CONTEXT, "source": "shipyard", "data": data}


@pytest.mark.parametrize(
    ("path", "value", "takes"),
    [
        ("$.data.sayhello.location", "APAC", True),
        ("$.data.sayhello.location", "EU", False),
        ("$.data.sayhello.location", "apac", False),
        ('$["data"]["sayhello"]["location"]', "APAC", True),
        ("$.data.sayhello.nowhere", "APAC", False),
        ("$.data.list[0]", "first", True),
        ("$.data.list[7]", "first", False),
        ("$.data.number", "7", True),
        ("$.data.number", "7.0", False),
        ("$.data.number", "8", False),
        ("$.data.whole", "7", True),
        ("$.data.part", "1.5", True),
        ("$.data.truth", "true", True),
        ("$.data.truth", "True", False),
        ("$.data.truth", "1", False),
        ("$.data.nothing", "null", False),
        ('$.data.sayhello.location == "APAC"', "true", True),
        ('$.data.sayhello.location == "EU"', "true", False),
        ('$.data.sayhello.location == "APAC"', "APAC", False),
        ("$.data.sayhello.location", "EU, APAC", True),
        ("$.data.sayhello.location", "EU,US", False),
        ("$.data.sayhello.location", "!EU,US", True),
        ("$.data.sayhello.location", "!EU,APAC", False),
        ("$.data.number", "!7", False),
        ("$.data.number", "!8", True),
        ("$.data.truth", "!true", False),
        ("$.data.nothing", "!7", True),
        ("$.data.nothing", "<nil>", False),
        ("$.data.sayhello", "map[location:APAC]", False),
        ("$.source", "shipyard", True),
        ("$.type", SAYHELLO, True),
        ("$.secret", "x", False),
    ],
)
def test_a_match_takes_an_event_whose_value_is_one_of_those_that_are_wanted(
    path: str, value: str, takes: bool
) -> None:
    raw = event(
        sayhello={"location": "APAC"}, list=["first"], number=7, whole=7.0, part=1.5, truth=True, nothing=None
    )

    match = EventMatch(Match(path, value))

    assert match.takes(read_triggered({**raw, "secret": "x"})) is takes


def test_without_a_match_every_event_is_taken() -> None:
    assert EventMatch(None).takes(read_triggered(event()))


def test_every_event_type_gets_all_filters() -> None:
    settings = PollerSettings.from_environment(
        {
            "EVENT_TYPES": f"{SAYHELLO},{SAYBYE}",
            "PROJECTS": "p,q",
            "STAGES": "dev",
            "WORKER_FUNCTION_NAME": "worker",
            "PLANE_SOURCE": "plane",
        }
    )

    assert from_settings(settings) == (
        Subscription(SAYHELLO, ("p", "q"), ("dev",), ()),
        Subscription(SAYBYE, ("p", "q"), ("dev",), ()),
    )


@pytest.mark.parametrize(
    ("subscriptions", "active", "expected"),
    [
        ([Subscription(SAYHELLO)], [], [Query(SAYHELLO, {})]),
        ([Subscription(SAYHELLO, ("p",))], [], [Query(SAYHELLO, {"project": "p"})]),
        ([Subscription(SAYHELLO, ("p", "q"), ("s",))], [], [Query(SAYHELLO, {"stage": "s"})]),
        ([Subscription(SAYHELLO, ("p",)), Subscription(SAYHELLO, ("q",))], [], [Query(SAYHELLO, {})]),
        ([Subscription(SAYHELLO, ("p",)), Subscription(SAYHELLO)], [], [Query(SAYHELLO, {})]),
        ([Subscription(SAYHELLO, ("p",))], [ref(project="q")], [Query(SAYHELLO, {})]),
        (
            [Subscription(SAYHELLO)],
            [ref(SAYBYE)],
            [Query(SAYHELLO, {}), Query(SAYBYE, {"project": "p", "stage": "s", "service": "v"})],
        ),
        ([], [], []),
    ],
)
def test_one_request_for_each_type_as_narrow_as_it_may_be(
    subscriptions: list[Subscription], active: list[EventRef], expected: list[Query]
) -> None:
    assert list(queries(subscriptions, active)) == expected


@pytest.mark.parametrize("filtered", [None, {}, {"projects": None}, {"projects": [""]}, {"projects": [None]}])
def test_a_filter_without_a_name_lets_everything_pass(filtered: Any) -> None:
    subscription = read_subscription({"event": SAYHELLO, "filter": filtered})

    assert subscription == Subscription(SAYHELLO)
    assert subscription.takes(ref())


def test_a_filters_names_may_be_empty_or_several_with_commas() -> None:
    subscription = read_subscription({"event": SAYHELLO, "filter": {"stages": ["", "dev", "qa,prod"]}})

    assert subscription.stages == ("dev", "qa", "prod")


NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from([SAYHELLO, SAYBYE])
FILTER = st.lists(NAMES, max_size=2, unique=True)
SUBSCRIPTIONS = st.lists(st.builds(Subscription, TYPES, FILTER, FILTER, FILTER), max_size=3)
REFS = st.builds(ref, TYPES, NAMES, NAMES, NAMES)


@given(SUBSCRIPTIONS, st.lists(REFS, max_size=3), REFS)
def test_every_event_that_is_wanted_or_worked_on_is_covered_by_the_one_request_for_its_type(
    subscriptions: list[Subscription], active: list[EventRef], listed: EventRef
) -> None:
    asked = queries(subscriptions, active)

    assert len({query.event_type for query in asked}) == len(asked)
    for wanted in [*active, *([listed] if any(each.takes(listed) for each in subscriptions) else [])]:
        assert sum(query.covers(wanted) for query in asked) == 1
