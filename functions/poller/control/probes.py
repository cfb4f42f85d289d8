"""Which of the open tasks that have no run Keptn is asked about in a cycle, and what it says of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf

from control.ports import Ports
from execution_plane.keptn.control_plane import LookUnsupported
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.look import Look, Standing
from execution_plane.keptn.transport import KeptnError
from execution_plane.telemetry import logger

FEW = 2  # tasks of a project up to which each is asked about by itself
SHARE = 0.1  # of a task's age, for which it is left alone once it was asked about
# Seconds that a task is left alone, or one for each project if that is more. Keptn's own dispatcher takes as
# long to go on with what was resumed (EVENT_DISPATCH_INTERVAL_SEC of its shipyard controller, 10 by default).
LONGEST = 10.0


class TaskProbes:
    """Asks about new tasks at once, and about those that were left again and again, ever less often.

    A task is left that is paused, whose sequence is over, that Keptn has listed and not yet noted, or that a
    draining plane does not take. All that is remembered of it is when it was asked about, so that a poller
    that remembers nothing asks a question more for each project. One question answers for more than a few
    tasks of a project, and old ones are left for at least as many seconds as there are projects: so however
    many there are, Keptn is asked about them `FEW` times a second at most.
    """

    def __init__(self, ports: Ports, source: str) -> None:
        """`source`: whose replies are counted."""
        self._ports = ports
        self._source = source
        self._asked: dict[str, float] = {}

    def observe(
        self, listed: Mapping[str, EventRef], keptn_time: float, *, is_all: bool
    ) -> Mapping[str, Look | None]:
        """What Keptn says of those of the listed tasks that are to be asked about now, by their ids.

        To be called with what was listed just now, and the time by Keptn's clock, in seconds since the epoch:
        what Keptn says must be newer than the list. `is_all` says that what is not listed is not open, so
        that it can be forgotten.
        """
        if is_all:
            self._asked = {event_id: at for event_id, at in self._asked.items() if event_id in listed}
        by_project: dict[str, list[EventRef]] = defaultdict(list)
        for ref in listed.values():
            by_project[ref.project].append(ref)
        questions: list[Sequence[EventRef]] = []
        for refs in by_project.values():
            due = [ref for ref in refs if self._is_due(ref, keptn_time, len(by_project))]
            questions += [refs] if len(due) > FEW else [[ref] for ref in due]
        looks: dict[str, Look | None] = {}
        for answer in self._ports.pool.map(self._ask, questions):
            looks.update(answer)
        return looks

    def _is_due(self, ref: EventRef, keptn_time: float, projects: int) -> bool:
        asked = self._asked.get(ref.id)
        if asked is None:
            return True
        age = inf if ref.triggered_at is None else keptn_time - ref.triggered_at
        pause = min(SHARE * age, LONGEST) * max(1.0, projects / LONGEST)
        return self._ports.clock.now() >= asked + pause

    def _ask(self, refs: Sequence[EventRef]) -> Mapping[str, Look | None]:
        """Ask about tasks of one project; nothing is learned where Keptn does not answer."""
        now, project = self._ports.clock.now(), refs[0].project
        try:
            looks = self._looks_at(project, refs)
        except LookUnsupported:
            return {}  # the tasks are taken in a later cycle, once they have settled
        except KeptnError as problem:
            logger.warning("Keptn does not say where tasks stand", project=project, reason=str(problem))
            return {}
        self._asked.update((ref.id, now) for ref in refs)
        return looks

    def _looks_at(self, project: str, refs: Sequence[EventRef]) -> Mapping[str, Look | None]:
        """Raises LookUnsupported and KeptnError."""
        if not self._ports.looks.are_supported:
            paused = self._ports.control_plane.paused_contexts(project)
            return {ref.id: Look(Standing.OPEN, paused=ref.context in paused) for ref in refs}
        if len(refs) == 1:
            return {refs[0].id: self._ports.looks.look(refs[0], self._source)}
        return self._ports.looks.current_tasks(project, refs, self._source)
