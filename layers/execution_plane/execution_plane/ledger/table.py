"""The DynamoDB table of runs; what is no run, but kept beside them, has files of its own in this folder.

Every write has the condition that the item still has the state and version that were read. The index of
active runs may be stale: what it says is a hint, and the base table decides.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from execution_plane.clock import Clock, SystemClock
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.ledger.history import Entry, decode, encode, place
from execution_plane.ledger.runs import RemoteStep, Run, State, TaskDone
from execution_plane.telemetry import invocation, logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

T = TypeVar("T")

WAY_ADVICE = "; check the functions' network (VpcSubnetIds, HttpsProxy, NoProxy)"
# The newest that this code reads. What is merely added to an item needs no other: code that does not know it
# leaves it out. An item has the oldest that does for it, so that a deployment can be rolled back.
SCHEMA = 2
SCHEMA_OF_ONE_KIND = 1  # of steps: that of those that do not say their kind
ONLY_KIND = "container"
STEP_NAMES = {"target": "cluster", "handle": "arn"}  # what items call fields of a step that were renamed
APART = frozenset({"event", "outcome", "earlier", "state", "version", "change"})
SMALL = tuple(each.name for each in fields(Run) if each.name not in APART)
SMALL_OF_EVENT = tuple(each.name for each in fields(EventRef) if each.name != "labels")
ACTIVE_INDEX = "active"
ACTIVE = "1"
CLOSED_INDEX = "closed"
SHORT_MESSAGE = 256  # bytes of an outcome's message that the index of closed runs has


class LostRace(Exception):
    """The run has moved on since it was read; `current` is what it is now, as far as DynamoDB said."""

    def __init__(self, event_id: str, current: Run | None) -> None:
        super().__init__(f"run {event_id} has moved on")
        self.current = current


class LedgerUnavailable(Exception):
    """DynamoDB did not do what was asked. A write may still have taken effect."""


class SchemaUnknown(LedgerUnavailable):
    """The item is of a schema that only a later version of this code knows; the run is left to that."""


@dataclass(frozen=True)
class Record:
    """All that an item says of a run: how it stands, and how it came to that.

    There is no history of what was written before there was any.
    """

    run: Run
    history: tuple[Entry, ...]


class Ledger:
    """The runs of one plane."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Clock | None = None) -> None:
        """`clock` says when something was written, for the runs' histories."""
        self._client = client
        self._table = table
        self._clock = clock or SystemClock()

    def active(self) -> list[Run]:
        """All runs whose event may still be open, oldest first, without labels and outcomes of any kind.

        Eventually consistent. Without those of a schema that is not known.
        """
        return self._query(ACTIVE_INDEX, "active", ACTIVE)

    def closed_on(self, day: date) -> list[Run]:
        """All runs that were closed on a day by UTC, oldest first, with no more than an outcome's beginning.

        Without those that were closed before there was this index.
        """
        return self._query(CLOSED_INDEX, "closed_on", day.isoformat())

    def get(self, event_id: str) -> Run | None:
        """The run of a triggered event, whole and as of now."""
        item = self._item(event_id)
        return _decode(item) if item else None

    def record(self, event_id: str) -> Record | None:
        """The run of a triggered event with its history, as of now."""
        item = self._item(event_id)
        return Record(_decode(item), decode(item)) if item else None

    def create(self, run: Run) -> Run:
        """Write a run that is new. Raises LostRace if the event has one, which comes with it."""
        item = {name: value for name, value in _encode(run).items() if value is not None}
        item |= self._entry(run)
        self._write(
            run,
            lambda: self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(event_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
            item["writer"],
        )
        return run

    def move(self, before: Run, after: Run) -> Run:
        """Replace what was read by what is to be; returns the whole item as it then stands.

        `before` may come from the index. Raises LostRace if the run is no longer in its state and version.
        """
        old, new = _encode(before), {**_encode(after), **self._entry(after)}
        changed = [name for name in new if name == "writer" or new[name] != old.get(name)]
        sets = ", ".join(f"#{name} = :{name}" for name in changed if new[name] is not None)
        removes = ", ".join(f"#{name}" for name in changed if new[name] is None)
        answer = self._write(
            after,
            lambda: self._client.update_item(
                TableName=self._table,
                Key={"event_id": {"S": after.event.id}},
                UpdateExpression=f"SET {sets}" + (f" REMOVE {removes}" if removes else ""),
                ConditionExpression="#state = :from_state AND #version = :from_version",
                ExpressionAttributeNames={f"#{name}": name for name in {*changed, "state", "version"}},
                ExpressionAttributeValues={
                    **{f":{name}": value for name in changed if (value := new[name]) is not None},
                    ":from_state": {"S": before.state},
                    ":from_version": {"N": str(before.version)},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
            new["writer"],
        )
        return _decode(answer)

    def _entry(self, run: Run) -> "Item":
        """What the run's history says of the write that makes it so."""
        if run.change is None:
            return {}
        change = run.change
        entry = Entry(run.version, self._clock.now(), run.state, change.what, invocation.name, change.detail)
        return {place(run.version): {"S": encode(entry)}}

    def _item(self, event_id: str) -> "Item | None":
        answer = translated(
            lambda: self._client.get_item(
                TableName=self._table, Key={"event_id": {"S": event_id}}, ConsistentRead=True
            )
        )
        item: Item | None = answer.get("Item")
        return item

    def _query(self, index: str, attribute: str, value: str) -> list[Run]:
        """The runs that an index has under a value, page by page."""
        # botocore's paginator would look through all of AWS's services on disk first, in every cold start.
        runs: list[Run] = []
        start: dict[str, Any] = {}
        while True:
            ask = partial(
                self._client.query,
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#key = :value",
                ExpressionAttributeNames={"#key": attribute},
                ExpressionAttributeValues={":value": {"S": value}},
                **start,
            )
            page = translated(ask)
            runs.extend(_all_known(page["Items"]))
            if "LastEvaluatedKey" not in page:
                return runs
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _write(self, run: Run, call: Callable[[], Any], writer: "AttributeValueTypeDef | None") -> "Item":
        """Make a conditional write; the item after it.

        botocore sends a write again whose answer was lost, and the second then fails on what the first wrote.
        The writer's mark tells that from a race.
        """
        try:
            item: Item = translated(call).get("Attributes", {})
            return item
        except ConditionFailed as failed:
            if failed.item.get("writer") == writer:
                return failed.item
            raise LostRace(
                run.event.id, next(_all_known([failed.item] if failed.item else ()), None)
            ) from None


class ConditionFailed(Exception):
    """A conditional write had no effect; `item` is what is there, as far as DynamoDB said."""

    def __init__(self, item: "Item") -> None:
        super().__init__()
        self.item = item


def translated(call: Callable[[], Any]) -> Any:
    """Make a call to DynamoDB; its errors become ours here and nowhere else.

    Raises LedgerUnavailable, and ConditionFailed.
    """
    try:
        return call()
    except ClientError as problem:
        if problem.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise ConditionFailed(problem.response.get("Item", {})) from None  # type: ignore[arg-type]
        raise LedgerUnavailable(f"DynamoDB: {problem}") from problem
    except BotoCoreError as problem:
        is_way = isinstance(problem, NotConnected | HTTPClientError)
        raise LedgerUnavailable(f"DynamoDB: {problem}{WAY_ADVICE if is_way else ''}") from problem


def _encode(run: Run) -> "dict[str, AttributeValueTypeDef | None]":
    """A run as an item; None stands for an attribute that is absent.

    What is small is one JSON text, `run`, so that the index needs no other: an index includes 20 attributes
    at most, and can't be changed once it is deployed.
    """
    small = {name: getattr(run, name) for name in SMALL} | {
        "event": {name: getattr(run.event, name) for name in SMALL_OF_EVENT},
        "step": _plain_step(run.step) if run.step else None,
    }
    return {
        "event_id": {"S": run.event.id},
        "schema": {"N": str(_schema(run))},
        "state": {"S": run.state},
        "version": {"N": str(run.version)},
        "writer": {"S": uuid4().hex},
        "run": {"S": json.dumps({name: value for name, value in small.items() if value is not None})},
        "claimed_at": {"N": repr(run.claimed_at)},
        "active": {"S": ACTIVE} if run.is_active else None,
        "closed_on": {"S": _day(run.closed_at).isoformat()} if run.closed_at is not None else None,
        "expires_at": {"N": str(run.expires_at)} if run.expires_at else None,
        "outcome": {"S": json.dumps(vars(run.outcome))} if run.outcome else None,
        "short": {"S": json.dumps(vars(_short(run.outcome)))} if run.outcome else None,
        "earlier": {"S": json.dumps(_plain(run.earlier))} if run.earlier else None,
        "labels": {"S": json.dumps(dict(run.event.labels))} if run.event.labels else None,
    }


def _schema(run: Run) -> int:
    return SCHEMA_OF_ONE_KIND if run.step is None or run.step.kind == ONLY_KIND else SCHEMA


def _plain_step(step: RemoteStep) -> dict[str, Any]:
    return {STEP_NAMES.get(name, name): value for name, value in vars(step).items()}


def _step(values: Mapping[str, Any]) -> RemoteStep:
    renamed = {name: values.get(old, "") for name, old in STEP_NAMES.items()}
    return _known(RemoteStep, {"kind": ONLY_KIND, **values, **renamed})


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def _short(outcome: Outcome) -> Outcome:
    """What an index has of an outcome."""
    first = outcome.message.partition("\n")[0].encode("utf-8", "replace")
    return replace(outcome, message=first[:SHORT_MESSAGE].decode(errors="ignore"), data={})


def _plain(earlier: tuple[TaskDone, ...]) -> list[dict[str, Any]]:
    return [{"name": done.name, "outcome": vars(done.outcome)} for done in earlier]


def _all_known(items: "Sequence[Item]") -> Iterator[Run]:
    """The runs of items, but for those of a schema that is not known."""
    for item in items:
        try:
            yield _decode(item)
        except SchemaUnknown as problem:
            logger.warning("a run is left to a later version", reason=str(problem))


def _decode(item: "Item") -> Run:
    """The run of an item; of labels and outcomes, an index has no more than a closed run's short outcome.

    Raises SchemaUnknown.
    """
    if int(item["schema"]["N"]) > SCHEMA:
        raise SchemaUnknown(f"run {item['event_id']['S']} has schema {item['schema']['N']}, not {SCHEMA}")
    small: dict[str, Any] = json.loads(item["run"]["S"])
    labels = json.loads(item["labels"]["S"]) if "labels" in item else {}
    said = item.get("outcome") or item.get("short")
    outcome = _known(Outcome, json.loads(said["S"])) if said else None
    earlier = json.loads(item["earlier"]["S"]) if "earlier" in item else ()
    return _known(
        Run,
        small
        | {
            "event": _known(EventRef, small["event"] | {"labels": labels}),
            "state": State(item["state"]["S"]),
            "version": int(item["version"]["N"]),
            "was": State(small["was"]) if "was" in small else None,
            "step": _step(small["step"]) if "step" in small else None,
            "outcome": outcome,
            "earlier": tuple(TaskDone(each["name"], _known(Outcome, each["outcome"])) for each in earlier),
        },
    )


def _known(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass of the values that it knows: a later version may have written more."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})
