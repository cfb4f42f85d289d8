"""What Keptn said of job configs, kept beside the runs for all workers; nothing counted relies on it."""

import hashlib
import json
import zlib
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from execution_plane.ledger.notes import key_of
from execution_plane.ledger.table import ConditionFailed, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEPT = 30 * 24 * 3600.0  # seconds before DynamoDB may delete it; more than any run takes
TIMES = ("asked_at", "answered_at", "claimed_at", "claimed_until")
LARGEST = 300_000  # bytes, compressed; DynamoDB takes 400 KB for an item


@dataclass(frozen=True)
class Place:
    """A file, or with no `uri` the list of all, at a revision; with no revision, as it is now.

    `scope` is (project), (project, stage) or (project, stage, service).
    """

    scope: tuple[str, ...]
    revision: str
    uri: str

    @classmethod
    def by_digest(cls, digest: str) -> "Place":
        """Where a file is kept for whoever knows its digest, which is a revision for ever, too."""
        return cls((), digest, "")


@dataclass(frozen=True)
class Known:
    """What is known of a place: what is there, None if nothing is, and when Keptn was asked and said so.

    Somebody has been asking for something newer since `claimed_at`, and nobody else is to before
    `claimed_until`. All times are in seconds since the epoch, 0 where there is none.
    """

    content: bytes | None = None
    asked_at: float = 0.0
    answered_at: float = 0.0
    claimed_at: float = 0.0
    claimed_until: float = 0.0


class JobConfigs:
    """What one plane knows of its job configs. All its calls raise LedgerUnavailable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def known(self, place: Place) -> Known:
        """What is known of a place as of now."""
        answer = translated(
            lambda: self._client.get_item(TableName=self._table, Key=_key_of(place), ConsistentRead=True)
        )
        item = answer.get("Item", {})
        content = item.get("content", {}).get("B")
        times = (float(item.get(name, {"N": "0"})["N"]) for name in TIMES)
        return Known(zlib.decompress(content) if content else None, *times)

    def claim(self, place: Place, claimant: str, now: float, until: float, asked_at: float) -> bool:
        """Have it to oneself to ask Keptn, or change until when; it ends by itself, should its claimant die.

        False if somebody else has it, or has asked since `asked_at`.
        """
        return self._update(
            place,
            "SET claimant = :claimant, claimed_at = :now, claimed_until = :until, expires_at = :expires",
            "(attribute_not_exists(claimed_until) OR claimed_until <= :now OR claimant = :claimant)"
            " AND (attribute_not_exists(asked_at) OR asked_at = :asked)",
            {":claimant": {"S": claimant}},
            {":now": now, ":until": until, ":asked": asked_at, ":expires": int(now + KEPT)},
        )

    def note(self, place: Place, content: bytes | None, asked_at: float, answered_at: float) -> bool:
        """Let everybody know what Keptn said, unless somebody has asked since; False if it is too large."""
        compressed = zlib.compress(content or b"")
        if len(compressed) > LARGEST:
            return False
        self._update(
            place,
            "SET content = :content, asked_at = :asked, answered_at = :answered, expires_at = :expires"
            " REMOVE claimant, claimed_at, claimed_until",
            "attribute_not_exists(asked_at) OR asked_at <= :asked",
            {":content": {"NULL": True} if content is None else {"B": compressed}},
            {":asked": asked_at, ":answered": answered_at, ":expires": int(asked_at + KEPT)},
        )
        return True

    def _update(
        self, place: Place, expression: str, condition: str, values: dict[str, Any], numbers: dict[str, float]
    ) -> bool:
        """An update, not a put: whoever may write runs may write this. False if its condition fails."""
        everything = values | {name: {"N": repr(number)} for name, number in numbers.items()}
        try:
            translated(
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=_key_of(place),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=everything,
                )
            )
        except ConditionFailed:
            return False
        return True


def digest_of(content: bytes) -> str:
    """By which a file is known."""
    return hashlib.sha256(content).hexdigest()


def _key_of(place: Place) -> dict[str, Any]:
    """Of any length: names come from events, and DynamoDB takes 2 KB for a key."""
    by_place = key_of("job config 3 at", digest_of(json.dumps(astuple(place)).encode()))
    return {"event_id": {"S": by_place if place.scope else key_of("job config 1", place.revision)}}
