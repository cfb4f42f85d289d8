"""What a plane remembers beside its runs: texts in the ledger's table, under keys that no event id can have.

A note may be lost with the table, or be as old as its last `write`; nothing that is counted depends on one.
"""

from typing import TYPE_CHECKING, Any

from execution_plane.ledger.table import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


def key_of(kind: str, name: str) -> str:
    """A note's key: its kind, a tab, and what it is about. An event's id has no tab, as it is printable."""
    return f"{kind}\t{name}"


class Notes:
    """The notes of one table. All its calls raise LedgerUnavailable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def read(self, key: str) -> str | None:
        """The text under a key as of now, None if there is none."""
        answer = translated(
            lambda: self._client.get_item(
                TableName=self._table, Key={"event_id": {"S": key}}, ConsistentRead=True
            )
        )
        note = answer.get("Item", {}).get("note")
        return str(note["S"]) if note else None

    def write(self, key: str, text: str, *, expires_at: float | None = None) -> None:
        """Put a text under a key, in place of what is there; DynamoDB deletes it after `expires_at`.

        An update, not a put: whoever may write runs may write notes.
        """
        sets: dict[str, Any] = {"note": {"S": text}}
        if expires_at is not None:
            sets["expires_at"] = {"N": str(int(expires_at))}
        translated(
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"event_id": {"S": key}},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in sets),
                ExpressionAttributeNames={f"#{name}": name for name in sets},
                ExpressionAttributeValues={f":{name}": value for name, value in sets.items()},
            )
        )
