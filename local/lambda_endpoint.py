"""Lambda's API as far as functions are invoked and configured by it.

Asynchronous invocations wait in a queue per function, and are delivered at least once, as Lambda promises;
whoever adds a function says how often. Nothing is tried again, as the template wants it.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

from local.function_process import Answer
from local.http_server import HttpServer

JSON = "application/json"
_FUNCTIONS = re.compile(r"/2015-03-31/functions/([^/]+)/(invocations|configuration)")


class Function(Protocol):
    """Something that can be invoked."""

    @property
    def name(self) -> str:
        """The name by which it is called."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """Its environment."""
        ...

    def configure(self, variables: Mapping[str, str]) -> None:
        """Give it another environment."""
        ...

    def invoke(self, event: Any, request_id: str) -> Answer:
        """Invoke it and wait."""
        ...


@dataclass(frozen=True)
class Invocation:
    """One delivery of an event to a function; `delivery` counts from 1."""

    function: str
    request_id: str
    event: Any
    delivery: int = 1


OnEnd = Callable[[Invocation, Answer], None]


class LambdaEndpoint(HttpServer):
    """A context manager: the endpoint listens while inside."""

    def __init__(self, port: int = 0, *, on_end: OnEnd = lambda *_: None) -> None:
        """Port 0 takes a free one. `on_end` is told of each invocation that ended, in the thread that served
        it.
        """
        self._on_end = on_end
        self._functions: dict[str, Function] = {}
        self._queues: dict[str, SimpleQueue[Invocation | None]] = {}
        super().__init__(self._answer, port=port)

    def __exit__(self, *_: object) -> None:
        """Stop to listen. What has been taken is still delivered, without waiting for it here."""
        super().__exit__()
        for queue in self._queues.values():
            queue.put(None)

    def add(self, function: Function, *, deliveries: int = 1) -> None:
        """Serve a function, and deliver each asynchronous invocation of it so often."""
        self._queues[function.name] = SimpleQueue()
        self._functions[function.name] = function
        threading.Thread(target=self._deliver, args=(function, deliveries), daemon=True).start()

    def _deliver(self, function: Function, deliveries: int) -> None:
        queue = self._queues[function.name]
        while (invocation := queue.get()) is not None:
            for delivery in range(1, deliveries + 1):
                self._invoke(function, replace(invocation, delivery=delivery))

    def _invoke(self, function: Function, invocation: Invocation) -> Answer:
        answer = function.invoke(invocation.event, invocation.request_id)
        self._on_end(invocation, answer)
        return answer

    def _answer(self, request: Request) -> Response:
        found = _FUNCTIONS.fullmatch(request.path)
        if not found or (found[2] == "invocations" and request.method != "POST"):
            return _refusal(404, "ResourceNotFoundException", f"No function is invoked by {request.path}")
        name = found[1].rpartition(":function:")[2].partition(":")[0]
        function = self._functions.get(name)
        if function is None:
            return _refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
        if found[2] == "configuration":
            return _configure(function, request)
        try:
            event = json.loads(request.get_data() or b"{}")
        except ValueError as problem:
            return _refusal(400, "InvalidRequestContentException", f"Could not parse the payload: {problem}")
        invocation = Invocation(name, str(uuid.uuid4()), event)
        headers = {"x-amzn-RequestId": invocation.request_id}
        match kind := request.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "Event":
                self._queues[name].put(invocation)
                return Response(b"", 202, headers)
            case "RequestResponse":
                answer = self._invoke(function, invocation)
                failed = {"X-Amz-Function-Error": "Unhandled"} if answer.is_error else {}
                return Response(json.dumps(answer.content), 200, headers | failed, content_type=JSON)
        return _refusal(400, "InvalidParameterValueException", f"Unsupported invocation type: {kind}")


def _configure(function: Function, request: Request) -> Response:
    """Tell how a function is configured, once its environment is replaced where that is asked for."""
    if request.method == "PUT":
        function.configure(json.loads(request.get_data())["Environment"]["Variables"])
    told = {"FunctionName": function.name, "Environment": {"Variables": dict(function.variables)}}
    return Response(json.dumps(told), 200, content_type=JSON)


def _refusal(status: int, kind: str, message: str) -> Response:
    body = {"Type": "User", "Message": message, "message": message}
    return Response(json.dumps(body), status, {"x-amzn-ErrorType": kind}, content_type=JSON)
