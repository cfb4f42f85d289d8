"""What is kept of job configs in the ledger's table; the stand-in in memory keeps to the same rules."""

import random
from typing import Any, cast

import pytest

from execution_plane.ledger.job_configs import RESERVED_FOR, JobConfigs, Place, Reading, digest_of
from execution_plane.ledger.table import Ledger
from local.aws import create_table
from tests.support.memory_job_configs import MemoryJobConfigs

PLACE = Place(("podtato", "dev", "head"), "c0ffee")
CONTENT = b"apiVersion: v2\n" * 1000
NOW = 1_790_000_000.0


def reading(at: float, digest: str = "d") -> Reading:
    return Reading(digest, at, is_fixed=True)


@pytest.fixture
def table(dynamodb: Any) -> str:
    create_table(dynamodb, "ledger")
    return "ledger"


@pytest.fixture(params=["dynamodb", "memory"])
def kept(request: pytest.FixtureRequest, dynamodb: Any, table: str) -> JobConfigs:
    if request.param == "memory":
        return cast("JobConfigs", MemoryJobConfigs())
    return JobConfigs(dynamodb, table)


def test_nothing_is_known_of_a_place_before_it_was_read(kept: JobConfigs) -> None:
    assert kept.known(PLACE) is None
    assert kept.file("d") is None


def test_a_reading_is_known_at_its_own_place_and_commit(kept: JobConfigs) -> None:
    kept.note(PLACE, reading(NOW))

    assert kept.known(PLACE) == reading(NOW)
    assert kept.known(Place(PLACE.scope, "")) is None
    assert kept.known(Place(("podtato", "devhead"), "c0ffee")) is None


def test_an_older_reading_does_not_replace_a_newer_one(kept: JobConfigs) -> None:
    kept.note(PLACE, reading(NOW, "new"))
    kept.note(PLACE, reading(NOW - 1, "old"))

    assert kept.known(PLACE) == reading(NOW, "new")


def test_one_at_a_time_has_it_to_himself(kept: JobConfigs) -> None:
    assert kept.reserve(PLACE, "one", NOW, None)
    assert not kept.reserve(PLACE, "another", NOW + 1, None)
    assert kept.reserve(PLACE, "one", NOW + 1, None), "as when a lost answer has it sent again"


def test_a_reservation_ends_by_itself_by_a_reading_and_when_it_is_given_up(kept: JobConfigs) -> None:
    kept.reserve(PLACE, "lost", NOW, None)
    assert kept.reserve(PLACE, "two", NOW + RESERVED_FOR + 1, None)
    kept.release(PLACE, "lost")
    assert not kept.reserve(PLACE, "three", NOW + RESERVED_FOR + 1, None), "it was another's to give up"
    kept.release(PLACE, "two")
    assert kept.reserve(PLACE, "three", NOW + RESERVED_FOR + 1, None)
    kept.note(PLACE, reading(NOW))
    assert kept.reserve(PLACE, "four", NOW + RESERVED_FOR + 1, reading(NOW))


def test_who_has_not_seen_the_newest_reading_is_not_to_ask(kept: JobConfigs) -> None:
    kept.note(PLACE, reading(NOW))

    assert not kept.reserve(PLACE, "late", NOW + 1, None)
    assert not kept.reserve(PLACE, "late", NOW + 1, reading(NOW - 1))
    assert kept.reserve(PLACE, "in time", NOW + 1, reading(NOW))


def test_a_reservation_leaves_what_is_known(kept: JobConfigs) -> None:
    kept.note(PLACE, reading(NOW))
    assert kept.reserve(PLACE, "one", NOW, reading(NOW))

    assert kept.known(PLACE) == reading(NOW)


def test_a_file_is_kept_by_its_digest(kept: JobConfigs) -> None:
    assert kept.keep(CONTENT, NOW)

    assert kept.file(digest_of(CONTENT)) == CONTENT


def test_no_file_and_no_reading_is_a_run(dynamodb: Any, table: str) -> None:
    kept = JobConfigs(dynamodb, table)
    kept.keep(CONTENT, NOW)
    kept.reserve(PLACE, "one", NOW, None)
    kept.note(PLACE, reading(NOW))

    assert Ledger(dynamodb, table).active() == []
    items = dynamodb.scan(TableName=table)["Items"]
    assert len(items) == 2
    assert not any(item["event_id"]["S"].isprintable() for item in items), "as every event's id is"
    assert all(int(item["expires_at"]["N"]) > NOW for item in items)


def test_a_file_outlives_the_readings_that_name_it(dynamodb: Any, table: str) -> None:
    kept = JobConfigs(dynamodb, table)
    kept.keep(CONTENT, NOW)
    kept.note(PLACE, reading(NOW))

    of_reading, of_file = sorted(
        int(item["expires_at"]["N"]) for item in dynamodb.scan(TableName=table)["Items"]
    )
    assert of_file - of_reading > 14 * 24 * 3600


def test_a_file_that_dynamodb_would_not_take_is_not_kept(dynamodb: Any, table: str) -> None:

    content = random.Random(1).randbytes(400_000)

    assert not JobConfigs(dynamodb, table).keep(content, NOW)


def test_names_may_be_longer_than_a_key(dynamodb: Any, table: str) -> None:
    kept = JobConfigs(dynamodb, table)
    place = Place(("p" * 3000, "é" * 3000, "s" * 3000), "c")
    kept.note(place, reading(NOW))

    assert kept.known(place) == reading(NOW)
