"""Open tasks of paused sequences: however many there are, Keptn is asked after them once a cycle."""

from collections.abc import Callable, Collection, Mapping

from control.looks import Looks
from execution_plane.keptn.control_plane import ControlPlane, LookUnsupported
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.transport import KeptnError
from execution_plane.telemetry import logger


class PausedTasks:
    """The tasks that were found to be paused, by this poller; another one finds out by itself.

    Keptn lists what is paused by project: where there are several, they take turns, one a cycle.
    """

    def __init__(self, control_plane: ControlPlane, looks: Looks) -> None:
        self._control_plane = control_plane
        self._looks = looks
        self._by_project: dict[str, dict[str, EventRef]] = {}

    def add(self, ref: EventRef) -> None:
        """A task turned out to be paused. Safe for threads."""
        self._by_project.setdefault(ref.project, {})[ref.id] = ref

    def observe(self, listed: Mapping[str, EventRef], *, is_all: bool) -> Collection[str]:
        """Which of the listed events are still to be left alone, by their ids.

        `is_all` says that what is not listed is not open, so that it can be forgotten. Where Keptn does not
        answer, everything stays as it was.
        """
        if is_all:
            self._forget(lambda ref: ref.id not in listed)
        if self._by_project:
            project = next(iter(self._by_project))
            self._by_project[project] = self._by_project.pop(project)  # the others are first next time
            self._ask(project)
        return {event_id for tasks in self._by_project.values() for event_id in tasks}

    def _ask(self, project: str) -> None:
        try:
            if self._looks.are_supported:
                tasks = self._control_plane.paused_tasks(project)
                self._forget(lambda ref: ref.project == project and ref.id not in tasks)
            else:
                contexts = self._control_plane.paused_contexts(project)
                self._forget(lambda ref: ref.project == project and ref.context not in contexts)
        except LookUnsupported:
            self._forget(lambda ref: ref.project == project)  # a look at each will say the same
        except KeptnError as problem:
            logger.warning("Keptn does not say what is paused", project=project, reason=str(problem))

    def _forget(self, is_over: Callable[[EventRef], bool]) -> None:
        kept = {
            project: {event_id: ref for event_id, ref in tasks.items() if not is_over(ref)}
            for project, tasks in self._by_project.items()
        }
        self._by_project = {project: tasks for project, tasks in kept.items() if tasks}
