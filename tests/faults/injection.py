"""Faults in the calls that the functions make: to DynamoDB, Lambda, ECS, Secrets Manager, SQS and Keptn.

The points are found, not listed: every call that a scenario makes is one, in the order in which it is made.
"""

import contextlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import requests
from botocore.exceptions import ClientError, ReadTimeoutError
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

from execution_plane.keptn.connecting import Connection
from execution_plane.ledger.table import LostRace
from tests.support.clock import SimulatedClock
from tests.support.world import accepted

MINUTE = 60.0
SLOWNESS = 10.0  # seconds, in which no request is given up


class Killed(BaseException):
    """The function's process is gone; nothing of it runs any more."""


class Fault(Enum):
    """What happens to one call."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FAILED = "failed, without effect"
    UNANSWERED = "took effect, and timed out"
    LATE = "timed out, and takes effect a minute later"
    LOST = "answered, without effect"
    TWICE = "took effect twice"
    DOWN = "the service fails for a minute"
    SLOW = "answered after some seconds"
    INTERIM = "answered behind an interim answer"
    UNAUTHORIZED = "refused for its login, without effect"
    OVERTAKEN = "others act just before it"
    FOLLOWED = "others act just after it, before its caller goes on"


READS = frozenset(
    {
        "DescribeExecution",
        "DescribeStateMachine",
        "DescribeTaskDefinition",
        "DescribeTasks",
        "GET",
        "GetItem",
        "GetLogEvents",
        "GetSecretValue",
        "ListTasks",
        "Query",
    }
)
"""Calls that change nothing: doubled or late they are the same call, and without an answer they failed."""
KEPTN = "keptn"
HTTP_CALL = "Call"
"""The operation of a task's own call, to whomever."""
LOSABLE = frozenset({"DeleteMessageBatch", "Invoke", "ReceiveMessage", "SendMessageBatch", HTTP_CALL})
"""Calls that may be answered and come to nothing, besides the events that Keptn is sent.

Lambda loses an invocation, SQS finds, keeps or deletes none of its messages, and whom a task calls may do as
it likes. All else that is answered is done: by DynamoDB, by ECS, and by Keptn where it is sent no event.
"""


@dataclass(frozen=True)
class Call:
    """One call that a function made; `sends` is the kind of event that it sends to Keptn."""

    service: str
    operation: str
    sends: str = ""

    @property
    def is_reply(self) -> bool:
        """Whether it sends an event that Keptn counts."""
        return self.sends in {"started", "finished"}

    def suffers(self, fault: Fault) -> bool:
        """Whether the fault is one that this call can have."""
        match fault:
            case Fault.UNANSWERED | Fault.TWICE:
                return self.operation not in READS
            case Fault.LATE:
                return self.operation not in READS | {"ReceiveMessage"}  # what is received is in the answer
            case Fault.LOST:
                return bool(self.sends) or self.operation in LOSABLE
            case Fault.INTERIM | Fault.UNAUTHORIZED:
                return self.service == KEPTN
        return True


Trouble = tuple[str, int, Fault]
"""An operation, how many of its calls are let pass, and what the next one suffers."""


def troubles(operations: Sequence[str], to_pass: int, faults: Sequence[Fault]) -> list[Trouble]:
    """Every fault of these for the calls of each operation, where up to `to_pass` of them are let pass."""
    calls = [Call("any", operation, "started" if operation == "POST" else "") for operation in operations]
    return [
        (call.operation, passed, fault)
        for call in calls
        for passed in range(to_pass + 1)
        for fault in faults
        if call.suffers(fault)
    ]


@dataclass
class Injector:
    """Counts calls, and makes the one at `point` suffer `fault`, or the next of an operation by an ambush."""

    clock: SimulatedClock
    point: int | None = None
    fault: Fault | None = None
    calls: list[Call] = field(default_factory=list)
    is_armed: bool = True
    struck: list[tuple[Call, Fault]] = field(default_factory=list)
    others: Callable[[], object] = lambda: None
    """What other functions and users do in the middle of a function's work."""
    ambush: Trouble | None = None
    _down: dict[str, float] = field(default_factory=dict)
    _later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def make(
        self,
        call: Call,
        act: Callable[[], Any],
        *,
        failure: Exception,
        timeout: Exception,
        shrug: Callable[[], Any],
    ) -> Any:
        """Make a call, or not. `shrug` gives the answer of a call that is lost."""
        if not self.is_armed:
            return act()
        index = len(self.calls)
        self.calls.append(call)
        if self.clock.now() < self._down.get(call.service, 0):
            raise failure
        fault = self.fault if index == self.point else self._ambushed(call)
        if fault is None or not call.suffers(fault):
            return act()
        self.struck.append((call, fault))
        return self._suffer(call, fault, act, failure, timeout, shrug)

    @property
    def keptn_lost_nothing(self) -> bool:
        """Whether each counted reply that Keptn was sent came to it, and once."""
        return not any(call.is_reply and fault in {Fault.LOST, Fault.TWICE} for call, fault in self.struck)

    def _ambushed(self, call: Call) -> Fault | None:
        if self.ambush is None or self.ambush[0] != call.operation:
            return None
        operation, to_pass, fault = self.ambush
        self.ambush = (operation, to_pass - 1, fault) if to_pass else None
        return None if to_pass else fault

    def _suffer(
        self,
        call: Call,
        fault: Fault,
        act: Callable[[], Any],
        failure: Exception,
        timeout: Exception,
        shrug: Callable[[], Any],
    ) -> Any:
        match fault:
            case Fault.KILLED_BEFORE:
                raise Killed
            case Fault.KILLED_AFTER:
                act()
                raise Killed
            case Fault.FAILED:
                raise failure
            case Fault.UNANSWERED:
                act()
                raise timeout
            case Fault.LATE:
                self._later.append((self.clock.now() + MINUTE, act))
                raise timeout
            case Fault.LOST:
                return shrug()
            case Fault.TWICE:
                act()
                return act()
            case Fault.DOWN:
                self._down[call.service] = self.clock.now() + MINUTE
                raise failure
            case Fault.SLOW:
                answer = act()
                self.clock.advance(SLOWNESS)
                return answer
            case Fault.INTERIM:
                return _behind_an_interim_answer(act())
            case Fault.UNAUTHORIZED:
                return _response(401, {"code": 401, "message": "unauthenticated or invalid credentials"})
            case Fault.OVERTAKEN:
                self.others()
                return act()
            case Fault.FOLLOWED:
                answer = act()
                self.others()
                return answer

    @property
    def is_any_late(self) -> bool:
        """Whether a call has yet to take effect."""
        return bool(self._later)

    def catch_up(self) -> None:
        """Let what is late take effect."""
        due = [act for at, act in self._later if at <= self.clock.now()]
        self._later = [(at, act) for at, act in self._later if at > self.clock.now()]
        for act in due:
            with contextlib.suppress(ClientError, LostRace):  # a conditional write that comes too late
                act()

    def wrap_aws(self, client: Any) -> Any:
        """Make a boto3 client's calls suffer; one that is wrapped already has a new injector then."""
        service = client.meta.service_model.service_name
        make_api_call = partial(type(client)._make_api_call, client)

        def make(operation: str, parameters: Mapping[str, Any]) -> Any:
            error = {"Error": {"Code": "InternalServerError", "Message": "injected"}}
            return self.make(
                Call(service, operation),
                lambda: make_api_call(operation, parameters),
                failure=ClientError(error, operation),  # type: ignore[arg-type]
                timeout=ReadTimeoutError(endpoint_url="injected"),
                shrug=dict,
            )

        client._make_api_call = make
        return client

    def wrap_fake(self, service: str, fake: Any) -> "FaultyClient":
        """Make the calls of a fake client suffer."""
        return FaultyClient(self, service, fake)

    def wrap_session(self, session: requests.Session) -> requests.Session:
        """Make a session's requests suffer."""
        for prefix, adapter in list(session.adapters.items()):
            session.mount(prefix, _Adapter(adapter, self))
        return session

    def wrap_invoke(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        """Make invocations suffer."""

        def invoke_or_not(**arguments: Any) -> Any:
            error = {"Error": {"Code": "ServiceException", "Message": "injected"}}
            return self.make(
                Call("lambda", "Invoke"),
                lambda: invoke(**arguments),
                failure=ClientError(error, "Invoke"),  # type: ignore[arg-type]
                timeout=ReadTimeoutError(endpoint_url="injected"),
                shrug=accepted,
            )

        return invoke_or_not


class FaultyClient:
    """A fake client whose calls suffer what the injector says; `fake` is what it really has."""

    def __init__(self, injector: Injector, service: str, fake: Any) -> None:
        self.fake = fake
        self._injector = injector
        self._service = service

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.fake, name)
        if name in {"meta", "exceptions"}:
            return attribute
        operation = name.title().replace("_", "")
        error = {"Error": {"Code": "ServerException", "Message": "injected"}}
        return lambda **arguments: self._injector.make(
            Call(self._service, operation),
            lambda: attribute(**arguments),
            failure=ClientError(error, operation),  # type: ignore[arg-type]
            timeout=ReadTimeoutError(endpoint_url="injected"),
            shrug=dict,
        )


class _Adapter(BaseAdapter):
    def __init__(self, inner: BaseAdapter, injector: Injector) -> None:
        super().__init__()
        self._inner = inner
        self._injector = injector

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response: requests.Response = self._injector.make(
            Call(KEPTN, request.method or "", _sent_by(request)),
            lambda: self._inner.send(request, *args, **kwargs),
            failure=requests.ConnectionError("Remote end closed connection", request=request),
            timeout=requests.ReadTimeout("Read timed out", request=request),
            # What Keptn answers to an event, whatever becomes of it.
            shrug=lambda: _response(200, {"keptnContext": "00000000-0000-0000-0000-000000000000"}),
        )
        return response

    def close(self) -> None:
        self._inner.close()


def _sent_by(request: requests.PreparedRequest) -> str:
    """The kind of event that a request sends, if it does."""
    if request.method != "POST" or not request.path_url.endswith("/v1/event"):
        return ""
    return str(json.loads(request.body or "")["type"]).rpartition(".")[2]


def _response(status: int, body: object) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    raw = io.BytesIO(json.dumps(body).encode())
    response.raw = HTTPResponse(raw, status=status, preload_content=False)
    return response


class _Received:
    """A socket from which something certain comes, whatever is sent."""

    def __init__(self, received: bytes) -> None:
        self._received = io.BytesIO(received)

    def makefile(self, _: str) -> io.BytesIO:
        return self._received

    def settimeout(self, _: object) -> None:
        pass

    def sendall(self, _: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def _behind_an_interim_answer(response: requests.Response) -> requests.Response:
    """The same answer as the functions' connections read it where 103 Early Hints precedes it."""
    body = response.raw.read()
    framing = {"content-length", "transfer-encoding"}
    headers = {name: text for name, text in response.headers.items() if name.lower() not in framing}
    lines = [f"HTTP/1.1 {response.status_code} ", *(f"{name}: {text}" for name, text in headers.items())]
    head = "\r\n".join(["HTTP/1.1 103 Early Hints", "", *lines, f"Content-Length: {len(body)}", "", ""])
    connection = Connection("keptn.test")
    connection.sock = _Received(head.encode() + body)
    connection.request("GET", "/", preload_content=False)
    request = requests.Request("GET", "http://keptn.test").prepare()
    return HTTPAdapter().build_response(request, connection.getresponse())
