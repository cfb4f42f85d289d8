"""What a run's item remembers of its writes, one short entry each, in a ring of attributes.

An entry is written with the change that it tells of, by the same conditional write, without reading the
others: the run's version says which attribute is its place. The first entries stay, of all later ones the
latest. No index has them, so that a poll reads nothing more.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEPT_FIRST = 24  # entries that are never overwritten: an ordinary run has eight
KEPT_LAST = 24  # and the latest of all others
LONGEST_DETAIL = 200  # bytes; all entries together then stay below 20 KB, of the 400 that an item may have
FIELDS = 6  # of an entry; a later version may have written more
PLACE = re.compile(r"h\d\d")


class What(StrEnum):
    """What one write of a run was about, in the words in which it is stored and shown."""

    CLAIMED = "claimed"
    ADOPTED = "adopted"
    DISPATCHED = "dispatched again"
    NOT_DISPATCHED = "no worker can be invoked"
    ACQUIRED = "taken by a worker"
    STARTING = "started is sent"
    NOT_STARTED = "started did not arrive"
    START_ANSWERED = "Keptn has the started"
    PREPARING = "a step is made ready"
    BEGINNING = "the task begins"
    GOING_ON = "the next task begins"
    WAITING = "a step is submitted"
    SUBMITTED = "its service has the step"
    NOT_SUBMITTED = "its service did not start the step"
    WOKEN = "a worker is woken"
    STOPPING = "the step is told to stop"
    RESUMED = "taken up by a worker"
    WAITING_AGAIN = "the worker was lost, the run waits again"
    PUT_BACK = "put back"
    GIVEN_BACK = "given back"
    TAKEN_BACK = "taken back, the worker was lost"
    COMPLETED = "done, finished is sent"
    COMPLETED_SILENTLY = "done, no reply is owed"
    ENDED = "ended by an operator"
    REPORTING = "finished is sent"
    NOT_REPORTED = "finished did not arrive"
    REPORTED = "finished was sent"
    LOOKED = "Keptn was asked what it counted"
    REPAIRING = "what Keptn lacks is sent again"
    COUNTED = "Keptn has all our replies"
    ABSENT = "Keptn's list lacks it"
    PRESENT = "Keptn's list has it again"
    CLOSED = "closed"
    REOPENED = "open again"


@dataclass(frozen=True)
class Change:
    """What one write of a run is about."""

    what: What
    detail: str = ""


@dataclass(frozen=True)
class Entry:
    """One write of a run as its item remembers it; `by` names the invocation, where one is known."""

    version: int
    at: float
    state: str
    what: str
    by: str = ""
    detail: str = ""


def place(version: int) -> str:
    """The attribute of the entry of a run's version."""
    number = version - 1 if version <= KEPT_FIRST else KEPT_FIRST + (version - 1 - KEPT_FIRST) % KEPT_LAST
    return f"h{number:02}"


def encode(entry: Entry) -> str:
    """An entry as its attribute's text."""
    detail = entry.detail.encode("utf-8", "replace")
    if len(detail) > LONGEST_DETAIL:
        detail = detail[: LONGEST_DETAIL - 3] + "…".encode()
    fields = [entry.version, round(entry.at, 3), entry.state, entry.what, entry.by]
    return json.dumps([*fields, detail.decode(errors="ignore")], ensure_ascii=False, separators=(",", ":"))


def decode(item: "Mapping[str, AttributeValueTypeDef]") -> tuple[Entry, ...]:
    """The entries of an item, oldest first; none of a run from before there were any."""
    texts = (value["S"] for name, value in item.items() if PLACE.fullmatch(name))
    entries = (Entry(*json.loads(text)[:FIELDS]) for text in texts)
    return tuple(sorted(entries, key=lambda entry: entry.version))
