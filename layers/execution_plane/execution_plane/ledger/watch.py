"""The watch: which poller polls at busy speed, so that one minute's goes on until the next one's has begun.

One item beside the runs. It says since when the poller on watch has run, and until when the plane is busy.
Nothing that is counted depends on it: two pollers at once double nothing, they only cost twice.
"""

from typing import TYPE_CHECKING

from execution_plane.ledger.notes import key_of
from execution_plane.ledger.table import ConditionFailed, translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEY = key_of("watch", "")
KEPT = 3600  # seconds after which DynamoDB may delete the item


class Watch:
    """The watch of one plane. All its calls raise LedgerUnavailable.

    Times are epoch seconds by AWS's clocks. A poller is known by when its invocation began: a later one
    relieves an earlier one, and never the other way round.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def busy_until(self) -> float:
        """Until when the plane is busy, as far as any poller has said; 0 if none has."""
        answer = translated(
            lambda: self._client.get_item(TableName=self._table, Key={"event_id": {"S": KEY}})
        )
        return float(answer["Item"]["busy_until"]["N"]) if "Item" in answer else 0.0

    def take(self, began: float, busy_until: float) -> bool:
        """Be on watch, or stay it; False for a poller that a later one has relieved."""
        try:
            translated(
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key={"event_id": {"S": KEY}},
                    UpdateExpression="SET began = :began, busy_until = :until, expires_at = :expires",
                    ConditionExpression="attribute_not_exists(began) OR began <= :began",
                    ExpressionAttributeValues={
                        ":began": {"N": repr(began)},
                        ":until": {"N": repr(busy_until)},
                        ":expires": {"N": str(int(busy_until) + KEPT)},
                    },
                )
            )
        except ConditionFailed:
            return False
        return True
