"""What the ledger remembers of a run's writes, and finding the runs that are closed, on moto's DynamoDB."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from execution_plane.containers import ContainerEnd
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.ledger.history import KEPT_FIRST, KEPT_LAST, LONGEST_DETAIL, What
from execution_plane.ledger.runs import KEEP_CLOSED, RemoteStep, Run, State
from execution_plane.ledger.table import Ledger, LostRace
from execution_plane.steps import StepEnd
from execution_plane.telemetry import invocation
from local.aws import create_table
from tests.conftest import TEMPLATE
from tests.faults.invariants import bring_to_rest
from tests.support.clock import SimulatedClock
from tests.support.container_runs import ONE, begin, end
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

TABLE = "ledger"
NOON = datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp()
TODAY = date(2026, 9, 21)
EVENT = EventRef("event", "sh.keptn.event.sayhello.triggered", "context", "p", "s", "v")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def ledger(dynamodb: Any, clock: SimulatedClock) -> Ledger:
    create_table(dynamodb, TABLE, TEMPLATE)
    return Ledger(dynamodb, TABLE, clock)


@pytest.fixture
def by_the_worker() -> Iterator[None]:
    invocation.begin("worker", cast("Any", SimpleNamespace(aws_request_id="r-1")))
    yield
    invocation.name = ""


def claimed(event: EventRef = EVENT) -> Run:
    return Run.claimed(event, "plane", NOON, NOON + 3600)


def item(dynamodb: Any, event_id: str = "event") -> dict[str, Any]:
    found: dict[str, Any] = dynamodb.get_item(TableName=TABLE, Key={"event_id": {"S": event_id}})["Item"]
    return found


def whats(ledger: Ledger, event_id: str = "event") -> list[str]:
    record = ledger.record(event_id)
    assert record is not None
    return [entry.what for entry in record.history]


@pytest.mark.usefixtures("by_the_worker")
def test_each_write_says_when_it_was_made_by_which_invocation_and_what_came_of_it(
    ledger: Ledger, clock: SimulatedClock
) -> None:
    run = ledger.create(claimed())
    clock.advance(2.5)
    run = ledger.move(run, run.acquired(clock.now()))
    ledger.move(run, run.completed(Outcome("fail", "errored", "it broke\nlong story"), clock.now()))

    record = ledger.record("event")

    assert record is not None
    assert record.run == ledger.get("event")
    assert [(each.version, each.at, each.state, each.what) for each in record.history] == [
        (1, NOON, "claimed", What.CLAIMED),
        (2, NOON + 2.5, "running", What.ACQUIRED),
        (3, NOON + 2.5, "done", What.COMPLETED),
    ]
    assert {each.by for each in record.history} == {"worker/r-1"}
    assert record.history[-1].detail == "errored, fail: it broke"


def test_a_write_that_lost_its_race_is_not_in_the_history(ledger: Ledger) -> None:
    run = ledger.create(claimed())
    ledger.move(run, run.acquired(NOON))

    with pytest.raises(LostRace):
        ledger.move(run, run.dispatched_again(NOON))

    assert whats(ledger) == [What.CLAIMED, What.ACQUIRED]


def test_of_many_writes_the_first_and_the_latest_are_kept(ledger: Ledger) -> None:
    run = ledger.create(claimed())
    for _ in range(99):
        run = ledger.move(run, run.dispatched_again(NOON))

    record = ledger.record("event")

    assert record is not None
    versions = [entry.version for entry in record.history]
    assert versions == [*range(1, KEPT_FIRST + 1), *range(101 - KEPT_LAST, 101)]


def test_a_history_at_its_longest_is_a_small_part_of_what_an_item_may_be(
    ledger: Ledger, dynamodb: Any
) -> None:
    step = RemoteStep(0, 0, "token", "cluster", "digest", NOON, NOON + 600, "container")
    run = ledger.create(claimed())
    run = ledger.move(run, run.acquired(NOON))
    run = ledger.move(run, run.waiting(step, (), NOON, silent=False))
    for _ in range(60):
        run = ledger.move(run, run.not_submitted("ü" * 5000, NOON))

    entries = {name: value for name, value in item(dynamodb).items() if name.startswith("h")}

    assert len(json.dumps(entries, ensure_ascii=False).encode()) < 20_000
    record = ledger.record("event")
    assert record is not None
    assert record.history[-1].detail == "ü" * (LONGEST_DETAIL // 2 - 2) + "…"


def test_a_text_that_can_not_be_written_down_is_no_hindrance(ledger: Ledger) -> None:
    run = ledger.create(claimed())

    ledger.move(run, run.ended(Outcome.errored("half a \ud800 pair"), NOON))

    assert whats(ledger)[-1] == What.ENDED


def test_polling_reads_nothing_of_the_history(ledger: Ledger, dynamodb: Any) -> None:
    ledger.create(claimed())

    (found,) = dynamodb.query(
        TableName=TABLE,
        IndexName="active",
        KeyConditionExpression="active = :active",
        ExpressionAttributeValues={":active": {"S": "1"}},
    )["Items"]

    assert found.keys() == {"event_id", "active", "claimed_at", "schema", "state", "version", "run"}


def test_a_run_from_before_the_upgrade_is_shown_as_far_as_it_goes(ledger: Ledger, dynamodb: Any) -> None:
    ledger.create(claimed())
    old = {name: value for name, value in item(dynamodb).items() if not name.startswith("h0")}
    dynamodb.put_item(TableName=TABLE, Item=old)
    assert whats(ledger) == []

    run = claimed()
    ledger.move(run, run.acquired(NOON))

    assert whats(ledger) == [What.ACQUIRED]


def test_a_later_version_may_say_more_in_an_entry(ledger: Ledger, dynamodb: Any) -> None:
    ledger.create(claimed())
    longer = json.dumps([1, NOON, "claimed", "invented later", "", "", {"more": 1}])
    dynamodb.put_item(TableName=TABLE, Item=item(dynamodb) | {"h00": {"S": longer}})

    assert whats(ledger) == ["invented later"]


def test_what_ran_on_a_day_is_found_without_reading_the_table(ledger: Ledger, dynamodb: Any) -> None:
    run = ledger.create(claimed())
    outcome = Outcome("fail", "errored", "it broke " * 100 + "\nand more", {"big": "x" * 10_000})
    ledger.move(run, run.ended(outcome, NOON))
    (listed,) = ledger.active()  # as the poller closes it: without its outcome
    ledger.move(listed, listed.closed(NOON + 60))

    (found,) = ledger.closed_on(TODAY)

    assert (found.event.id, found.state, found.closed_at) == ("event", State.CLOSED, NOON + 60)
    assert found.outcome is not None
    assert (found.outcome.status, found.outcome.result) == ("errored", "fail")
    assert found.outcome.message == ("it broke " * 100)[:256]
    assert ledger.closed_on(date(2026, 9, 20)) == []
    whole = ledger.get("event")
    assert whole is not None
    assert whole.outcome == outcome


def test_only_closed_runs_are_in_the_index_of_closed_runs(ledger: Ledger) -> None:
    run = ledger.create(claimed())
    assert ledger.closed_on(TODAY) == []

    run = ledger.move(run, run.closed(NOON))
    assert len(ledger.closed_on(TODAY)) == 1
    ledger.move(run, run.reopened(NOON))

    assert ledger.closed_on(TODAY) == []
    assert len(ledger.active()) == 1


def test_more_closed_runs_than_one_page_holds_are_all_found(ledger: Ledger) -> None:
    for number in range(60):
        run = claimed(EventRef(f"event-{number}", EVENT.type, "c" * 40_000, "p", "s", "v"))
        ledger.create(run)
        ledger.move(run, run.closed(NOON + number))

    found = ledger.closed_on(TODAY)

    assert [run.event.id for run in found] == [f"event-{number}" for number in range(60)]


def test_a_run_is_closed_a_month_before_it_expires() -> None:
    closed = claimed().closed(NOON)

    assert (closed.closed_at, closed.expires_at) == (NOON, NOON + KEEP_CLOSED)


def test_the_story_of_a_run_with_a_container_has_its_arn_and_how_it_ended(world: World, plane: Plane) -> None:
    use_job_config(plane, ONE)
    task = world.trigger()
    begin(plane)
    arn = plane.ecs.running[0].arn
    end(plane, "Hello", exit_code=3, reason="it fell over")
    bring_to_rest(world)

    record = plane.ledger.record(task)

    assert record is not None
    details = {entry.what: entry.detail for entry in record.history}
    assert details[What.SUBMITTED] == arn
    assert details[What.RESUMED] == "exit code 3, EssentialContainerExited, it fell over"
    assert details[What.CLOSED] == "acknowledged"
    assert [entry.at for entry in record.history] == sorted(entry.at for entry in record.history)


def test_how_a_container_ended_is_one_line() -> None:
    assert str(ContainerEnd("arn", "out of memory", exit_code=1, stop_code="EssentialContainerExited")) == (
        "exit code 1, EssentialContainerExited, out of memory"
    )
    assert str(ContainerEnd("arn")) == "no exit code"
    assert str(StepEnd(reason="no such image")) == "not started, no such image"
