"""What a task's HTTP call meets: a listener that does as a test says, and the way to it."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

PUBLIC = "198.51.100.7"
"""An address that any task may call; the listener is found there."""

Conversation = Callable[[socket.socket], object]


def answering(
    status: str = "200 OK", body: bytes = b"", headers: Sequence[str] = (), length: int | None = None
) -> Conversation:
    """Read a request, and answer it."""

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        size = len(body) if length is None else length
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""])
        connection.sendall(head.encode() + body)

    return converse


def read_request(connection: socket.socket) -> bytes:
    """A whole request, as it came."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or _over()
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65_536) or _over()
    return head + b"\r\n\r\n" + body


def _over() -> bytes:
    raise ConnectionError("the request broke off")


class Listener:
    """Listens on a port of this machine; `connections` counts who came."""

    def __init__(self, converse: Conversation) -> None:
        self.converse = converse
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._begin(lambda connection=connection: self._talk(connection))  # type: ignore[misc]

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.converse(connection)

    def _begin(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target)
        self._threads.append(thread)
        thread.start()


class LedNetwork:
    """A network where every address is the listener; `addresses` are the hosts'."""

    def __init__(self, port: int, **addresses: Sequence[str]) -> None:
        self.addresses: dict[str, Sequence[str]] = {}
        self.opened: list[tuple[str, int]] = []
        self.resolved: list[str] = []
        self._port = port

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.resolved.append(host)
        return self.addresses.get(host, [PUBLIC])

    def open(self, address: str, port: int) -> tuple[socket.socket, Any]:
        self.opened.append((address, port))
        return socket.socket(), ("127.0.0.1", self._port)


@contextlib.contextmanager
def listening(converse: Conversation) -> Iterator[tuple[Listener, LedNetwork]]:
    """A listener, and a network that leads to it."""
    with Listener(converse) as listener:
        yield listener, LedNetwork(listener.port)


class TickingClock:
    """A clock on which time passes by being asked for it: none has to be waited for."""

    def __init__(self, step: float) -> None:
        self._now = 0.0
        self._step = step

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        self._now += self._step
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
