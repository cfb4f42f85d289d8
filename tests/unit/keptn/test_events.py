"""A triggered event read at the edge, and the replies built from it."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_plane.keptn.events import (
    DEEPEST,
    LONGEST_ID,
    LONGEST_TEXT,
    EventRef,
    Outcome,
    RefusedEvent,
    cut,
    finished,
    fitting,
    progress,
    read_triggered,
    started,
)

CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
SOURCE = "keptn-lambda-executor/1/eu-west-1/plane"
REF = EventRef("event-1", "sh.keptn.event.sayhello.triggered", CONTEXT, "podtato", "dev", "head")


def raw(**changes: Any) -> dict[str, Any]:
    """An event as Keptn lists it; None takes an attribute away."""
    event = {
        "id": "event-1",
        "type": "sh.keptn.event.sayhello.triggered",
        "shkeptncontext": CONTEXT,
        "source": "shipyard-controller",
        "time": "2026-09-21T12:00:00.000000001Z",
        "data": {"project": "podtato", "stage": "dev", "service": "head"},
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def with_data(**changes: Any) -> dict[str, Any]:
    return raw(data={"project": "podtato", "stage": "dev", "service": "head", **changes})


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ("event", "not an object"),
        (raw(id=None), "id"),
        (raw(id=""), "id"),
        (raw(id=17), "id"),
        (raw(id={"a": 1}), "id"),
        (raw(id="\ud800"), "id"),
        (raw(id="x" * (LONGEST_ID + 1)), "id"),
        (raw(id="ü" * LONGEST_ID), "id"),
        (raw(type=None), "type"),
        (raw(type="sh.keptn.event.sayhello.finished"), "type"),
        (raw(type="sh.keptn.event.dev.sequence1.triggered"), "type"),
        (raw(type="sh.keptn.event.service.create.finished"), "type"),
        (raw(type="sh.keptn.event.sayhello.triggered.now"), "type"),
        (raw(type="sh.keptn.event.sayhello"), "type"),
        (raw(type="sh..event.sayhello.triggered"), "type"),
        (raw(type="sh.keptn.event..triggered"), "type"),
        (raw(type="sh.keptn.event.say\nhello.triggered"), "type"),
        (raw(type="sh.keptn.event.sayhello.triggered\n"), "type"),
        (raw(type=["sh.keptn.event.sayhello.triggered"]), "type"),
        (raw(shkeptncontext=None), "shkeptncontext"),
        (raw(shkeptncontext="my-context"), "shkeptncontext"),
        (raw(shkeptncontext=CONTEXT.replace("-", "")), "shkeptncontext"),
        (raw(shkeptncontext=7), "shkeptncontext"),
        (raw(data=None), "data"),
        (raw(data=[]), "data"),
        (raw(data="e30="), "data"),
        (with_data(project=""), "project"),
        (with_data(project=None), "project"),
        (with_data(project="\udfff"), "project"),
        (with_data(stage=3), "stage"),
        (with_data(service={}), "service"),
    ],
)
def test_an_event_that_no_reply_could_be_addressed_to_is_refused(event: object, reason: str) -> None:
    with pytest.raises(RefusedEvent, match=reason):
        read_triggered(event)


def test_a_refusal_has_the_events_id() -> None:
    with pytest.raises(RefusedEvent) as refused:
        read_triggered(raw(type="nonsense"))

    assert refused.value.event_id == "event-1"


@pytest.mark.parametrize(
    "event",
    [
        raw(id="a"),
        raw(id="0123456789abcdef"),
        raw(id="an id with spaces/and:odd?signs#é"),
        raw(time=None),
        raw(time="yesterday"),
        raw(time=1_700_000_000),
        raw(shkeptncontext=CONTEXT.upper()),
        raw(gitcommitid=None),
        raw(gitcommitid=17),
        raw(unknown={"deep": [1, 2, 3]}, extensions=None, specversion="9", datacontenttype="text/plain"),
        with_data(number=2**60 + 1, tiny=5e-324, huge=1e308, infinite=float("inf"), nothing=float("nan")),
        with_data(payload="x" * 5_000_000),
        with_data(half="\ud800", **{"\udfff": "key"}),
        with_data(labels="not a map"),
        with_data(labels=["a"]),
        with_data(labels={"a": 1, "b": None, "c": {"d": "e"}}),
        with_data(nested=json.loads("[" * 500 + "]" * 500)),
    ],
)
def test_an_odd_event_is_handled_like_any_other(event: dict[str, Any]) -> None:
    read = read_triggered(event)

    assert read.ref.id == event["id"]
    assert read.data == event["data"]
    for reply in (started(read.ref, SOURCE), finished(read.ref, SOURCE, Outcome("pass", "succeeded"))):
        assert json.loads(json.dumps(reply, allow_nan=False).encode()) == reply


def test_a_ref_has_what_replies_need() -> None:
    read = read_triggered(
        raw(
            gitcommitid="abc",
            data={
                "project": "p",
                "stage": "s",
                "service": "v",
                "labels": {"build": "7", "half": "a\ud800", "number": 8},
            },
        )
    )

    assert read.ref == EventRef(
        "event-1",
        "sh.keptn.event.sayhello.triggered",
        CONTEXT,
        "p",
        "s",
        "v",
        "abc",
        {"build": "7", "half": "a?"},
        triggered_at=1_789_992_000.0,
    )
    assert read.ref.task == "sayhello"


@pytest.mark.parametrize("time", [None, 7, "", "yesterday"])
def test_a_time_that_can_not_be_read_is_no_hindrance(time: object) -> None:
    assert read_triggered(raw(time=time)).ref.triggered_at is None


def test_too_many_labels_are_left_out() -> None:
    read = read_triggered(with_data(labels={f"label{number}": "x" * 100 for number in range(1000)}))

    assert read.ref.labels == {}


def test_a_started_is_what_keptn_counts() -> None:
    assert started(REF, SOURCE) == {
        "specversion": "1.0",
        "shkeptnspecversion": "0.2.4",
        "contenttype": "application/json",
        "type": "sh.keptn.event.sayhello.started",
        "source": SOURCE,
        "shkeptncontext": CONTEXT,
        "triggeredid": "event-1",
        "data": {"project": "podtato", "stage": "dev", "service": "head"},
    }


def test_a_finished_has_the_outcome_and_never_the_rest_of_what_was_triggered() -> None:
    read = read_triggered(
        raw(
            gitcommitid="abc",
            data={"project": "podtato", "stage": "dev", "service": "head", "labels": {"a": "b"}, "list": [1]},
        )
    )

    reply = finished(read.ref, SOURCE, Outcome("warning", "succeeded", "so so", {"greeted": "APAC"}))

    assert reply["type"] == "sh.keptn.event.sayhello.finished"
    assert reply["gitcommitid"] == "abc"
    assert reply["data"] == {
        "project": "podtato",
        "stage": "dev",
        "service": "head",
        "labels": {"a": "b"},
        "status": "succeeded",
        "result": "warning",
        "message": "so so",
        "sayhello": {"greeted": "APAC"},
    }


@pytest.mark.parametrize("task", ["project", "stage", "service", "labels", "status", "result", "message"])
def test_a_task_may_be_called_like_one_of_our_own_fields(task: str) -> None:
    ref = EventRef("1", f"sh.keptn.event.{task}.triggered", CONTEXT, "p", "s", "v", labels={"a": "b"})

    data = finished(ref, SOURCE, Outcome("pass", "succeeded", "fine", {"x": 1}))["data"]

    assert (data["project"], data["stage"], data["service"]) == ("p", "s", "v")
    assert (data["status"], data["result"], data["message"]) == ("succeeded", "pass", "fine")
    assert data["labels"] == {"a": "b"}


def test_errored_always_goes_with_fail() -> None:
    assert Outcome.errored("broken") == Outcome("fail", "errored", "broken", {})


def test_progress_is_a_status_changed() -> None:
    reply = progress(REF, SOURCE, "half way")

    assert (reply["type"], reply["data"]["message"]) == (
        "sh.keptn.event.sayhello.status.changed",
        "half way",
    )


def test_data_over_the_limit_is_left_out_and_the_message_says_so() -> None:
    reply = finished(REF, SOURCE, Outcome("pass", "succeeded", "done", {"x": "y" * LONGEST_TEXT}))

    assert "sayhello" not in reply["data"]
    assert reply["data"]["message"] == f"done\n(data.sayhello was over {LONGEST_TEXT} bytes and is left out)"


def nested(levels: int) -> dict[str, Any]:
    return {"x": nested(levels - 1)} if levels else {}


def test_data_that_is_nested_too_deeply_for_keptn_is_left_out_and_the_message_says_so() -> None:
    assert fitting(Outcome("pass", "succeeded", "", nested(DEEPEST)), "sayhello").data
    for levels in (DEEPEST + 1, 900):
        fitted = fitting(Outcome("pass", "succeeded", "", nested(levels)), "sayhello")
        assert fitted.data == {}
        assert fitted.message == f"(data.sayhello was nested more than {DEEPEST} levels deep and is left out)"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_data_with_a_number_that_json_does_not_have_is_left_out(number: str) -> None:
    """Python reads it as infinity or no number, and would write what Keptn refuses."""
    fitted = fitting(Outcome("pass", "succeeded", "done", {"a": [json.loads(number)]}), "sayhello")

    assert fitted.data == {}
    assert fitted.message == "done\n(data.sayhello was no JSON (a number is out of range) and is left out)"


def test_what_fits_once_fits_as_it_is() -> None:
    outcome = Outcome("pass", "succeeded", "\ud800" + "x" * 100_000, {"y": "z" * 100_000})

    assert fitting(fitting(outcome, "sayhello"), "sayhello") == fitting(outcome, "sayhello")


def test_of_a_long_text_the_first_line_and_the_end_are_kept() -> None:
    text = cut("why\n" + "é" * 200 + " end", 100)

    assert text.startswith("why\n(408 bytes, cut to the last 96)\n")
    assert text.endswith("é end")
    assert 98 <= len(text.encode()) <= 100


def test_a_first_line_that_leaves_no_room_is_not_kept() -> None:
    assert cut("x" * 50 + "\n" + "y" * 100, 100).startswith("(151 bytes, cut to the last 100)\ny")


def test_the_longest_finished_stays_below_what_nats_takes() -> None:
    ref = read_triggered(with_data(labels={"a": "x" * 16_000})).ref
    outcome = Outcome("pass", "succeeded", "\x00" * 100_000, {"x": "y" * (LONGEST_TEXT - 10)})

    reply = finished(ref, SOURCE, outcome)

    assert reply["data"]["sayhello"]
    assert len(json.dumps(reply).encode()) < 1_048_576


def test_of_a_long_text_the_end_is_kept_behind_a_notice() -> None:
    text = cut("a" * 1000 + "the end", 100)

    assert text.startswith("(1007 bytes, cut to the last 100)\n")
    assert text.endswith("the end")
    assert len(text) == 100


@given(st.text(max_size=300), st.integers(60, 200))
def test_a_cut_text_is_never_longer_than_allowed_and_can_be_written(text: str, longest: int) -> None:
    result = cut(text, longest)

    assert len(result.encode()) <= longest
    assert result.encode("utf-8", "replace").decode() == result
    if len(text.encode("utf-8", "replace")) <= longest:
        assert result == text.encode("utf-8", "replace").decode()


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists, max_leaves=3)
)
def test_nothing_that_json_can_hold_breaks_the_reading_of_an_event(value: object) -> None:
    for name in ("id", "type", "shkeptncontext", "data", "gitcommitid", "time"):
        with contextlib.suppress(RefusedEvent):
            read_triggered(raw(**{name: value}))


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_any_labels_can_be_sent(labels: dict[str, object]) -> None:
    ref = read_triggered(with_data(labels=labels)).ref

    json.dumps(started(ref, SOURCE), ensure_ascii=False).encode()
