"""What a slot tells of itself in metrics: how much there is to do, and what does not go as it should.

What is 0 is not told, so that an idle plane has no metrics of its own to pay for.
"""

from collections.abc import Sequence

from control.observing import Observation
from control.plan import OVERDUE
from execution_plane.ledger.runs import Run, State
from execution_plane.telemetry import Count, Measure, count, logger, measure

# Seconds beyond a run's deadline by which the plan has long ended it, if it can.
LONG_OVERDUE = 2 * OVERDUE


class TickHealth:
    """Notes a slot's cycles, and tells of them at its end."""

    def __init__(self, *, had_failing_lists: bool = False) -> None:
        """`had_failing_lists` is what the slot before told of: that it is over is told once."""
        self.had_failing_lists = had_failing_lists
        self._failed: dict[str, str] = {}
        self._answered: set[str] = set()
        self._listed = 0
        self._active: Sequence[Run] = ()
        self._at = 0.0

    def note(self, seen: Observation, active: Sequence[Run]) -> None:
        """Note one cycle."""
        self._at, self._listed, self._active = seen.at, seen.listed, active
        for name, failure in seen.lists.items():
            if failure:
                self._failed[name] = failure
            else:
                self._answered.add(name)

    def tell(self) -> None:
        """Tell how much there is to do, and which lists never came while others did.

        Where none came, the slot fails and says so itself.
        """
        if self._listed:
            measure(Measure.EVENTS_OPEN, self._listed)
        if self._active:
            measure(Measure.RUNS_ACTIVE, len(self._active))
            measure(Measure.OLDEST_RUN, self._at - min(run.claimed_at for run in self._active))
        if overdue := sum(is_overdue(run, self._at) for run in self._active):
            measure(Measure.RUNS_OVERDUE, overdue)
        if not self._answered:
            return
        failing = {name: why for name, why in self._failed.items() if name not in self._answered}
        if failing or self.had_failing_lists:
            measure(Measure.LISTS_FAILING, len(failing))
        self.had_failing_lists = bool(failing)
        for name, reason in failing.items():
            logger.error("the open events of one list never came", list=name, reason=reason)


def is_overdue(run: Run, now: float) -> bool:
    """Whether a run still works long after its deadline, or its container's, as no run should."""
    deadline = run.step.deadline if run.state is State.WAITING and run.step else run.deadline
    return run.state is not State.DONE and now >= deadline + LONG_OVERDUE


def count_closed(run: Run) -> None:
    """Count a run that has just been closed, by what became of it, and say how long it took.

    A task's time begins by Keptn's clock and ends by ours.
    """
    took = run.reported_at - run.claimed_at if run.reported_at else None
    if run.was in {State.RUNNING, State.WAITING}:
        count(Count.RUNS_CANCELLED)
    elif run.was is State.DONE:
        count(Count.RUNS_FINISHED)
        if run.outcome and run.outcome.status == "errored":
            count(Count.RUNS_ERRORED)
        if took is not None:
            measure(Measure.RUN_DURATION, took)
        if run.started_at and run.event.triggered_at and not run.repairs:
            measure(Measure.START_DELAY, max(0.0, run.started_at - run.event.triggered_at))
    logger.info(
        "run closed",
        event_id=run.event.id,
        project=run.event.project,
        stage=run.event.stage,
        task=run.event.task,
        status=run.outcome and run.outcome.status,
        result=run.outcome and run.outcome.result,
        closed_as=run.closed_as,
        seconds=took and round(took, 3),
    )
