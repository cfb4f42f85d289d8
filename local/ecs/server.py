"""The cluster over HTTP, in the protocol that boto3 speaks where AWS_ENDPOINT_URL_ECS leads to it."""

import json

from werkzeug.wrappers import Request, Response

from local.ecs.cluster import Ecs
from local.ecs.errors import EcsError
from local.http_server import HttpServer

JSON = "application/x-amz-json-1.1"


class EcsServer(HttpServer):
    """A context manager: ECS listens while inside; what still runs at the end is stopped."""

    def __init__(self, ecs: Ecs, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one."""
        super().__init__(self._answer, host, port)
        self.ecs = ecs

    def __exit__(self, *_: object) -> None:
        self.ecs.close()
        super().__exit__()

    def _answer(self, request: Request) -> Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            answer, status = self.ecs.call(operation, json.loads(request.get_data() or b"{}")), 200
        except EcsError as problem:
            answer, status = {"__type": problem.code, "message": str(problem)}, 400
        return Response(json.dumps(answer), status, content_type=JSON)
