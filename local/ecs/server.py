"""The cluster over HTTP, in the protocol that boto3 speaks where AWS_ENDPOINT_URL_ECS leads to it."""

import json
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local.ecs.cluster import Ecs
from local.ecs.errors import EcsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JSON = "application/x-amz-json-1.1"


class EcsServer:
    """A context manager: ECS listens while inside; what still runs at the end is stopped."""

    def __init__(self, ecs: Ecs, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one."""
        self.ecs = ecs
        self.host = host
        self._server = make_server(host, port, self._app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="ecs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ecs.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.port)

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL_ECS is to be."""
        return f"http://{self.host}:{self.port}"

    def _app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            answer, status = self.ecs.call(operation, json.loads(request.get_data() or b"{}")), 200
        except EcsError as problem:
            answer, status = {"__type": problem.code, "message": str(problem)}, 400
        return Response(json.dumps(answer), status, content_type=JSON)


class _Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
