"""A long list in an answer, read as it arrives."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.long_list import LONGEST, LongList
from execution_plane.keptn.transport import KeptnIncomprehensible, Transport
from local.keptn import in_process
from local.keptn.control_plane import Keptn
from local.keptn.faults import Answer
from tests.support.clock import SimulatedClock
from tests.support.world import SAYHELLO, Token

CHUNK = 65_536
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OTHERS = st.dictionaries(st.text().filter(lambda name: name != "events"), VALUES, max_size=2)


def read(content: bytes, *, at_once: int = CHUNK) -> list[Any] | None:
    reader = LongList("events", lambda event: event)
    for begin in range(0, len(content), at_once):
        reader.feed(content[begin : begin + at_once])
    return reader.close()


@given(
    OTHERS, st.lists(VALUES, max_size=4), OTHERS, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9)
)
def test_a_list_is_read_however_it_is_cut(
    before: dict[str, Any],
    events: list[Any],
    after: dict[str, Any],
    is_ascii: bool,
    indent: int | None,
    at_once: int,
) -> None:
    body = {
        **before,
        "events": events,
        **{name: value for name, value in after.items() if name not in before},
    }
    content = json.dumps(body, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")

    try:
        expected = json.loads(content)["events"]
    except ValueError:  # half of a surrogate pair
        with pytest.raises(ValueError, match="utf-8"):
            read(content, at_once=at_once)
        return
    assert read(content, at_once=at_once) == expected


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"events"', b"7", b"{}", b'{"events": 1}', b'{"event": []}']
)
def test_an_answer_without_the_list_has_none(body: bytes) -> None:
    assert read(body) is None


def test_a_list_that_go_writes_as_null_is_an_empty_one() -> None:
    assert read(b'{"events": null}') == []


@pytest.mark.parametrize(
    "body",
    [b"<html>", b'{"events": [', b'{"events": [1', b'{"events": [1]', b'{"events": [1 2]}', b"\xff\xfe",
     b'{"events": [tru]}', b'{"events": [1} ]}', b'{"events": ' + b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read(body, at_once=5_000)


def test_an_element_without_an_end_is_not_waited_for() -> None:
    reader = LongList("events", lambda event: event)
    tracemalloc.start()
    reader.feed(b'{"events": ["')
    for _ in range(5 * LONGEST // CHUNK):
        reader.feed(b"x" * CHUNK)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * LONGEST
    with pytest.raises(ValueError, match="does not end"):
        reader.close()


def client(body: bytes) -> ControlPlane:
    keptn = Keptn(SimulatedClock())
    keptn.faults.add(Answer(200, body.decode(), "application/json"), "event/triggered")
    return ControlPlane(
        Transport(in_process.URL, Token(keptn), SimulatedClock(), session=in_process.session(keptn))
    )


@pytest.mark.parametrize(("events", "size"), [(400, 10_000), (4_000, 1_000)])
def test_of_a_long_list_no_more_is_in_memory_than_what_is_kept(events: int, size: int) -> None:
    """Many small values take several times as much memory as JSON."""
    values = {f"value{number}": str(number) for number in range(size // 20)}
    content = json.dumps(
        {"events": [{"id": str(number), "data": values} for number in range(events)]}
    ).encode()
    chunks = [content[begin : begin + CHUNK] for begin in range(0, len(content), CHUNK)]
    reader = LongList("events", lambda event: event["id"])
    tracemalloc.start()

    for chunk in chunks:
        reader.feed(chunk)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.close() == [str(number) for number in range(events)]
    assert peak < len(content) / 4


@pytest.mark.parametrize(("body", "says"), [(b"<html>", "is not JSON"), (b"null", "no list of events")])
def test_an_answer_that_is_no_open_list_is_incomprehensible(body: bytes, says: str) -> None:
    with pytest.raises(KeptnIncomprehensible, match=says):
        client(body).open_events(SAYHELLO, {})
