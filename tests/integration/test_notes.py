"""What a plane remembers beside its runs: in the ledger's table, and in nobody's way."""

from typing import Any

import boto3
import pytest

from execution_plane.keptn.events import RefusedEvent, read_triggered
from execution_plane.ledger.notes import Notes, key_of
from execution_plane.ledger.table import Ledger, LedgerUnavailable
from local.aws import create_table
from tests.conftest import TEMPLATE

KEY = key_of("subscriptions", "plane")


@pytest.fixture
def notes(dynamodb: Any) -> Notes:
    create_table(dynamodb, "ledger", TEMPLATE)
    return Notes(dynamodb, "ledger")


def test_a_note_is_what_was_written_last(notes: Notes) -> None:
    assert notes.read(KEY) is None

    for text in ("first", "second"):
        notes.write(KEY, text)

    assert notes.read(KEY) == "second"
    assert notes.read(key_of("subscriptions", "another")) is None


def test_a_note_may_have_an_end(notes: Notes, dynamodb: Any) -> None:
    notes.write(KEY, "text", expires_at=1_700_000_000.9)

    item = dynamodb.get_item(TableName="ledger", Key={"event_id": {"S": KEY}})["Item"]
    assert item["expires_at"] == {"N": "1700000000"}
    assert TEMPLATE["Resources"]["LedgerTable"]["Properties"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


def test_a_note_is_no_run(notes: Notes, dynamodb: Any) -> None:
    notes.write(KEY, "text")

    assert Ledger(dynamodb, "ledger").active() == []


def test_no_event_can_have_a_notes_key() -> None:
    event = {"id": KEY, "type": "sh.keptn.event.sayhello.triggered"}

    with pytest.raises(RefusedEvent, match="its id is not a text"):
        read_triggered(event)


def test_a_table_that_is_not_there_is_an_unavailable_ledger(aws: None) -> None:
    notes = Notes(boto3.client("dynamodb"), "nowhere")

    with pytest.raises(LedgerUnavailable):
        notes.read(KEY)
    with pytest.raises(LedgerUnavailable):
        notes.write(KEY, "text")
