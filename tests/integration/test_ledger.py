"""What a ledger does: the same of the real one, on moto's DynamoDB, and of the one in memory."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.keptn.look import Look, Standing
from execution_plane.ledger.runs import KEEP_CLOSED, Run, State
from execution_plane.ledger.table import Ledger, LedgerUnavailable, LostRace
from local.aws import create_table
from tests.conftest import TEMPLATE
from tests.support.memory_ledger import MemoryLedger

NOW = 1_790_000_000.123456
CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
OUTCOME = Outcome(
    "warning", "succeeded", "so so", {"big": 2**60 + 1, "float": 0.1, "list": [None, True, "ü\ud800"]}
)

AnyLedger = Ledger | MemoryLedger


def ref(event_id: str = "event") -> EventRef:
    return EventRef(
        event_id,
        "sh.keptn.event.sayhello.triggered",
        CONTEXT,
        "p",
        "s",
        "v",
        "commit",
        {"label": "ü", "": "empty"},
    )


def claimed(event_id: str = "event", now: float = NOW) -> Run:
    return Run.claimed(ref(event_id), "keptn-lambda-executor/1/eu-west-1/x", now, now + 3600)


@pytest.fixture(params=["real", "memory"])
def ledger(request: pytest.FixtureRequest) -> AnyLedger:
    return MemoryLedger() if request.param == "memory" else request.getfixturevalue("real")


@pytest.fixture
def real(dynamodb: Any) -> Ledger:
    create_table(dynamodb, "ledger", TEMPLATE)
    return Ledger(dynamodb, "ledger")


STATES: dict[str, Callable[[Run], Run]] = {
    "claimed": lambda run: run,
    "dispatched again": lambda run: run.dispatched_again(NOW),
    "running": lambda run: run.acquired(NOW),
    "started": lambda run: run.acquired(NOW).starting(NOW),
    "begun": lambda run: run.acquired(NOW).starting(NOW).beginning(NOW + 900),
    "done": lambda run: run.acquired(NOW).starting(NOW).completed(OUTCOME, NOW),
    "done silently": lambda run: run.acquired(NOW).completed_silently(),
    "looked at": lambda run: (
        run.acquired(NOW).completed(OUTCOME, NOW).looked_first(Look(Standing.OPEN, 1, 2), NOW)
    ),
    "repaired": lambda run: run.acquired(NOW).completed(OUTCOME, NOW).repairing(NOW).reported(NOW),
    "absent": lambda run: run.absent_first(NOW),
    "closed": lambda run: run.acquired(NOW).completed(OUTCOME, NOW).closed(NOW),
    "cancelled": lambda run: run.acquired(NOW).closed(NOW),
}


def test_what_was_never_written_is_not_there(ledger: AnyLedger) -> None:
    assert ledger.get("event") is None
    assert ledger.active() == []


@pytest.mark.parametrize("reach", STATES.values(), ids=STATES)
def test_what_is_written_is_read_back_whole(ledger: AnyLedger, reach: Callable[[Run], Run]) -> None:
    before = ledger.create(claimed())
    after = replace(reach(before), version=2)

    assert ledger.move(before, after) == after
    assert ledger.get("event") == after


@pytest.mark.parametrize("event_id", ["a", "ü" * 500, "with spaces/and:odd?signs", "0"])
def test_any_id_that_an_event_may_have_is_a_key(ledger: AnyLedger, event_id: str) -> None:
    ledger.create(claimed(event_id))

    found = ledger.get(event_id)
    assert found is not None
    assert found.event == ref(event_id)


def test_an_event_gets_one_run_and_the_second_comer_is_told_which(ledger: AnyLedger) -> None:
    first = ledger.create(claimed())

    with pytest.raises(LostRace) as lost:
        ledger.create(replace(claimed(), source="another"))

    assert lost.value.current == first
    assert ledger.get("event") == first


def test_of_two_that_read_the_same_one_writes(ledger: AnyLedger) -> None:
    run = ledger.create(claimed())
    winner = ledger.move(run, run.acquired(NOW))

    with pytest.raises(LostRace) as lost:
        ledger.move(run, run.dispatched_again(NOW))

    assert lost.value.current == winner
    assert ledger.get("event") == winner


def test_a_run_that_has_moved_on_within_its_state_is_lost_as_well(ledger: AnyLedger) -> None:
    run = ledger.create(claimed())
    ledger.move(run, run.dispatched_again(NOW))

    with pytest.raises(LostRace):
        ledger.move(run, run.acquired(NOW))


def test_a_run_that_is_not_there_can_not_move(ledger: AnyLedger) -> None:
    run = claimed()

    with pytest.raises(LostRace) as lost:
        ledger.move(run, run.acquired(NOW))

    assert lost.value.current is None
    assert ledger.get("event") is None


@pytest.mark.parametrize(
    ("source", "target", "change"),
    [
        (State.CLAIMED, State.WAITING, lambda run: run.waiting_again(NOW)),
        (State.WAITING, State.CLAIMED, lambda run: run.taken_back(NOW)),
        (State.DONE, State.CLAIMED, lambda run: run.taken_back(NOW)),
        (State.DONE, State.RUNNING, lambda run: run.acquired(NOW)),
        (State.DONE, State.WAITING, lambda run: run.waiting_again(NOW)),
        (State.CLOSED, State.RUNNING, lambda run: run.acquired(NOW)),
        (State.CLOSED, State.WAITING, lambda run: run.waiting_again(NOW)),
        (State.CLOSED, State.CLOSED, lambda run: run.closed(NOW)),
    ],
)
def test_a_run_offers_no_change_that_its_state_does_not_lead_to(
    source: State, target: State, change: Callable[[Run], Run]
) -> None:
    with pytest.raises(ValueError, match=f"a {source} run does not become {target}"):
        change(replace(claimed(), state=source))


def test_active_runs_come_oldest_first_and_without_those_that_are_closed(ledger: AnyLedger) -> None:
    for number in (2, 0, 3, 1):
        ledger.create(claimed(f"event-{number}", NOW + number))
    closing = claimed("event-3", NOW + 3)
    ledger.move(closing, closing.closed(NOW))

    assert [run.event.id for run in ledger.active()] == ["event-0", "event-1", "event-2"]


def test_a_closed_run_is_active_again_once_it_is_reopened(ledger: AnyLedger) -> None:
    run = ledger.create(claimed())
    closed = ledger.move(run, run.closed(NOW))
    assert ledger.active() == []

    reopened = ledger.move(closed, closed.reopened(NOW))

    assert (reopened.state, reopened.was, reopened.expires_at) == (State.CLAIMED, None, None)
    assert [run.event.id for run in ledger.active()] == ["event"]


@pytest.mark.parametrize("state", [name for name in STATES if name not in {"closed", "cancelled"}])
def test_what_the_list_leaves_out_of_a_run_is_not_lost_by_the_next_write(
    ledger: AnyLedger, state: str
) -> None:
    created = ledger.create(claimed())
    whole = ledger.move(created, replace(STATES[state](created), version=2))

    (listed,) = ledger.active()
    moved = ledger.move(listed, listed.absent_first(NOW + 7))

    assert moved == replace(whole, absent_at=NOW + 7, version=3)
    assert ledger.get("event") == moved


def test_a_run_goes_its_whole_way(ledger: AnyLedger) -> None:
    run = ledger.create(claimed())
    steps: tuple[Callable[[Run], Run], ...] = (
        lambda each: each.dispatched_again(NOW),
        lambda each: each.acquired(NOW),
        lambda each: each.starting(NOW),
        lambda each: each.start_answered(),
        lambda each: each.beginning(NOW + 900),
        lambda each: each.completed(OUTCOME, NOW),
        lambda each: each.reported(NOW),
        lambda each: each.looked_first(Look(Standing.OPEN, 1, 0), NOW),
        lambda each: each.repairing(NOW),
        lambda each: each.reported(NOW),
        lambda each: each.closed(NOW),
    )
    for step in steps:
        after = step(run)
        run = ledger.move(run, after)
        assert run == after
    assert run.expires_at == int(NOW) + KEEP_CLOSED


def item(dynamodb: Any, event_id: str = "event") -> dict[str, Any]:
    found: dict[str, Any] = dynamodb.get_item(TableName="ledger", Key={"event_id": {"S": event_id}})["Item"]
    return found


def index(dynamodb: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = dynamodb.scan(TableName="ledger", IndexName="active")["Items"]
    return items


def test_an_item_says_its_schema_and_expires_only_once_it_is_closed(real: Ledger, dynamodb: Any) -> None:
    run = real.create(claimed())
    assert item(dynamodb)["schema"] == {"N": "1"}
    assert "expires_at" not in item(dynamodb)

    closed = real.move(run, run.closed(NOW))
    assert item(dynamodb)["expires_at"] == {"N": str(int(NOW) + KEEP_CLOSED)}

    real.move(closed, closed.reopened(NOW))
    assert "expires_at" not in item(dynamodb)


def test_the_index_has_active_runs_only_and_little_of_each(real: Ledger, dynamodb: Any) -> None:
    for number in range(3):
        real.create(claimed(f"event-{number}"))
    run = claimed("event-0")
    real.move(run, run.closed(NOW))
    run = claimed("event-1")
    large = Outcome("pass", "succeeded", "x" * 40_000, {"y": "z" * 40_000})
    real.move(run, run.completed(large, NOW))

    listed = index(dynamodb)

    assert {each["event_id"]["S"] for each in listed} == {"event-1", "event-2"}
    assert all(len(json.dumps(each)) < 2000 for each in listed)


def test_a_run_of_a_later_version_with_more_in_it_can_be_read(real: Ledger, dynamodb: Any) -> None:
    real.create(claimed())
    small = json.loads(item(dynamodb)["run"]["S"]) | {"invented_later": 7}
    dynamodb.update_item(
        TableName="ledger",
        Key={"event_id": {"S": "event"}},
        UpdateExpression="SET #run = :run, later = :later",
        ExpressionAttributeNames={"#run": "run"},
        ExpressionAttributeValues={":run": {"S": json.dumps(small)}, ":later": {"S": "x"}},
    )

    run = real.get("event")

    assert run == claimed()
    assert run is not None
    assert real.move(run, run.acquired(NOW)).state is State.RUNNING


def test_all_pages_of_the_index_are_read(
    real: Ledger, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        real.create(claimed(f"event-{number:02}", NOW + number))
    make, pages = dynamodb._make_api_call, []

    def ten_at_a_time(operation: str, parameters: dict[str, Any]) -> Any:
        pages.append(operation)
        return make(operation, {**parameters, "Limit": 10} if operation == "Query" else parameters)

    monkeypatch.setattr(dynamodb, "_make_api_call", ten_at_a_time)

    assert [run.event.id for run in real.active()] == [f"event-{number:02}" for number in range(25)]
    assert pages == ["Query"] * 3


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_a_write_whose_answer_was_lost_and_that_botocore_sends_again_is_no_race(
    real: Ledger, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    make = dynamodb._make_api_call

    def twice(called: str, parameters: dict[str, Any]) -> Any:
        if called == operation:
            make(called, parameters)
        return make(called, parameters)

    monkeypatch.setattr(dynamodb, "_make_api_call", twice)

    run = real.create(claimed())
    after = real.move(run, run.acquired(NOW))

    assert after == run.acquired(NOW)
    assert real.get("event") == after


@pytest.mark.parametrize(
    "problem",
    [
        ClientError({"Error": {"Code": "InternalServerError", "Message": "x"}}, "UpdateItem"),
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "x"}}, "Query"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "x"}}, "GetItem"),
        ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "x"}}, "GetItem"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
)
def test_whatever_is_wrong_with_dynamodb_has_one_name(
    real: Ledger, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    run = claimed()

    def fail(*_: Any) -> Any:
        raise problem

    monkeypatch.setattr(dynamodb, "_make_api_call", fail)

    for call in (
        real.active,
        lambda: real.get("event"),
        lambda: real.create(run),
        lambda: real.move(run, run.acquired(NOW)),
    ):
        with pytest.raises(LedgerUnavailable, match="DynamoDB"):
            call()


def test_a_table_that_is_not_there_is_unavailable(aws: None) -> None:
    with pytest.raises(LedgerUnavailable):
        Ledger(boto3.client("dynamodb"), "nowhere").active()


def test_an_idle_read_costs_one_query_however_much_is_closed(
    real: Ledger, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        run = real.create(claimed(f"event-{number}"))
        real.move(run, run.closed(NOW))
    make, calls = dynamodb._make_api_call, []

    def noted(operation: str, parameters: dict[str, Any]) -> Any:
        answer = make(operation, parameters)
        calls.append((operation, answer["ScannedCount"]))
        return answer

    monkeypatch.setattr(dynamodb, "_make_api_call", noted)

    assert real.active() == []
    assert calls == [("Query", 0)]
