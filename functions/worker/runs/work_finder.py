"""From an event to its work: the job config that applies, and the actions in it that match."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from execution_plane.clock import Deadline
from execution_plane.keptn.events import EventRef, Outcome, TriggeredEvent
from execution_plane.ledger.runs import Run
from execution_plane.telemetry import logger
from jobs.config import InvalidJobConfig, read_for_matching
from jobs.matching import matching_actions
from jobs.model import Action, Rules
from runs.actions import ActionPerformer, broken_off
from runs.job_config_lookup import BundledLookup, Found, KeptnLookup
from runs.unhandled import UnhandledEvents
from runs.work import Find, Inapplicable, Unreadable, Work


@dataclass(frozen=True)
class JobConfigWorkFinder:
    """Finds the actions for an event in the job config that a look-up gives."""

    lookup: BundledLookup | KeptnLookup
    performer: ActionPerformer
    rules: Rules
    answer_unhandled_events: bool = False
    """Whether an event that no action matches is answered as errored; else `unhandled` is told of it."""
    unhandled: UnhandledEvents | None = None

    def search(self, run: Run, until: Deadline) -> Find:
        """Look up the job config of a run's event. Raises Unreachable."""
        return partial(self._find, self.lookup.find(run, until))

    def _find(self, found: Found, event: TriggeredEvent) -> Work | None:
        """The actions that match the event, None if there are none.

        If one of them can't be run, none is. Raises Unreadable if the job config is invalid; Inapplicable if
        it is, and none of its actions is for the event.
        """
        actions = self._matching(found, event)
        if not actions and self.answer_unhandled_events:
            return _unhandled(event.ref, found.origin)
        if not actions:
            if self.unhandled:
                self.unhandled.note(event.ref, found.origin)
            return None
        is_silent = all(action.silent for action in actions)
        if objections := [each for action in actions for each in action.objections]:
            reason = str(InvalidJobConfig(objections))
            logger.warning("the event's actions can't be run", event_id=event.ref.id, reason=reason)
            return Work(is_silent, perform=lambda _, resumption: broken_off(reason, resumption))
        perform = partial(self.performer.perform, actions)
        return Work(is_silent, perform, keep=partial(self.lookup.keep, found))

    def _matching(self, found: Found, event: TriggeredEvent) -> Sequence[Action]:
        try:
            config = read_for_matching(found.raw, origin=found.origin, rules=self.rules)
        except InvalidJobConfig as problem:
            if problem.may_concern(event.ref.type) or self.answer_unhandled_events:
                raise Unreadable(str(problem)) from None
            raise Inapplicable(str(problem)) from None
        return matching_actions(config, event.attributes)


def _unhandled(ref: EventRef, origin: str) -> Work:
    message = f"No action of {origin} handles this {ref.type}."
    return Work(is_silent=False, perform=lambda *_: Outcome.errored(message))
