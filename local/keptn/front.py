"""What stands before every service: nginx's limits, the date, and whatever goes wrong on the way."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from typing import TYPE_CHECKING

from local.keptn.control_plane import Keptn
from local.keptn.faults import (
    Action,
    Answer,
    ConnectionDropped,
    Delay,
    DropConnection,
    HandleThenDrop,
    HugeBody,
    LoseEvent,
    Redirect,
)
from local.keptn.release import nginx_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SLEEP = "keptn.sleep"
"""Key in the WSGI environment of a function that waits so many seconds, in place of the front's own."""
LOSE_EVENT = "keptn.lose_event"
"""Key in the WSGI environment that has an accepted event be lost."""

BODY_LIMIT = 5 * 1024 * 1024
URI_LIMIT = 8 * 1024
_CHUNK = b" " * 65536


class Front:
    """WSGI middleware around the services."""

    def __init__(self, app: "WSGIApplication", keptn: Keptn, sleep: Callable[[float], object]) -> None:
        self._app = app
        self._keptn = keptn
        self._sleep = sleep
        self._date = (0, "")

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request.

        Raises ConnectionDropped: then there must be no answer.
        """
        start = self._dated(start_response)
        match self._fault(environ):
            case None:
                return self._pass(environ, start)
            case Delay(seconds):
                environ.get(SLEEP, self._sleep)(seconds)
                return self._pass(environ, start)
            case DropConnection():
                raise ConnectionDropped
            case HandleThenDrop():
                for _ in self._pass(environ, start):
                    pass
                raise ConnectionDropped
            case LoseEvent():
                environ[LOSE_EVENT] = True
                return self._pass(environ, start)
            case Redirect(url, status):
                return _answer(start, status, "text/html", b"", [("Location", url)])
            case Answer(status, body, content_type, headers):
                return _answer(start, status, content_type, body.encode(), list(headers))
            case HugeBody(size, status, content_type):
                start(f"{status} Fault", [("Content-Type", content_type)])
                return _spaces(size)

    def _fault(self, environ: "WSGIEnvironment") -> Action | None:
        faults = self._keptn.faults
        target: str = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        body = ""
        if faults.wants_body:
            raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(raw)
            body = raw.decode("utf-8", "replace")
        return faults.take(environ["REQUEST_METHOD"], target, body)

    def _pass(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if int(environ.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
            page = nginx_page(413, "Request Entity Too Large")
            return _answer(start, page.status, page.content_type, page.body.encode())
        if len(environ.get("REQUEST_URI", "")) > URI_LIMIT:
            page = nginx_page(414, "Request-URI Too Large")
            return _answer(start, page.status, page.content_type, page.body.encode())
        if "//" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = re.sub("/+", "/", environ["PATH_INFO"])
        return self._app(environ, start)

    def _dated(self, start_response: "StartResponse") -> "StartResponse":
        now = int(self._keptn.clock.now())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        date = ("Date", self._date[1])

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            return start_response(status, [*headers, date], exc_info)  # type: ignore[arg-type]

        return start  # type: ignore[return-value]


def _answer(
    start: "StartResponse",
    status: int,
    content_type: str,
    body: bytes,
    headers: list[tuple[str, str]] | None = None,
) -> Iterable[bytes]:
    lines = [("Content-Type", content_type), ("Content-Length", str(len(body))), *(headers or [])]
    start(f"{status} Fault", lines)
    return [body]


def _spaces(size: int | None) -> Iterator[bytes]:
    sent = 0
    while size is None or sent < size:
        chunk = _CHUNK if size is None else _CHUNK[: size - sent]
        yield chunk
        sent += len(chunk)
