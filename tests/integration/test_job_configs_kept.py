"""What is kept of job configs in the ledger's table; the stand-in in memory keeps to the same rules."""

import random
from dataclasses import replace
from typing import Any, cast

import pytest

from execution_plane.ledger.job_configs import JobConfigs, Known, Place, digest_of
from execution_plane.ledger.table import Ledger
from local.aws import create_table
from tests.support.memory_job_configs import MemoryJobConfigs

PLACE = Place(("podtato", "dev", "head"), "c0ffee", "job/config.yaml")
CONTENT = b"apiVersion: v2\n" * 1000
NOW = 1_790_000_000.0


@pytest.fixture
def table(dynamodb: Any) -> str:
    create_table(dynamodb, "ledger")
    return "ledger"


@pytest.fixture(params=["dynamodb", "memory"])
def kept(request: pytest.FixtureRequest, dynamodb: Any, table: str) -> JobConfigs:
    if request.param == "memory":
        return cast("JobConfigs", MemoryJobConfigs())
    return JobConfigs(dynamodb, table)


def claim(kept: JobConfigs, claimant: str, at: float = NOW, asked_at: float = 0.0) -> bool:
    return kept.claim(PLACE, claimant, at, at + 30, asked_at)


def test_nothing_is_known_of_a_place_before_it_was_read(kept: JobConfigs) -> None:
    assert kept.known(PLACE) == Known()
    assert kept.known(Place.by_digest("d")) == Known()


@pytest.mark.parametrize("content", [CONTENT, b"", None])
def test_what_keptn_said_is_known_at_its_own_place_and_commit(
    kept: JobConfigs, content: bytes | None
) -> None:
    kept.note(PLACE, CONTENT, NOW - 1, NOW - 1)
    kept.note(PLACE, content, NOW, NOW)

    assert kept.known(PLACE) == Known(content, NOW, NOW)
    assert kept.known(replace(PLACE, revision="")) == Known()
    assert kept.known(replace(PLACE, uri="")) == Known()
    assert kept.known(replace(PLACE, scope=("podtato", "devhead"))) == Known()


def test_an_older_answer_does_not_replace_a_newer_one(kept: JobConfigs) -> None:
    kept.note(PLACE, b"new", NOW, NOW)
    kept.note(PLACE, b"old", NOW - 1, NOW - 1)

    assert kept.known(PLACE) == Known(b"new", NOW, NOW)


def test_one_at_a_time_has_it_to_himself(kept: JobConfigs) -> None:
    assert claim(kept, "one")
    assert not claim(kept, "another", NOW + 1)
    assert claim(kept, "one"), "as when a lost answer has it sent again"
    assert kept.known(PLACE) == Known(None, 0.0, 0.0, NOW, NOW + 30)


def test_a_claim_ends_by_itself_by_an_answer_and_when_it_is_put_off(kept: JobConfigs) -> None:
    claim(kept, "lost")
    assert claim(kept, "two", NOW + 31)
    assert not kept.claim(PLACE, "lost", NOW + 32, NOW + 32, 0.0), "it is another's to put off"
    assert not claim(kept, "three", NOW + 32)
    assert kept.claim(PLACE, "two", NOW + 32, NOW + 33, 0.0)
    assert not claim(kept, "three", NOW + 32.5)
    assert claim(kept, "three", NOW + 34)
    kept.note(PLACE, None, NOW + 34, NOW + 34)
    assert claim(kept, "four", NOW + 34, asked_at=NOW + 34)


def test_who_has_not_seen_the_newest_answer_is_not_to_ask(kept: JobConfigs) -> None:
    kept.note(PLACE, CONTENT, NOW, NOW)

    assert not claim(kept, "late", NOW + 1)
    assert not claim(kept, "late", NOW + 1, asked_at=NOW - 1)
    assert claim(kept, "in time", NOW + 1, asked_at=NOW)


def test_a_claim_leaves_what_is_known(kept: JobConfigs) -> None:
    kept.note(PLACE, CONTENT, NOW, NOW)
    assert claim(kept, "one", NOW, asked_at=NOW)

    assert kept.known(PLACE) == Known(CONTENT, NOW, NOW, NOW, NOW + 30)


def test_a_file_is_kept_by_its_digest(kept: JobConfigs) -> None:
    place = Place.by_digest(digest_of(CONTENT))

    assert kept.note(place, CONTENT, NOW, NOW)
    assert kept.known(place).content == CONTENT


def test_no_file_and_no_answer_is_a_run(dynamodb: Any, table: str) -> None:
    kept = JobConfigs(dynamodb, table)
    kept.note(Place.by_digest(digest_of(CONTENT)), CONTENT, NOW, NOW)
    claim(kept, "one")
    kept.note(PLACE, CONTENT, NOW, NOW)

    assert Ledger(dynamodb, table).active() == []
    items = dynamodb.scan(TableName=table)["Items"]
    assert len(items) == 2
    assert not any(item["event_id"]["S"].isprintable() for item in items), "as every event's id is"
    assert all(int(item["expires_at"]["N"]) > NOW + 14 * 24 * 3600 for item in items), "as no run lasts"


def test_what_dynamodb_would_not_take_is_not_kept(dynamodb: Any, table: str) -> None:
    content = random.Random(1).randbytes(400_000)
    kept = JobConfigs(dynamodb, table)

    assert not kept.note(PLACE, content, NOW, NOW)
    assert kept.known(PLACE) == Known()


def test_names_may_be_longer_than_a_key(dynamodb: Any, table: str) -> None:
    kept = JobConfigs(dynamodb, table)
    place = Place(("p" * 3000, "é" * 3000, "s" * 3000), "c", "u")
    kept.note(place, CONTENT, NOW, NOW)

    assert kept.known(place) == Known(CONTENT, NOW, NOW)
