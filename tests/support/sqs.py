"""The failure queue on a simulated clock, and what Lambda leaves in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from execution_plane.clock import Clock

HIDDEN = 30.0  # seconds for which a message that was received, and not deleted, is not received again


def given_up(payload: Mapping[str, Any], death: BaseException, invocation: str = "1") -> str:
    """The record of an invocation that failed, by its request id, as a message's body."""
    return json.dumps(
        {
            "requestContext": {"requestId": invocation, "condition": "RetriesExhausted"},
            "requestPayload": payload,
            "responsePayload": {"errorMessage": f"injected: {death!r}"},
        }
    )


@dataclass
class _Message:
    handle: str
    body: str
    hidden_until: float = 0.0


@dataclass
class FakeSqs:
    """One queue; has the methods of boto3's client that we call."""

    clock: Clock
    sent: int = 0
    _messages: dict[str, _Message] = field(default_factory=dict)

    def send_message(self, **request: Any) -> dict[str, Any]:
        self.sent += 1
        handle = str(self.sent)
        self._messages[handle] = _Message(handle, request["MessageBody"])
        return {"MessageId": handle}

    def receive_message(self, **request: Any) -> dict[str, Any]:
        now = self.clock.monotonic()
        there = [message for message in self._messages.values() if now >= message.hidden_until]
        received = there[: request["MaxNumberOfMessages"]]
        for message in received:
            message.hidden_until = now + HIDDEN
        messages = [{"ReceiptHandle": message.handle, "Body": message.body} for message in received]
        return {"Messages": messages} if messages else {}

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        for entry in request["Entries"]:
            self._messages.pop(entry["ReceiptHandle"], None)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}
