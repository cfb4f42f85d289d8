"""A control plane that is down, slow, or answers nonsense for a while: nothing is lost when it comes back."""

import itertools
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from control.controller import Controller, EveryPollFailed, TickReport
from execution_plane.clock import Deadline
from execution_plane.keptn import transport
from execution_plane.keptn.events import LONGEST_TEXT, Outcome
from execution_plane.ledger.runs import State
from local.keptn.control_plane import random_id
from local.keptn.faults import (
    Action,
    Answer,
    Delay,
    DropConnection,
    HandleThenDrop,
    HugeBody,
    LoseEvent,
    Redirect,
)
from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_0, RELEASE_1_4, Release
from local.keptn.timing import Timing
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.faults.invariants import bring_to_rest, check_invariants
from tests.support.memory_ledger import MemoryLedger
from tests.support.world import SAYHELLO, Plane, World

DONE = Outcome("pass", "succeeded", "done")
LARGEST = 8 * 1024 * 1024
OTHER = "sh.keptn.event.other.triggered"
LISTING = r"event/triggered/[^?]*\?pageSize"

TROUBLE: dict[str, Action] = {
    "400": Answer(400, '{"code":400,"message":"bad"}', "application/json"),
    "401": Answer(401, '{"code":401, "message":"unauthenticated"}', "text/plain"),
    "403": Answer(403, "<html>Forbidden</html>"),
    "404": Answer(404, "404 page not found", "text/plain"),
    "404 of an API gateway": Answer(404, '{"message":"Not Found"}', "application/json"),
    "404 of the API service": Answer(
        404, '{"code":404,"message":"path /x was not found"}', "application/json"
    ),
    "405": Answer(405, '{"code":405,"message":"method GET is not allowed"}', "application/json"),
    "413": Answer(413, "<html>Request Entity Too Large</html>"),
    "429": Answer(429, '{"code":429, "message":"too many requests"}', "text/plain"),
    "500": Answer(500, "<html>Internal Server Error</html>"),
    "502": Answer(502, "<html>Bad Gateway</html>"),
    "HTML": Answer(200, "<html>Sign in</html>"),
    "an empty body": Answer(200),
    "another JSON": Answer(200, '{"hello": "world"}', "application/json"),
    "a redirect": Redirect("http://login.invalid/"),
    "an endless body": HugeBody(),
    "slowness": Delay(12),
    "no answer": Delay(100),
    "dropped connections": DropConnection(),
    "dropped answers": HandleThenDrop(),
}


def a_plane(world: World, **settings: Any) -> Plane:
    plane = Plane(world, cast("Any", MemoryLedger()), source="keptn-lambda-executor/1/APAC/x", **settings)
    world.planes.append(plane)
    return plane


@pytest.fixture
def new_plane(world: World) -> Callable[..., Plane]:
    """As everywhere, but with the ledger in memory: here are hundreds of planes."""
    return lambda **settings: a_plane(world, **settings)


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless body is found to be one sooner."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", LARGEST)


Trouble = Callable[[], object]


def begin_before_the_claim(world: World, plane: Plane, trouble: Trouble) -> None:
    trouble()


def begin_before_the_worker(world: World, plane: Plane, trouble: Trouble) -> None:
    plane.cycle()
    trouble()


def begin_in_the_task(world: World, plane: Plane, trouble: Trouble) -> None:
    def does(_: TaskContext) -> Outcome:
        trouble()
        return DONE

    plane.tasks.does = does
    plane.cycle()
    plane.work_all()


def begin_after_the_task(world: World, plane: Plane, trouble: Trouble) -> None:
    world.cycles(1, seconds=0)
    trouble()


@pytest.mark.parametrize(
    "begin", [begin_before_the_claim, begin_before_the_worker, begin_in_the_task, begin_after_the_task]
)
@pytest.mark.parametrize("action", TROUBLE.values(), ids=TROUBLE)
def test_nothing_is_lost_when_the_trouble_is_over(
    world: World, plane: Plane, action: Action, begin: Callable[[World, Plane, Trouble], None]
) -> None:
    task = world.trigger()

    begin(world, plane, lambda: world.keptn.faults.add(action))
    world.cycles(9, seconds=20)
    world.keptn.faults.clear()
    bring_to_rest(world)

    check_invariants(world, [task])
    assert plane.tasks.begun == [task]


@pytest.mark.parametrize("kind", ["started", "finished"])
@pytest.mark.parametrize("action", [*TROUBLE.values(), LoseEvent()], ids=[*TROUBLE, "a lost event"])
def test_a_reply_in_trouble_is_counted_once_in_the_end(
    world: World, plane: Plane, action: Action, kind: str
) -> None:
    task = world.trigger()

    world.keptn.faults.add(action, "/v1/event$", "POST", body=rf'event\.sayhello\.{kind}"')
    world.cycles(9, seconds=20)
    world.keptn.faults.clear()
    bring_to_rest(world)

    check_invariants(world, [task])


def test_a_task_that_is_done_while_keptn_is_down_is_not_done_again(world: World, plane: Plane) -> None:
    task = world.trigger()
    begin_in_the_task(world, plane, lambda: world.keptn.faults.add(DropConnection()))

    world.cycles(60, seconds=60)
    assert plane.run(task).state is State.DONE
    world.keptn.faults.clear()
    bring_to_rest(world)

    assert plane.tasks.begun == [task]
    assert world.keptn.counts(task) == (1, 1)


def test_one_failing_subscription_does_not_stop_the_others(world: World, new_plane: PlaneMaker) -> None:
    plane = new_plane(event_types=(OTHER, SAYHELLO))
    task = world.trigger()
    world.keptn.faults.add(Answer(500), "triggered/sh.keptn.event.other")

    report = plane.cycle()
    plane.work_all()
    world.settle()

    assert (report.polls, report.polls_failed) == (2, 1)
    assert world.keptn.counts(task) == (1, 1)


def slot(plane: Plane) -> TickReport:
    """A busy plane's slot of five seconds."""
    return plane.poller.cycle_until(Deadline.after(plane.clock, 5), 1.0, Deadline.after(plane.clock, 60))


def test_a_slot_whose_every_poll_failed_fails(world: World, plane: Plane) -> None:
    world.keptn.faults.add(Answer(502, "<html>Bad Gateway</html>"))

    with pytest.raises(EveryPollFailed, match=r"GET /controlPlane/v1/event/triggered/.*: 502"):
        slot(plane)


def test_a_slot_in_which_one_poll_succeeded_does_not_fail(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    world.keptn.faults.add(Answer(502), times=1)

    report = slot(plane)

    assert (report.cycles, report.polls, report.polls_failed) == (4, 4, 1), (
        "the second comes two seconds later"
    )
    assert plane.run(task).state is State.CLAIMED


def test_a_cycle_that_lambda_makes_longer_than_the_pause_is_followed_by_the_next_at_once(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, invoke = world.trigger(), plane.queue.invoke

    def slow(**what: Any) -> dict[str, Any]:
        plane.clock.advance(3)
        return invoke(**what)

    monkeypatch.setattr(plane.queue, "invoke", slow)

    assert slot(plane).cycles == 3, "at once, then a second later"
    assert plane.run(task).state is State.CLAIMED


def test_an_event_that_is_refused_is_logged_once_and_stops_nothing(
    world: World, plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    task = world.trigger()
    (good,) = world.keptn.open_events(SAYHELLO)
    bad = [
        {**good, "id": ""},
        {**good, "id": "no-uuid", "shkeptncontext": "my-context"},
        {**good, "id": "a sequence", "type": "sh.keptn.event.dev.sequence1.triggered"},
        {**good, "id": "no data", "data": None},
        {**good, "id": "no stage", "data": {"project": "podtato", "service": "head"}},
        "not even an object",
        None,
    ]
    body = json.dumps({"events": [*bad[:4], good, *bad[4:]], "nextPageKey": "0", "totalCount": 8})
    world.keptn.faults.add(Answer(200, body, "application/json"), LISTING)

    for _ in range(3):
        assert plane.cycle().events_listed == 8
    plane.work_all()
    world.settle()

    refusals = [record for record in caplog.records if record.message == "an open event can't be handled"]
    assert len(refusals) == len(bad) - 1, "the two that are no objects look the same"
    assert world.keptn.counts(task) == (1, 1)
    assert {event.get("triggeredid") for event in world.keptn.received} == {None, task}


@pytest.mark.parametrize("prefix", ["t", "an id with spaces/and:odd?signs#é&x=%2F ", "x" * 1000])
def test_an_odd_id_is_handled_like_any_other(prefix: str) -> None:
    numbers = itertools.count()
    world = World(new_id=lambda: f"{prefix}{next(numbers)}")
    world.keptn.new_id = random_id  # contexts are UUIDs in every control plane
    plane = a_plane(world)
    task = world.trigger()

    bring_to_rest(world)

    assert task.startswith(prefix)
    check_invariants(world, [task])
    assert plane.tasks.begun == [task]


def test_a_large_event_is_handled_like_any_other(world: World, plane: Plane) -> None:
    seen = []

    def does(context: TaskContext) -> Outcome:
        seen.append(context.event.data["payload"])
        return DONE

    plane.tasks.does = does
    payload = {"text": "x" * 3_000_000, "big": 2**60 + 1, "nested": [[[{"a": None}]]]}
    task = world.trigger(payload=payload)

    bring_to_rest(world)

    check_invariants(world, [task])
    assert seen == [payload]
    assert all(len(json.dumps(event)) < 2000 for event in world.keptn.received if event.get("triggeredid"))


def test_a_paused_sequence_waits_and_goes_on_after_resume(world: World, plane: Plane) -> None:
    task = world.trigger()
    context = world.contexts[task]
    world.keptn.control("podtato", context, "pause")
    world.settle()

    world.cycles(12, seconds=10)
    assert plane.ledger.get(task) is None

    world.keptn.control("podtato", context, "resume")
    bring_to_rest(world)
    check_invariants(world, [task])


def test_work_under_way_goes_on_while_its_sequence_is_paused(world: World, plane: Plane) -> None:
    task = world.trigger()

    def does(_: TaskContext) -> Outcome:
        world.keptn.control("podtato", world.contexts[task], "pause")
        return DONE

    plane.tasks.does = does
    plane.cycle()
    plane.work_all()
    world.settle()

    assert world.keptn.counts(task) == (1, 1)


def test_an_aborted_sequence_gets_no_finished_and_its_run_is_closed(world: World, plane: Plane) -> None:
    task = world.trigger()

    def does(context: TaskContext) -> Outcome:
        world.keptn.control("podtato", world.contexts[task], "abort")
        world.settle()
        for _ in range(3):
            plane.cycle()
            world.clock.advance(40)
        assert not context.still_wanted()
        return DONE

    plane.tasks.does = does
    plane.cycle()
    plane.work_all()
    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 0)
    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "cancelled")


def test_a_plane_that_drains_starts_nothing_and_ends_what_it_has(world: World, new_plane: PlaneMaker) -> None:
    plane = new_plane()
    old = world.trigger()
    plane.cycle()
    plane.drain()
    new = world.trigger()

    world.cycles(30)

    assert (world.keptn.counts(old), world.keptn.counts(new)) == ((1, 1), (0, 0))
    assert plane.ledger.get(new) is None


@pytest.mark.parametrize(
    "release", [RELEASE_0_16, RELEASE_0_18, RELEASE_1_0, RELEASE_1_4], ids=lambda each: each.version
)
@pytest.mark.parametrize("validate_events", [False, True])
class TestOtherControlPlanes:
    @pytest.fixture
    def world(self, release: Release, validate_events: bool) -> World:
        timing = Timing(reply_delay=0.5, dispatch_gap=1.0)
        return World(release=release, validate_events=validate_events, timing=timing)

    def test_runs_the_main_flow(self, world: World, plane: Plane) -> None:
        def does(context: TaskContext) -> Outcome:
            context.report("half way")
            return DONE

        plane.tasks.does = does
        tasks = [world.trigger() for _ in range(3)]

        bring_to_rest(world)

        check_invariants(world, tasks)
        assert sorted(plane.tasks.begun) == sorted(tasks)
        for task in tasks:
            state = world.keptn.sequence_state(world.contexts[task])
            assert state is not None
            assert state["state"] == "finished"

    def test_leaves_a_paused_sequence(self, world: World, plane: Plane) -> None:
        task = world.trigger()
        world.clock.advance(2)
        world.keptn.control("podtato", world.contexts[task], "pause")
        world.cycles(10)
        assert plane.ledger.get(task) is None

        world.keptn.control("podtato", world.contexts[task], "resume")
        bring_to_rest(world)
        check_invariants(world, [task])

    def test_notices_an_abort(self, world: World, plane: Plane) -> None:
        task = world.trigger()
        world.cycles(1, seconds=5)
        plane.cycle()
        world.keptn.control("podtato", world.contexts[task], "abort")

        bring_to_rest(world)

        assert plane.run(task).closed_as == "never begun"
        assert plane.tasks.begun == []

    def test_takes_a_message_and_data_at_their_limits(self, world: World, plane: Plane) -> None:
        plane.tasks.does = lambda _: Outcome(
            "pass", "succeeded", "x" * LONGEST_TEXT, {"y": "z" * (LONGEST_TEXT - 10)}
        )
        task = world.trigger()

        bring_to_rest(world)

        check_invariants(world, [task])


def overlap(plane: Plane, pollers: list[Controller]) -> None:
    """A cycle of each poller, all of which see the ledger as it was before any of them acted."""
    before = plane.ledger.active()
    active = plane.ledger.active
    plane.ledger.active = lambda: before  # type: ignore[method-assign]
    for poller in pollers:
        plane.cycle(poller)
    plane.ledger.active = active  # type: ignore[method-assign]


@pytest.mark.parametrize("pollers", [2, 3])
def test_overlapping_ticks_and_doubled_invocations_are_harmless(
    world: World, plane: Plane, pollers: int
) -> None:
    tasks = [world.trigger() for _ in range(3)]
    ticks = [plane.poller, *(plane.new_poller() for _ in range(pollers - 1))]

    for _ in range(20):
        overlap(plane, ticks)
        plane.queue.invocations[:] = [each for each in plane.queue.invocations for _ in range(2)]
        plane.work_all()
        world.clock.advance(30)
    bring_to_rest(world)

    check_invariants(world, tasks)
    assert sorted(plane.tasks.begun) == sorted(tasks)


def test_an_invocation_that_comes_an_hour_late_does_nothing(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    late = list(plane.queue.invocations)
    plane.work_all()
    world.cycles(10, seconds=400)

    assert [plane.work(payload) for payload in late] == ["nothing to do"]
    assert world.keptn.counts(task) == (1, 1)


LONG = Outcome("warning", "succeeded", "x" * 20_000, {"greeted": "APAC"})


@pytest.mark.parametrize(
    ("refused", "kept", "says", "has_data"),
    [
        ("x{5000}", 4000, "cut to the last", True),
        ("greeted", 4000, "(Keptn refused data.sayhello, and it is left out)", False),
        ("xxx", 0, "(Keptn refused data.sayhello and the message: left out)", False),
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_finished_that_is_refused_for_its_content_goes_with_less(
    world: World, plane: Plane, refused: str, kept: int, says: str, has_data: bool, status: int
) -> None:
    """And its message says what is left out."""
    plane.tasks.does = lambda _: LONG
    task = world.trigger()
    world.keptn.faults.add(Answer(status), "/v1/event", "POST", body=refused)

    plane.cycle()
    plane.work_all()
    world.settle()

    assert world.keptn.counts(task) == (1, 1)
    (finished,) = [event for event in world.keptn.received if event["type"].endswith("sayhello.finished")]
    message = finished["data"]["message"]
    assert says in message
    assert kept <= message.count("x") <= len(message) <= 4096
    assert ("sayhello" in finished["data"]) is has_data
    assert (finished["data"]["result"], finished["data"]["status"]) == ("warning", "succeeded")


def test_looks_are_taken_again_once_keptn_answers_one(world: World, plane: Plane) -> None:
    """Keptn was updated from a release without them; without looks a lost ledger would mean a second S."""
    world.keptn.faults.add(Answer(404, "404 page not found", "text/plain"), "sequence-execution", times=1)
    tasks = [world.trigger()]
    world.cycles(5)

    def lose_the_ledger(_: TaskContext) -> Outcome:
        cast("Any", plane.ledger).runs.clear()
        return DONE

    plane.tasks.does = lose_the_ledger
    tasks.append(world.trigger())
    bring_to_rest(world)

    check_invariants(world, tasks)
    assert plane.tasks.begun == tasks


@pytest.mark.parametrize("action", TROUBLE.values(), ids=TROUBLE)
def test_the_token_is_in_no_log_entry_and_in_no_run(action: Action, caplog: pytest.LogCaptureFixture) -> None:
    token = "a-very-secret-token"
    world = World(token=token)
    plane = a_plane(world)
    task = world.trigger()

    begin_in_the_task(world, plane, lambda: world.keptn.faults.add(action))
    world.cycles(3)

    assert caplog.records
    for text in (*(str(vars(record)) for record in caplog.records), str(plane.run(task))):
        assert token not in text
