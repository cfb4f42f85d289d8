"""What Keptn said of job configs, kept beside the runs so that every worker finds it.

Keptn's resource service answers few requests a second, and its own sequences need some of them. So one worker
asks, and the others wait for what it hears; if it dies, its claim ends by itself. Nothing that is counted
depends on these items: without them, each worker asks for itself.
"""

import contextlib
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
LARGEST = 300_000  # bytes, compressed; DynamoDB takes 400 KB for an item


@dataclass(frozen=True)
class Place:
    """A file, or with no `uri` the list of all, at a revision; with no revision, as it is now.

    `scope` is (project), (project, stage) or (project, stage, service).
    """

    scope: tuple[str, ...]
    revision: str
    uri: str


@dataclass(frozen=True)
class Known:
    """What is known of a place. All times are in seconds since the epoch, 0 where there is none."""

    content: bytes | None = None
    """What Keptn said is there; None if it said that there is nothing."""
    asked_at: float = 0.0
    """When Keptn was asked for that."""
    claimed_at: float = 0.0
    """Since when somebody has been asking for something newer."""
    claimed_until: float = 0.0
    """Until when nobody else is to ask."""


class JobConfigs:
    """What one plane knows of its job configs. All its calls raise LedgerUnavailable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def known(self, place: Place) -> Known:
        """What is known of a place as of now."""
        item = self._get(_key_of(place))
        times = (
            float(item.get(name, {"N": "0"})["N"]) for name in ("asked_at", "claimed_at", "claimed_until")
        )
        return Known(_content_of(item), *times)

    def claim(self, place: Place, claimant: str, now: float, until: float, asked_at: float) -> bool:
        """Have it to oneself to ask Keptn; False if somebody else has, or has asked since `asked_at`."""
        condition = "(attribute_not_exists(claimed_until) OR claimed_until <= :now) AND "
        condition += "asked_at = :asked" if asked_at else "attribute_not_exists(asked_at)"
        times = {":now": now, ":until": until, ":expires": int(now + KEPT)}
        try:
            self._update(
                _key_of(place),
                "SET claimant = :claimant, claimed_at = :now, claimed_until = :until, expires_at = :expires",
                {
                    ":claimant": {"S": claimant},
                    **_numbers(times | ({":asked": asked_at} if asked_at else {})),
                },
                condition,
            )
        except ConditionFailed as failed:
            # botocore sends a write again whose answer was lost, and it then fails on what it wrote itself.
            return failed.item.get("claimant") == {"S": claimant}
        return True

    def defer(self, place: Place, claimant: str, until: float) -> None:
        """End one's claim at another time: nobody is to ask Keptn before that."""
        with contextlib.suppress(ConditionFailed):
            values = {":claimant": {"S": claimant}, **_numbers({":until": until})}
            self._update(_key_of(place), "SET claimed_until = :until", values, "claimant = :claimant")

    def note(self, place: Place, content: bytes | None, asked_at: float) -> bool:
        """Let everybody know what Keptn said, unless somebody has asked since; False if it is too large."""
        return self._write(_key_of(place), content, asked_at)

    def keep(self, content: bytes, now: float) -> bool:
        """Keep a file by its digest, or go on keeping it; False if it is too large."""
        return self._write(_key_of_file(digest_of(content)), content, now)

    def file(self, digest: str) -> bytes | None:
        """The file with this digest, None if it is not kept."""
        return _content_of(self._get(_key_of_file(digest)))

    def _write(self, key: str, content: bytes | None, at: float) -> bool:
        compressed = zlib.compress(content or b"")
        if len(compressed) > LARGEST:
            return False
        values = _numbers({":at": at, ":expires": int(at + KEPT)})
        sets, removes = "asked_at = :at, expires_at = :expires", "claimant, claimed_at, claimed_until"
        if content is None:
            removes += ", content"
        else:
            sets += ", content = :content"
            values[":content"] = {"B": compressed}
        with contextlib.suppress(ConditionFailed):
            is_newest = "attribute_not_exists(asked_at) OR asked_at <= :at"
            self._update(key, f"SET {sets} REMOVE {removes}", values, is_newest)
        return True

    def _get(self, key: str) -> dict[str, Any]:
        answer = translated(
            lambda: self._client.get_item(
                TableName=self._table, Key={"event_id": {"S": key}}, ConsistentRead=True
            )
        )
        item: dict[str, Any] = answer.get("Item", {})
        return item

    def _update(self, key: str, expression: str, values: dict[str, Any], condition: str) -> None:
        """An update, not a put: whoever may write runs may write this."""
        translated(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"event_id": {"S": key}},
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )


def digest_of(content: bytes) -> str:
    """By which a file is known."""
    return hashlib.sha256(content).hexdigest()


def _key_of(place: Place) -> str:
    """Of any length: names come from events, and DynamoDB takes 2 KB for a key."""
    return key_of("job config 2 at", digest_of(json.dumps(astuple(place)).encode()))


def _key_of_file(digest: str) -> str:
    return key_of("job config 1", digest)


def _content_of(item: dict[str, Any]) -> bytes | None:
    return zlib.decompress(item["content"]["B"]) if "content" in item else None


def _numbers(values: dict[str, float]) -> dict[str, Any]:
    return {name: {"N": repr(value)} for name, value in values.items()}
