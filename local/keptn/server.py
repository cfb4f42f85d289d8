"""The control plane over real HTTP, for the demo and for tests: one process, two threads and a pool."""

import contextlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from waitress import create_server, wasyncore  # type: ignore[import-untyped]
from waitress.channel import ClientDisconnected  # type: ignore[import-untyped]

from execution_plane.clock import Clock, SystemClock
from local.keptn.control_plane import Keptn
from local.keptn.faults import ConnectionDropped, Faults
from local.keptn.gateway import create_app
from local.keptn.release import RELEASE_1_4, Release
from local.keptn.timing import PROMPT, Timing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_THREADS = 32
_PATIENT_THREADS = 500
"""Where requests wait in line, each with a thread of its own: nobody else is to wait for them."""
_CONNECTIONS = 1000
"""Idle ones included: every execution environment keeps some."""
_IN_MEMORY = 32 * 1024 * 1024
"""Bytes of a body that waitress keeps off the disk: more than it ever holds back for a slow reader."""


class KeptnServer:
    """A context manager: the gateway listens while inside, and what is due is settled as time goes by.

    With a clock that does not run by itself, call `keptn.settle()` after moving it.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        release: Release = RELEASE_1_4,
        token: str = "keptn-token",
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        prefix: str = "/api",
        timing: Timing = PROMPT,
        validate_events: bool = False,
    ) -> None:
        """Port 0 takes a free one."""
        self.keptn = Keptn(
            clock or SystemClock(),
            release,
            token,
            timing=timing,
            validate_events=validate_events,
        )
        self._closing = threading.Event()
        self._app = create_app(self.keptn, prefix, self._closing.wait)
        self._prefix = prefix
        self._server = create_server(
            self._serve,
            host=host,
            port=port,
            threads=_PATIENT_THREADS if timing.resource_read or timing.resource_rate else _THREADS,
            backlog=512,
            connection_limit=_CONNECTIONS,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,
            inbuf_overflow=_IN_MEMORY,
            outbuf_overflow=_IN_MEMORY,
        )
        self._threads = [
            threading.Thread(target=self._server.run, name="keptn-gateway", daemon=True),
            threading.Thread(target=self._settle, name="keptn-controller", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with self.keptn.changed:
            self.keptn.changed.notify_all()
        # The loop ends once it has no sockets left; it must close them itself.
        with contextlib.suppress(OSError):  # it may have ended by itself
            self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._server._map, ignore_all=True))
        for thread in self._threads:
            thread.join(timeout=5)
        self._server.task_dispatcher.shutdown(timeout=1)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.effective_port)

    @property
    def url(self) -> str:
        """What an execution plane takes for Keptn's endpoint: `http://127.0.0.1:PORT/api`."""
        return f"{self.origin}{self._prefix}"

    @property
    def origin(self) -> str:
        """The same without the path; the bridge is at `/bridge` below it."""
        return f"http://{self._server.effective_host}:{self.port}"

    @property
    def token(self) -> str:
        """The API token."""
        return self.keptn.token

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.keptn.faults

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        except ConnectionDropped as dropped:
            # This is how waitress learns that there is nobody to answer: it closes the connection.
            raise ClientDisconnected from dropped

    def _settle(self) -> None:
        keptn = self.keptn
        with keptn.changed:
            while not self._closing.is_set():
                keptn.settle()
                due = keptn.next_due()
                keptn.changed.wait(None if due is None else max(0.001, due - keptn.clock.now()))
