"""An API of AWS's over HTTP on this machine: werkzeug in a thread, with nothing of its own to say."""

import threading
from collections.abc import Callable
from typing import Self

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


class HttpServer:
    """A context manager: it listens while inside."""

    def __init__(self, answer: Callable[[Request], Response], host: str = "127.0.0.1", port: int = 0) -> None:
        """`answer` is called in a thread for each connection. Port 0 takes a free one."""
        self.host = host
        app = Request.application(answer)
        self._server = make_server(host, port, app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to listen; what is being answered is not waited for."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.port)

    @property
    def url(self) -> str:
        """What the AWS SDK takes as the service's endpoint."""
        return f"http://{self.host}:{self.port}"


class _Quiet(WSGIRequestHandler):
    """Logs no requests."""

    wbufsize = -1  # a response in one piece: of two, the second would wait until the first is acknowledged

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
