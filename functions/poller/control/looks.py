"""Asking Keptn about tasks, as far as it answers such questions."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from execution_plane.keptn.control_plane import ControlPlane, LookUnsupported
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.look import Look
from execution_plane.telemetry import logger

T = TypeVar("T")


class Looks:
    """Looks of one control plane; remembers whether it supports them."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self.are_supported = True
        """By the last look's answer: Keptn may be upgraded meanwhile."""

    def look(self, ref: EventRef, source: str) -> Look | None:
        """Ask Keptn about a task. Raises LookUnsupported, once with a line in the log, and KeptnError."""
        return self._noting(lambda: self._control_plane.look(ref, source))

    def current_tasks(self, project: str, refs: Sequence[EventRef], source: str) -> Mapping[str, Look]:
        """Ask Keptn about tasks of one project, all at once; of what is not under way it says nothing.

        Raises as `look`.
        """
        return self._noting(lambda: self._control_plane.current_tasks(project, refs, source))

    def _noting(self, ask: Callable[[], T]) -> T:
        """Ask, and remember whether there was an answer."""
        try:
            answer = ask()
        except LookUnsupported:
            if self.are_supported:
                logger.warning(
                    "this control plane can't be asked about a task: no repair, no adoption",
                    keptn=self._control_plane.version(),
                )
            self.are_supported = False
            raise
        self.are_supported = True
        return answer
