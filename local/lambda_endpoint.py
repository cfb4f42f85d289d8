"""Lambda's API as far as functions are invoked by it: `POST /2015-03-31/functions/{name}/invocations`.

Asynchronous invocations wait in a queue per function, and are delivered at least once, as Lambda promises;
whoever adds a function says how often. Nothing is tried again, as the template wants it.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

from local.function_process import Answer

_INVOCATIONS = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class Function(Protocol):
    """Something that can be invoked."""

    @property
    def name(self) -> str:
        """The name by which it is called."""
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


@dataclass(frozen=True)
class Response:
    """What the endpoint answers to a request."""

    status: int
    body: bytes
    headers: Mapping[str, str]


OnEnd = Callable[[Invocation, Answer], None]


class LambdaEndpoint:
    """A context manager: the endpoint listens while inside."""

    def __init__(self, port: int = 0, *, on_end: OnEnd = lambda *_: None) -> None:
        """Port 0 takes a free one. `on_end` is told of each invocation that ended, in the thread that served
        it.
        """
        self._on_end = on_end
        self._functions: dict[str, Function] = {}
        self._queues: dict[str, SimpleQueue[Invocation | None]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, self._serve))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to listen. What has been taken is still delivered, without waiting for it here."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for queue in self._queues.values():
            queue.put(None)

    @property
    def url(self) -> str:
        """What the AWS SDK takes as Lambda's endpoint."""
        return f"http://127.0.0.1:{self._server.server_port}"

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

    def _serve(self, target: str, kind: str, payload: bytes) -> Response:
        found = _INVOCATIONS.fullmatch(urlsplit(target).path)
        if not found:
            return _refusal(404, "ResourceNotFoundException", f"No function is invoked by {target}")
        name = unquote(found[1]).rpartition(":function:")[2].partition(":")[0]
        function = self._functions.get(name)
        if function is None:
            return _refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
        try:
            event = json.loads(payload or b"{}")
        except ValueError as problem:
            return _refusal(400, "InvalidRequestContentException", f"Could not parse the payload: {problem}")
        invocation = Invocation(name, str(uuid.uuid4()), event)
        headers = {"x-amzn-RequestId": invocation.request_id}
        match kind:
            case "Event":
                self._queues[name].put(invocation)
                return Response(202, b"", headers)
            case "RequestResponse":
                answer = self._invoke(function, invocation)
                failed = {"X-Amz-Function-Error": "Unhandled"} if answer.is_error else {}
                return Response(200, json.dumps(answer.content).encode(), headers | failed)
        return _refusal(400, "InvalidParameterValueException", f"Unsupported invocation type: {kind}")


def _refusal(status: int, kind: str, message: str) -> Response:
    body = {"Type": "User", "Message": message, "message": message}
    return Response(status, json.dumps(body).encode(), {"x-amzn-ErrorType": kind})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response in one piece: of two, the second would wait until the first is acknowledged

    def __init__(self, serve: Callable[[str, str, bytes], Response], *connection: Any) -> None:
        self._serve = serve
        super().__init__(*connection)

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        response = self._serve(self.path, kind, payload)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_: object) -> None:
        pass
