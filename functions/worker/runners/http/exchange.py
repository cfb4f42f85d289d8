"""One HTTP request and its answer: sent once, to an address that was checked, and followed nowhere.

The name is resolved once and the connection is made to what was judged, so that no second answer of the DNS's
can lead elsewhere (DNS rebinding). One thread talks, and another one watches: it hangs up in the middle of
whatever is waited for.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Final
from urllib.parse import urlsplit

import certifi
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from execution_plane.keptn.connecting import Connection, SecureConnection, SettingNames, connection_failure
from runners.cancel_scope import CancelScope, DeadlineOver
from runners.http.reachable import USUAL_PORTS, forbidden

LARGEST_ANSWER: Final = 1024 * 1024  # bytes of its body
CHUNK: Final = 64 * 1024
CONNECT_SECONDS: Final = 10.0  # for one address, and then for each step of TLS
NAMES: Final = SettingNames(url="http.url")


class ExchangeFailed(Exception):
    """There is no whole answer; the text says why. Unless `was_sent`, nothing certainly came of it."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


@dataclass(frozen=True)
class Request:
    """What is sent where. `target` is the path with the query, percent-encoded."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def place(self) -> str:
        """The host, with its port if that is not the scheme's own."""
        return self.host if self.port == USUAL_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.method} {self.scheme}://{self.place}{self.target}"


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer, its body as it came."""

    status: int
    reason: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Network:
    """The way out of the machine: its own resolver and sockets."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host. Raises OSError."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[4][0]) for address in found))

    def connect(self, address: str, port: int) -> socket.socket:
        """A connection to an address. Raises OSError."""
        return socket.create_connection((address, port), CONNECT_SECONDS)


class HttpExchange:
    """Makes exchanges. By https, it trusts what requests does and the certificates of one more file."""

    def __init__(
        self,
        network: Network | None = None,
        *,
        ca_bundle_path: str | None = None,
        proxy_resolves: bool = False,
    ) -> None:
        """With `proxy_resolves`, a proxy is asked for hosts by their names, which nobody has checked then."""
        self._network = network or Network()
        self._ca_bundle_path = ca_bundle_path
        self._proxy_resolves = proxy_resolves

    def __call__(self, request: Request, scope: CancelScope) -> HttpResponse:
        """Send the request, and wait for the answer as long as the scope lets it.

        Raises ExchangeFailed, also at the scope's deadline, and TaskCancelled.
        """
        line, heard = _Line(), SimpleQueue[HttpResponse | Exception | None]()

        def talk() -> None:
            try:
                heard.put(self._talk(request, line, partial(heard.put, None)))
            except Exception as problem:
                heard.put(problem)

        threading.Thread(target=talk, daemon=True).start()
        try:
            return _wait(heard, scope)
        except DeadlineOver:
            line.hang_up()
            missing = "the answer had not come" if line.was_sent else "no connection was made"
            raise ExchangeFailed(f"{missing} by the task's deadline", was_sent=line.was_sent) from None
        except (OSError, HTTPException, HTTPError, ValueError) as problem:
            raise ExchangeFailed(
                f"the connection broke ({_reason(problem)})", was_sent=line.was_sent
            ) from None
        finally:
            line.hang_up()

    def _talk(self, request: Request, line: "_Line", progress: Callable[[], None]) -> HttpResponse:
        """Make the exchange; says of each part of the answer that there is progress."""
        headers = {"Host": request.place, "Connection": "close", **request.headers}
        with closing(self._connection(request, line)) as connection:
            try:
                connection.connect()
            except (OSError, HTTPError) as problem:
                failure = connection_failure(problem, str(request), NAMES)
                raise _not_sent("; ".join(filter(None, (failure.what, failure.advice)))) from None
            line.send()
            connection.timeout = None
            connection.request(
                request.method, request.target, request.body or None, headers, preload_content=False
            )
            with closing(connection.getresponse()) as response:
                return _read(response, progress)

    def _connection(self, request: Request, line: "_Line") -> Connection | SecureConnection:
        """What will be connected to the host itself, as its certificate must prove where there is one."""
        host, port, proxy = request.host, request.port, _proxy_of(request)
        addresses = [host] if proxy and self._proxy_resolves else self._resolve(host, port)
        for address in addresses:
            if kind := forbidden(address):
                raise _not_sent(f"{host} is at {address}, which no task may call: it is {kind}")
        connection: Connection | SecureConnection = Connection(host, port, timeout=CONNECT_SECONDS)
        if request.scheme == "https":
            connection = SecureConnection(
                *(host, port), timeout=CONNECT_SECONDS, ssl_context=self._trust, server_hostname=host
            )
        if proxy:
            place = urlsplit(proxy)
            if place.scheme != "http" or place.hostname is None:
                raise _not_sent("an http task can use an HttpsProxy only by http://")
            wanted = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
            connection.set_tunnel(wanted, port, HTTPAdapter().proxy_headers(proxy))
            host, port = place.hostname, place.port or USUAL_PORTS["http"]
            addresses = self._resolve(host, port)
        connection._new_conn = partial(self._open, host, addresses, port, line)  # type: ignore[method-assign]
        return connection

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=certifi.where())
        if self._ca_bundle_path:
            context.load_verify_locations(self._ca_bundle_path)
        return context

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        try:
            found = self._network.resolve(host, port)
        except (OSError, UnicodeError) as problem:
            raise _not_sent(f"{host} can't be found ({_reason(problem)})") from None
        if not found:
            raise _not_sent(f"{host} can't be found (it has no address)")
        return found

    def _open(self, host: str, addresses: Sequence[str], port: int, line: "_Line") -> socket.socket:
        """A connection to the first of the addresses that takes one."""
        reasons = []
        for address in addresses:
            try:
                connected = self._network.connect(address, port)
            except OSError as problem:
                reasons.append(f"{address}: {_reason(problem)}")
                continue
            line.add(connected)
            return connected
        raise _not_sent(f"{host} takes no connection on port {port} ({'; '.join(reasons)})")


class _Line:
    """The connections of one exchange, at which one thread talks; another one may end them at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._is_over = False
        self.was_sent = False

    def add(self, connected: socket.socket) -> None:
        """A connection was made. Raises OSError if the other thread has hung up."""
        with self._lock:
            if self._is_over:
                connected.close()
                raise ConnectionAbortedError
            # A duplicate: whatever is made of the connection, as by TLS, ends with it.
            self._handles.append(connected.dup())

    def send(self) -> None:
        """From now on, something may arrive. Raises OSError if the other thread has hung up."""
        with self._lock:
            if self._is_over:
                raise ConnectionAbortedError
            self.was_sent = True

    def hang_up(self) -> None:
        """End it, whatever it is waiting for."""
        with self._lock:
            self._is_over = True
            for handle in self._handles:
                with suppress(OSError), handle:
                    handle.shutdown(socket.SHUT_RDWR)
            self._handles.clear()


def _read(response: HTTPResponse, progress: Callable[[], None]) -> HttpResponse:
    """The whole of an answer. Raises ExchangeFailed."""
    what, body = f"{response.status} {response.reason or ''}".rstrip(), bytearray()
    try:
        while chunk := response.read1(CHUNK, decode_content=False):
            progress()
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise ExchangeFailed(f"the answer {what} is over {LARGEST_ANSWER} bytes", was_sent=True)
    except (OSError, HTTPError, HTTPException) as problem:
        raise ExchangeFailed(f"the answer {what} broke off ({_reason(problem)})", was_sent=True) from None
    return HttpResponse(response.status, response.reason or "", bytes(body), response.headers)


def _wait(heard: "SimpleQueue[HttpResponse | Exception | None]", scope: CancelScope) -> HttpResponse:
    """What comes of an exchange. Raises what it does, and what the scope raises."""
    while True:
        try:
            outcome = heard.get(timeout=scope.seconds())
        except Empty:
            continue
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            return outcome


def _not_sent(reason: str) -> ExchangeFailed:
    return ExchangeFailed(reason, was_sent=False)


def _proxy_of(request: Request) -> str | None:
    """The plane's proxy, which is for https alone, unless the host goes without it."""
    if request.scheme != "https":
        return None
    return get_environ_proxies(f"https://{request.host}:{request.port}/").get("https")


def _reason(problem: Exception) -> str:
    if isinstance(problem, HTTPError) and problem.args and isinstance(problem.args[-1], Exception):
        problem = problem.args[-1]  # what urllib3 has wrapped
    text = getattr(problem, "verify_message", "") or getattr(problem, "strerror", "") or str(problem)
    return text or type(problem).__name__
