"""What Keptn said of job configs, kept beside the runs so that every worker finds it.

Keptn reads a job config in a project's git repository, one request at a time for each project. What it said
at a commit never changes, and is asked for once, by whichever worker is first.

Two kinds of items, under keys that no event's id can have: a reading, of what there is at a place; and the
files themselves, by their digest, since a run that waits for a step goes on with the one it began with.
Nothing that is counted depends on them: without them, each worker asks for itself.
"""

import contextlib
import hashlib
import json
import zlib
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Any

from execution_plane.ledger.notes import key_of
from execution_plane.ledger.table import ConditionFailed, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

DAY = 24 * 3600.0
SCHEMA = 1  # of the items, in their keys: of what another schema has, nothing is known
READING_KEPT = 7 * DAY  # seconds before DynamoDB may delete it
FILE_KEPT = 30 * DAY  # more than that, and than any run
LARGEST_FILE = 300_000  # bytes, compressed; DynamoDB takes 400 KB for an item
RESERVED_FOR = 30.0  # seconds in which one worker reads, and others wait for it


@dataclass(frozen=True)
class Place:
    """One level at which there may be a job config, at a commit; without a commit id, as it is now.

    `scope` is (project), (project, stage) or (project, stage, service).
    """

    scope: tuple[str, ...]
    commit: str


@dataclass(frozen=True)
class Reading:
    """What Keptn said of a place: its file's digest, empty if there is none."""

    digest: str
    read_at: float
    """When Keptn was asked, in seconds since the epoch."""
    is_fixed: bool
    """It is about a commit, and never changes."""


class JobConfigs:
    """The job configs that one plane has read. All its calls raise LedgerUnavailable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def known(self, place: Place) -> Reading | None:
        """The newest reading at a place as of now, None if there is none."""
        item = self._get(_key_of_place(place))
        return Reading(**json.loads(item["reading"]["S"])) if item and "reading" in item else None

    def reserve(self, place: Place, reader: str, now: float, seen: Reading | None) -> bool:
        """Have it to oneself to ask Keptn; False if somebody else has, or has asked since `seen`."""
        values = {":seen": {"N": repr(seen.read_at)}} if seen else {}
        is_as_seen = "read_at = :seen" if seen else "attribute_not_exists(read_at)"
        try:
            self._update(
                _key_of_place(place),
                "SET reader = :reader, reserved_until = :until, expires_at = :expires",
                {
                    ":reader": {"S": reader},
                    ":until": {"N": repr(now + RESERVED_FOR)},
                    ":now": {"N": repr(now)},
                    ":expires": {"N": str(int(now + READING_KEPT))},
                    **values,
                },
                condition=f"(attribute_not_exists(reserved_until) OR reserved_until < :now) AND {is_as_seen}",
            )
        except ConditionFailed as failed:
            # botocore sends a write again whose answer was lost, and it then fails on what it wrote itself.
            return failed.item.get("reader") == {"S": reader}
        return True

    def release(self, place: Place, reader: str) -> None:
        """Let others ask."""
        with contextlib.suppress(ConditionFailed):
            self._update(
                _key_of_place(place),
                "REMOVE reader, reserved_until",
                {":reader": {"S": reader}},
                condition="reader = :reader",
            )

    def note(self, place: Place, reading: Reading) -> None:
        """Let everybody know what Keptn said, unless somebody has asked since, and let others ask again."""
        with contextlib.suppress(ConditionFailed):
            self._update(
                _key_of_place(place),
                "SET reading = :reading, read_at = :at, expires_at = :expires REMOVE reader, reserved_until",
                {
                    ":reading": {"S": json.dumps(asdict(reading))},
                    ":at": {"N": repr(reading.read_at)},
                    ":expires": {"N": str(int(reading.read_at + READING_KEPT))},
                },
                condition="attribute_not_exists(read_at) OR read_at <= :at",
            )

    def keep(self, content: bytes, now: float) -> bool:
        """Keep a file, or go on keeping it; False for one that is too large."""
        compressed = zlib.compress(content)
        if len(compressed) > LARGEST_FILE:
            return False
        self._update(
            _key_of_file(digest_of(content)),
            "SET content = :content, expires_at = :expires",
            {":content": {"B": compressed}, ":expires": {"N": str(int(now + FILE_KEPT))}},
        )
        return True

    def file(self, digest: str) -> bytes | None:
        """The file with this digest, None if it is not kept."""
        item = self._get(_key_of_file(digest))
        return zlib.decompress(item["content"]["B"]) if item else None

    def _get(self, key: str) -> dict[str, Any] | None:
        answer: dict[str, Any] = translated(
            lambda: self._client.get_item(
                TableName=self._table, Key={"event_id": {"S": key}}, ConsistentRead=True
            )
        )
        return answer.get("Item")

    def _update(
        self,
        key: str,
        expression: str,
        values: dict[str, Any],
        *,
        condition: str | None = None,
    ) -> None:
        """An update, not a put: whoever may write runs may write this."""
        more: dict[str, Any] = {}
        if condition:
            more = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        translated(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"event_id": {"S": key}},
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                **more,
            )
        )


def digest_of(content: bytes) -> str:
    """By which a file is known."""
    return hashlib.sha256(content).hexdigest()


def _key_of_place(place: Place) -> str:
    """Of any length: names come from events, and DynamoDB takes 2 KB for a key."""
    return key_of(f"job config {SCHEMA} at", digest_of(json.dumps(astuple(place)).encode()))


def _key_of_file(digest: str) -> str:
    return key_of(f"job config {SCHEMA}", digest)
