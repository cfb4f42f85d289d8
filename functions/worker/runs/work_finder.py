"""From an event to its work: the job config that applies, and the actions in it that match."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from execution_plane.clock import Clock
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import EventRef, Outcome, TriggeredEvent
from execution_plane.keptn.transport import KeptnError, KeptnNotFound
from execution_plane.telemetry import logger
from jobs.config import InvalidJobConfig, read_for_matching
from jobs.matching import matching_actions
from jobs.model import Action, Rules
from runs.actions import ActionPerformer, broken_off
from runs.retrying import RETRY_PAUSES, retry
from runs.unhandled import UnhandledEvents
from runs.work import Inapplicable, Unreachable, Unreadable, Work

JOB_CONFIG = "job/config.yaml"
BUNDLED = Path(__file__).parents[1] / JOB_CONFIG


class JobConfigWorkFinder:
    """Looks a job config up where Keptn's users keep them, else takes the one bundled with the worker."""

    def __init__(
        self,
        control_plane: ControlPlane,
        performer: ActionPerformer,
        rules: Rules,
        clock: Clock,
        *,
        answer_unhandled_events: bool = False,
        unhandled: UnhandledEvents | None = None,
    ) -> None:
        """With `answer_unhandled_events`, an event that no action matches is answered as errored.

        Without, `unhandled` is told of it.
        """
        self._unhandled = unhandled
        self._control_plane = control_plane
        self._performer = performer
        self._rules = rules
        self._clock = clock
        self._answer_unhandled_events = answer_unhandled_events

    def find(self, event: TriggeredEvent) -> Work | None:
        """The actions that match the event, None if there are none.

        If one of them can't be run, none is. Raises Unreadable if Keptn does not say what its job config is,
        or the job config is invalid; Inapplicable if it is, and none of its actions is for the event.
        """
        raw, origin = self._find(event.ref)
        actions = self._matching(raw, origin, event)
        if not actions and self._answer_unhandled_events:
            return _unhandled(event.ref, origin)
        if not actions:
            if self._unhandled:
                self._unhandled.note(event.ref, origin)
            return None
        is_silent = all(action.silent for action in actions)
        if objections := [each for action in actions for each in action.objections]:
            reason = str(InvalidJobConfig(objections))
            logger.warning("the event's actions can't be run", event_id=event.ref.id, reason=reason)
            return Work(is_silent, perform=lambda _, resumption: broken_off(reason, resumption))
        return Work(is_silent, perform=partial(self._performer.perform, actions))

    def _matching(self, raw: bytes, origin: str, event: TriggeredEvent) -> Sequence[Action]:
        try:
            config = read_for_matching(raw, origin=origin, rules=self._rules)
        except InvalidJobConfig as problem:
            if problem.may_concern(event.ref.type) or self._answer_unhandled_events:
                raise Unreadable(str(problem)) from None
            raise Inapplicable(str(problem)) from None
        return matching_actions(config, event.attributes)

    def _find(self, ref: EventRef) -> tuple[bytes, str]:
        """The first job config there is and where it was: service, stage, project, then the bundled one.

        Only "not found" leads to the next level; a Keptn that fails must not make another level's config run.
        """
        # A commit id belongs to the stage's branch; the project has another (reference: job-executor section
        # 2).
        levels = (
            ("service", (ref.project, ref.stage, ref.service), ref.commit),
            ("stage", (ref.project, ref.stage), ref.commit),
            ("project", (ref.project,), ""),
        )
        for level, scope, commit in levels:
            read_level = partial(self._fetch, scope, commit)
            try:
                raw = retry(read_level, KeptnError, RETRY_PAUSES, self._clock)
            except KeptnError as problem:
                raise Unreachable(f"The job config could not be read: {problem}") from None
            if raw is not None:
                return raw, f"{JOB_CONFIG} of {level} {'/'.join(scope)}"
        return BUNDLED.read_bytes(), f"{JOB_CONFIG} bundled with the worker"

    def _fetch(self, scope: Sequence[str], commit: str) -> bytes | None:
        """One level's file, None if it has none. Raises KeptnError."""
        try:
            return self._control_plane.resource(scope, JOB_CONFIG, commit)
        except KeptnNotFound:
            return None


def _unhandled(ref: EventRef, origin: str) -> Work:
    message = f"No action of {origin} handles this {ref.type}."
    return Work(is_silent=False, perform=lambda *_: Outcome.errored(message))
