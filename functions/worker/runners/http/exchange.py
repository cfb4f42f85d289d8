"""One HTTP request and its answer: sent once, to an address that was checked, and followed nowhere.

The name is resolved once and the connection is made to what was judged, so that no second answer of the DNS's
can lead elsewhere. The sockets do not block: however slowly the other side is, the task's watch is asked each
second.
"""

import contextlib
import io
import os
import queue
import selectors
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import certifi
from requests.utils import get_environ_proxies

from execution_plane.clock import Deadline
from runners.http.reachable import USUAL_PORTS, forbidden
from runners.watch import DeadlineOver, Watch

T = TypeVar("T")

LARGEST_ANSWER: Final = 1024 * 1024  # bytes of its body
LARGEST_FRAME: Final = 128 * 1024  # bytes of all that comes besides
CONNECT_SECONDS: Final = 10.0  # for one address


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

    def head(self) -> bytes:
        """The request line and the headers."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.place}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Answer:
    """A whole answer. `location` is where a redirect leads."""

    status: int
    reason: str = ""
    body: bytes = b""
    location: str = ""


class Network(Protocol):
    """The way out of the machine."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host. Raises OSError."""
        ...

    def open(self, address: str, port: int) -> tuple[socket.socket, Any]:
        """A new socket, and what it is to be connected to for that address. Raises OSError."""
        ...


class MachinesNetwork:
    """The machine's own resolver and sockets."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host. Raises OSError."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[4][0]) for address in found))

    def open(self, address: str, port: int) -> tuple[socket.socket, Any]:
        """A new socket, and what it is to be connected to for that address. Raises OSError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.socket(family, socket.SOCK_STREAM), (address, port)


class HttpExchange:
    """Makes exchanges. By https, it trusts what requests does and the certificates of one more file."""

    def __init__(self, network: Network | None = None, *, ca_bundle_path: str | None = None) -> None:
        self._network = network or MachinesNetwork()
        self._ca_bundle_path = ca_bundle_path

    def __call__(self, request: Request, watch: Watch) -> Answer:
        """Send the request, and wait for the answer as long as the watch lets it.

        Raises ExchangeFailed, also at the watch's deadline, and TaskCancelled.
        """
        sent = False
        with contextlib.ExitStack() as stack:
            try:
                connection = self._connect(request, watch, stack)
                sent = True
                connection.sendall(request.head() + request.body)
                return _read_answer(request.method, connection)
            except DeadlineOver:
                missing = "the answer had not come" if sent else "no connection was made"
                raise ExchangeFailed(f"{missing} by the task's deadline", was_sent=sent) from None
            except (OSError, HTTPException, ValueError) as problem:
                raise ExchangeFailed(f"the connection broke ({_reason(problem)})", was_sent=sent) from None

    def _connect(self, request: Request, watch: Watch, stack: contextlib.ExitStack) -> "Connection":
        """A connection to the host itself, as its certificate proves where there is one."""
        addresses = self._resolve(request.host, request.port, watch)
        for address in addresses:
            if kind := forbidden(address):
                raise _not_sent(f"{request.host} is at {address}, which no task may call: it is {kind}")
        proxy = _proxy_of(request)
        if proxy is None:
            connection = self._open(request.host, addresses, request.port, watch, stack)
        else:
            connection = self._tunnel(proxy, addresses[0], request.port, watch, stack)
        if request.scheme == "https":
            try:
                connection.secure(self._trust, request.host)
            except OSError as problem:
                reason = f"there is no trusted TLS connection ({_reason(problem)}); see CaBundlePath"
                raise _not_sent(reason) from None
        return connection

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=certifi.where())
        if self._ca_bundle_path:
            context.load_verify_locations(self._ca_bundle_path)
        return context

    def _resolve(self, host: str, port: int, watch: Watch) -> Sequence[str]:
        """A host's addresses, asked for in a thread: a resolver can be waited for, but not be interrupted."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._network.resolve(host, port))
            except (OSError, UnicodeError) as problem:
                answers.put(problem)

        threading.Thread(target=ask, daemon=True).start()
        while True:
            try:
                found = answers.get(timeout=watch.seconds())
            except queue.Empty:
                continue
            if isinstance(found, Exception) or not found:
                reason = _reason(found) if isinstance(found, Exception) else "it has no address"
                raise _not_sent(f"{host} can't be found ({reason})")
            return found

    def _open(
        self, host: str, addresses: Sequence[str], port: int, watch: Watch, stack: contextlib.ExitStack
    ) -> "Connection":
        """A connection to the first of the addresses that takes one."""
        reasons = []
        for address in addresses:
            try:
                opened, place = self._network.open(address, port)
                connection = Connection(opened, watch)
                stack.callback(connection.close)
                connection.connect(place)
            except OSError as problem:
                reasons.append(f"{address}: {_reason(problem)}")
            else:
                return connection
        raise _not_sent(f"{host} takes no connection on port {port} ({'; '.join(reasons)})")

    def _tunnel(
        self, proxy: str, address: str, port: int, watch: Watch, stack: contextlib.ExitStack
    ) -> "Connection":
        """A connection through the plane's proxy, which is asked for the address that was checked."""
        place = urlsplit(proxy)
        if place.scheme != "http" or place.hostname is None:
            raise _not_sent("an http task can use an HttpsProxy only by http://")
        found = self._resolve(place.hostname, place.port or 80, watch)
        connection = self._open(place.hostname, found, place.port or 80, watch, stack)
        wanted = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        lines = [f"CONNECT {wanted} HTTP/1.1", f"Host: {wanted}"]
        if place.username:
            login = f"{unquote(place.username)}:{unquote(place.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {b64encode(login.encode()).decode()}")
        try:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            response = HTTPResponse(connection, method="CONNECT")  # type: ignore[arg-type]
            response.begin()
        except (OSError, HTTPException) as problem:
            raise _not_sent(f"HttpsProxy lets nothing through ({_reason(problem)})") from None
        if not 200 <= response.status < 300:
            raise _not_sent(f"HttpsProxy answered {response.status} {response.reason} for {wanted}")
        return connection


class Connection:
    """A socket that waits by a task's watch; as much of one as HTTPResponse needs."""

    def __init__(self, opened: socket.socket, watch: Watch) -> None:
        opened.setblocking(False)
        self._socket = opened
        self._watch = watch

    def close(self) -> None:
        """Leave nothing of it open."""
        self._socket.close()

    def connect(self, place: Any) -> None:
        """Connect. Raises OSError, TimeoutError after CONNECT_SECONDS, and what the watch raises."""
        self._watch.seconds()
        try:
            self._socket.connect(place)
        except BlockingIOError:
            self._wait(selectors.EVENT_WRITE, self._watch.deadline.no_later_than(CONNECT_SECONDS))
            if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, os.strerror(error)) from None

    def secure(self, trust: ssl.SSLContext, host: str) -> None:
        """Agree on TLS with the holder of a certificate for `host`. Raises OSError."""
        secured = trust.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured
        self._retry(secured.do_handshake, selectors.EVENT_READ)

    def sendall(self, content: bytes) -> None:
        """Send all of it. Raises OSError."""
        left = memoryview(content)
        while left:
            left = left[self._retry(partial(self._socket.send, left), selectors.EVENT_WRITE) :]

    def receive_into(self, buffer: Any) -> int:
        """Receive what there is; 0 at the end. Raises OSError."""
        return self._retry(partial(self._socket.recv_into, buffer), selectors.EVENT_READ)

    def makefile(self, _: str) -> io.BufferedReader:
        """What comes, as a file."""
        return io.BufferedReader(_Incoming(self))

    def _retry(self, act: Callable[[], T], event: int) -> T:
        while True:
            self._watch.seconds()  # also where there is always something to receive
            try:
                return act()
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            except BlockingIOError:
                self._wait(event)

    def _wait(self, event: int, until: Deadline | None = None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, event)
            while not selector.select(self._watch.seconds()):
                if until and until.is_over():
                    raise TimeoutError("no answer")


class _Incoming(io.RawIOBase):
    """What comes through a connection, whose end is not waited for if there is too much of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._room = LARGEST_ANSWER + LARGEST_FRAME

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what there is. Raises OSError, and ExchangeFailed for too much."""
        size = self._connection.receive_into(buffer)
        self._room -= size
        if self._room < 0:
            raise ExchangeFailed(f"the answer is over {LARGEST_ANSWER} bytes", was_sent=True)
        return size


def _read_answer(method: str, connection: Connection) -> Answer:
    response = HTTPResponse(connection, method=method)  # type: ignore[arg-type]
    response.begin()
    what = f"{response.status} {response.reason}".rstrip()
    try:
        body = response.read(LARGEST_ANSWER + 1)
    except (OSError, HTTPException) as problem:
        raise ExchangeFailed(f"the answer {what} broke off ({_reason(problem)})", was_sent=True) from None
    if len(body) > LARGEST_ANSWER:
        raise ExchangeFailed(f"the answer {what} is over {LARGEST_ANSWER} bytes", was_sent=True)
    if response.length:
        raise ExchangeFailed(
            f"the answer {what} broke off ({response.length} bytes are missing)", was_sent=True
        )
    return Answer(response.status, response.reason, body, response.headers.get("Location", ""))


def _not_sent(reason: str) -> ExchangeFailed:
    return ExchangeFailed(reason, was_sent=False)


def _proxy_of(request: Request) -> str | None:
    """The plane's proxy, which is for https alone, unless the host goes without it."""
    if request.scheme != "https":
        return None
    return get_environ_proxies(f"https://{request.host}:{request.port}/").get("https")


def _reason(problem: Exception) -> str:
    text = getattr(problem, "verify_message", "") or getattr(problem, "strerror", "") or str(problem)
    return text or type(problem).__name__
