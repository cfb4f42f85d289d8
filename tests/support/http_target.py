"""What a task's HTTP call meets: answers, and the way to a listener that gives them."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

from runners.http.exchange import Network
from tests.support.listener import Conversation, Listener, read_request

PUBLIC = "198.51.100.7"
"""An address that any task may call; the listener is found there."""


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


class LedNetwork(Network):
    """A network where every address is the listener; `addresses` are the hosts'."""

    def __init__(self, port: int, **addresses: Sequence[str]) -> None:
        self.addresses: dict[str, Sequence[str]] = {}
        self.opened: list[tuple[str, int]] = []
        self.resolved: list[str] = []
        self._port = port

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.resolved.append(host)
        return self.addresses.get(host, [PUBLIC])

    def connect(self, address: str, port: int) -> socket.socket:
        self.opened.append((address, port))
        return socket.create_connection(("127.0.0.1", self._port))


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
