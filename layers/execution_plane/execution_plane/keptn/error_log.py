"""The integration's error log in the Bridge: what a user should see there, in batches, after all replies."""

import os
import threading
from dataclasses import replace

from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.transport import KeptnError
from execution_plane.keptn.uniform import LogEntry
from execution_plane.telemetry import logger

LONGEST_MESSAGE = 2048  # characters; the finished event has the rest
MOST_WAITING = 100  # entries kept while Keptn takes none
LEAST_SECONDS = 3.0  # before the deadline, below which nothing is sent
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class ErrorLog:
    """Collects entries and sends each once. Safe for threads; never raises."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._waiting: list[LogEntry] = []
        self._sent: set[LogEntry] | None = None
        self._lock = threading.Lock()

    def note(self, entry: LogEntry) -> None:
        """Keep an entry for the next `send`."""
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(entry)

    def send(self, integration_id: str, deadline: Deadline) -> None:
        """Send what was noted; what Keptn does not take waits for the next time.

        Without an integration there is no log, and what was noted is dropped. What other execution
        environments have sent is read back before the first entry, and after a failure what this one has.
        """
        with self._lock:
            if not self._waiting or deadline.remaining() < LEAST_SECONDS:
                return
            waiting, self._waiting = self._waiting, []
            if not integration_id:
                return
            try:
                self._send(integration_id, waiting)
            except (KeptnError, SecretUnreadable) as problem:
                self._waiting, self._sent = waiting, None
                logger.warning("the error log can't be sent", reason=str(problem), entries=len(waiting))

    def _send(self, integration_id: str, waiting: list[LogEntry]) -> None:
        if self._sent is None:
            self._sent = set(self._control_plane.logged(integration_id))
        entries = dict.fromkeys(replace(entry, message=self._fit_to_be_seen(entry)) for entry in waiting)
        fresh = [entry for entry in entries if entry not in self._sent]
        if fresh:
            self._control_plane.log(integration_id, fresh)
            self._sent.update(fresh)

    def _fit_to_be_seen(self, entry: LogEntry) -> str:
        message = self._control_plane.redacted(entry.message)
        for variable in SECRET_VARIABLES:
            if secret := os.environ.get(variable):
                message = message.replace(secret, "***")
        return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
