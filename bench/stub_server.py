"""A bare server that stands for Keptn and AWS: canned answers, each after the same delay.

It is a process of its own, so that it shares no interpreter lock with what is measured, and it notes what it
is asked.
"""

import asyncio
import base64
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from bench.events import EVENT_TYPE, triggered_events

NOTES = "/notes"
PAGE = 1000  # items in an answer to a query; DynamoDB gives up to 1 MiB
SETS = re.compile(r"#?(\w+) = (:\w+)")  # in an update; all names are attributes' own
JOB_CONFIG = f"""\
apiVersion: v2
actions: [{{name: Greet, events: [{{name: {EVENT_TYPE}}}], tasks: [{{name: Hello, function: say_hello}}]}}]
"""


@dataclass(frozen=True)
class Behaviour:
    """How the stub answers: after `delay` seconds, listing so many open events of `event_bytes` each."""

    delay: float = 0.0
    events: int = 0
    event_bytes: int = 1024


@dataclass(frozen=True)
class Notes:
    """The requests since the last notes: how many of each kind, when the first arrived (monotonic seconds,
    the same scale in all processes of a machine), and how many bytes those to Keptn had.
    """

    counts: dict[str, int]
    first: dict[str, float]
    received: int

    @property
    def first_of_all(self) -> float:
        """When the first request of any kind arrived."""
        return min(self.first.values())


@dataclass(frozen=True)
class Stub:
    """A running stub."""

    url: str

    def notes(self) -> Notes:
        """Take the notes; the next ones begin anew."""
        with urlopen(self.url + NOTES) as answer:
            return Notes(**json.load(answer))


@contextmanager
def stub_server(behaviour: Behaviour) -> Iterator[Stub]:
    """Run a stub in a process of its own for a while."""
    command = [sys.executable, "-m", "bench.stub_server", json.dumps(asdict(behaviour))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Stub(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


class _Answers:
    """What is answered, and what was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        events = triggered_events(behaviour.events, behaviour.event_bytes)
        self._listing = _ok({"events": events, "nextPageKey": "0", "totalCount": len(events)})
        self._events = {event["id"]: event for event in events}
        self._no_events = _ok({"events": [], "nextPageKey": "0", "totalCount": 0})
        self._items: dict[str, Any] = {}
        self._job_configs: dict[str, Any] = {}
        """What is known of them; other notes are forgotten, so that each plane begins anew."""
        self._subscriptions: list[Any] = []
        self._counts: Counter[str] = Counter()
        self._first: dict[str, float] = {}
        self.received = 0

    def to(self, method: str, path: str, operation: str, body: bytes) -> bytes:
        """The answer to a request; `operation` is the one that AWS's JSON protocols name in a header."""
        if path == NOTES:
            notes = _ok({"counts": self._counts, "first": self._first, "received": self.received})
            self._counts, self._first, self.received = Counter(), {}, 0
            return notes
        kind = operation or _kind(method, path)
        self._counts[kind] += 1
        self._first.setdefault(kind, monotonic())
        return self._of_keptn(kind, path, body) or self._of_aws(kind, body)

    def _of_keptn(self, kind: str, path: str, body: bytes) -> bytes:
        """Keptn's answer; none to a request of AWS's."""
        if kind == "list":
            return self._listing if f"/{EVENT_TYPE}" in path else self._no_events
        if kind == "fetch":
            asked = parse_qs(urlsplit(path).query)["eventID"][0]
            return _ok({"events": [self._events[asked]], "nextPageKey": "0"})
        if kind == "resource":
            return _ok({"resourceContent": base64.b64encode(JOB_CONFIG.encode()).decode()})
        if kind == "register":
            self._subscriptions = json.loads(body)["subscriptions"]
            return _ok({"id": "bench"})
        if kind == "heartbeat":
            return _ok({"id": "bench", "subscriptions": self._subscriptions})
        if kind == "registered":
            return _ok([])
        if kind == "look":
            return _ok(self._look(path))
        return b""

    def _of_aws(self, kind: str, body: bytes) -> bytes:
        if kind == "Query":
            return _ok(self._query(json.loads(body)))
        if kind == "PutItem":
            item = json.loads(body)["Item"]
            self._items[item["event_id"]["S"]] = item
        if kind == "GetItem":
            key = json.loads(body)["Key"]["event_id"]["S"]
            return _ok({"Item": self._items.get(key) or self._job_configs.get(key, {})})
        if kind == "UpdateItem":
            return _ok({"Attributes": self._updated(json.loads(body))})
        if kind == "GetSecretValue":
            return _ok({"Name": "token", "SecretString": "token"})
        return _ok({}, "202 Accepted" if kind == "invoke" else "200 OK")

    def _updated(self, asked: dict[str, Any]) -> dict[str, Any]:
        """An item after an update, whose condition is taken to hold."""
        event_id, values = asked["Key"]["event_id"]["S"], asked["ExpressionAttributeValues"]
        sets = {name: values[value] for name, value in SETS.findall(asked["UpdateExpression"])}
        if event_id.startswith("job config"):
            self._job_configs.setdefault(event_id, {})
        item: dict[str, Any] = self._items.get(event_id) or self._job_configs.get(event_id, {})
        item.update(sets)
        return item

    def _look(self, path: str) -> dict[str, Any]:
        """The sequence of a context, which is its event's id, or a page of all that are under way."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if "keptnContext" in asked:
            return {"sequenceExecutions": [_execution(asked["keptnContext"])]}
        begin, size = int(asked["nextPageKey"]), int(asked["pageSize"])
        page = [_execution(event_id) for event_id in list(self._events)[begin : begin + size]]
        more = {"nextPageKey": begin + size} if begin + size < len(self._events) else {}
        return {"sequenceExecutions": page, "totalCount": len(self._events), **more}

    def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The next page of what was put, as if it were all active."""
        begin = int(asked.get("ExclusiveStartKey", {}).get("claimed_at", {}).get("N", 0))
        page = list(self._items.values())[begin : begin + PAGE]
        answer: dict[str, Any] = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if begin + PAGE < len(self._items):
            answer["LastEvaluatedKey"] = {"claimed_at": {"N": str(begin + PAGE)}}
        return answer


def _kind(method: str, path: str) -> str:
    kinds = {
        ("GET", "eventID="): "fetch",
        ("GET", "/event/triggered/"): "list",
        ("GET", "/resource-service/"): "resource",
        ("POST", "/event"): "send",
        ("GET", "/sequence-execution"): "look",
        ("POST", "/invocations"): "invoke",
        ("GET", "/uniform/registration"): "registered",
        ("POST", "/uniform/registration"): "register",
        ("PUT", "/ping"): "heartbeat",
    }
    return next((kind for (verb, part), kind in kinds.items() if verb == method and part in path), path)


def _execution(event_id: str) -> dict[str, Any]:
    """A sequence whose current task is the triggered event."""
    current = {"triggeredID": event_id, "events": []}
    return {"status": {"state": "started", "previousTasks": [], "currentTask": current}}


def _ok(body: object, status: str = "200 OK") -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as requests and botocore need it."""

    def __init__(self, answers: _Answers, delay: float) -> None:
        self._answers = answers
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        first_line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if len(body) < int(headers.get("content-length", 0)):
            return
        self._received = b""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        method, path, _ = first_line.split()
        if not operation:
            self._answers.received += len(head) + len(body)
        answer = self._answers.to(method, path, operation, body)
        asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)


async def _serve(behaviour: Behaviour) -> None:
    answers = _Answers(behaviour)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers, behaviour.delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Behaviour(**json.loads(sys.argv[1]))))
