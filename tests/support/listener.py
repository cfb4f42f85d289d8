"""A server that does as a test says, byte by byte."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

Conversation = Callable[[socket.socket], object]
"""What is done with a connection."""


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
        # Before the socket is closed, whose number another listener gets: the thread would accept for that.
        self._threads[0].join()
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
