"""A way from `requests` to the gateway with no sockets and no threads, for tests on a simulated clock."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

from local.keptn.control_plane import Keptn
from local.keptn.faults import ConnectionDropped
from local.keptn.front import SLEEP
from local.keptn.gateway import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

URL = "http://keptn.test/api"
"""A base URL for a session that has the adapter mounted."""


class WsgiAdapter(BaseAdapter):
    """Hands every request to a WSGI application in this thread.

    Timeouts matter only where a fault rule delays the answer: the delay is then cut short at the read
    timeout, the request is handled, and the client gets a ReadTimeout.
    """

    def __init__(self, app: "WSGIApplication", keptn: Keptn) -> None:
        super().__init__()
        self._app = app
        self._keptn = keptn

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,  # noqa: ARG002
        cert: object = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Answer a request.

        Raises requests' ConnectionError and ReadTimeout as a socket would.
        """
        patience = _Patience(self._keptn, timeout[1] if isinstance(timeout, tuple) else timeout)
        environ = _environ(request)
        environ[SLEEP] = patience.sleep
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:  # noqa: ARG001
            started.append((status, headers))
            return None

        try:
            body = self._app(environ, start_response)  # type: ignore[arg-type]
        except ConnectionDropped as dropped:
            raise requests.ConnectionError("Remote end closed connection", request=request) from dropped
        if patience.is_over:
            raise requests.ReadTimeout("Read timed out", request=request)
        status, headers = started[0]
        return _response(request, int(status[:3]), headers, body)

    def close(self) -> None:
        """There is nothing to close."""


def session(keptn: Keptn, prefix: str = "/api") -> requests.Session:
    """A session that talks to this control plane, whatever the host in the URL."""
    talking = requests.Session()
    talking.trust_env = False
    adapter = WsgiAdapter(create_app(keptn, prefix), keptn)
    talking.mount("http://", adapter)
    talking.mount("https://", adapter)
    return talking


class _Patience:
    """Waits on the clock of the control plane, but no longer than the client would."""

    def __init__(self, keptn: Keptn, limit: float | None) -> None:
        self._clock = keptn.clock
        self._limit = limit
        self.is_over = False

    def sleep(self, seconds: float) -> None:
        """Wait; notes if the client has given up by then."""
        if self._limit is not None and seconds > self._limit:
            self.is_over = True
            seconds = self._limit
        self._clock.sleep(seconds)


class _Chunks(io.RawIOBase):
    """A file over the chunks of a body, read only as far as asked."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, or all of them."""
        if size is None or size < 0:
            everything, self._rest = self._rest + b"".join(self._chunks), b""
            return everything
        while len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def read1(self, size: int = -1) -> bytes:
        """Up to `size` bytes; here as many as there are."""
        return self.read(size)


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    raw = request.body if request.body is not None else b""
    body = raw.encode() if isinstance(raw, str) else bytes(raw)
    target = f"{url.path}?{url.query}" if url.query else url.path
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "SERVER_NAME": url.hostname or "keptn.test",
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    return environ


def _response(
    request: requests.PreparedRequest, status: int, headers: list[tuple[str, str]], body: Iterable[bytes]
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.raw = HTTPResponse(
        body=_Chunks(body),
        headers=HTTPHeaderDict(headers),
        status=status,
        request_method=request.method,
        preload_content=False,
        decode_content=False,
    )
    response.url = request.url or ""
    response.request = request
    return response
