"""What the controller does about runs that wait for a step, which another service does."""

from collections.abc import Callable
from dataclasses import replace

from control.plan import OVERDUE, may_submit
from control.ports import Ports
from execution_plane.ledger.runs import Run, State
from execution_plane.steps import StepsUnavailable
from execution_plane.telemetry import logger


class WaitingRuns:
    """Carries out the plan's rows for waiting runs.

    Every method raises LostRace and LedgerUnavailable, and what else it says.
    """

    def __init__(self, ports: Ports, dispatch: Callable[[Run], None]) -> None:
        """`dispatch` invokes a worker for a run; raises DispatchFailed."""
        self._ledger = ports.ledger
        self._steps = ports.steps
        self._clock = ports.clock
        self._dispatch = dispatch

    def wake(self, run: Run) -> None:
        """Invoke a worker to take up the step. Raises DispatchFailed."""
        self._dispatch(self._ledger.move(run, run.woken(self._clock.now())))

    def find(self, run: Run) -> str | None:
        """Learn what became of a step whose submission was never answered, or that there was no place for.

        Says why, where the run is to end. Raises StepsUnavailable, DispatchFailed.
        """
        step, now = run.waits_for, self._clock.now()
        try:
            handle = self._steps.find(step)
        except StepsUnavailable as problem:
            if now < step.deadline + OVERDUE:
                raise
            _log_left(run, problem)
            return f"AWS does not say whether the task's {step.kind} was started: {problem}"
        if handle is not None:
            self._ledger.move(run, run.submitted(handle, now))
        elif may_submit(step, now):
            self.wake(run)
        else:
            why = step.trouble or "AWS did not say whether it did"
            return f"The task's {step.kind} did not start in time: {why}"
        return None

    def stop(self, run: Run) -> None:
        """Stop a step at its deadline; its end then wakes the worker. Raises StepsUnavailable."""
        step = run.waits_for
        self._ledger.move(run, run.stopping(self._clock.now()))
        self._steps.stop(step, "It was still running at its deadline (maxPollDuration).")

    def cancel(self, run: Run) -> Run | None:
        """Stop the step of a run that is no longer wanted; None as long as there may yet come one.

        Raises StepsUnavailable, for as long as it may still run.
        """
        step, now = run.waits_for, self._clock.now()
        if not step.handle and now < run.lease_until:
            return None  # its submission is under way
        try:
            if not step.handle:
                step = replace(step, handle=self._steps.find(step) or "")
            if step.handle:
                run = self._ledger.move(run, run.stopping(now))
                self._steps.stop(step, "Its Keptn sequence was aborted or timed out.")
        except StepsUnavailable as problem:
            if now < step.deadline + OVERDUE:
                raise
            _log_left(run, problem)
        return run

    def leave(self, run: Run) -> None:
        """Stop the step of a run that ends without it, if it has one and the service will."""
        if run.state is not State.WAITING or run.step is None or not run.step.handle:
            return
        try:
            self._steps.stop(run.step, "Its run was given up.")
        except StepsUnavailable as problem:
            _log_left(run, problem)


def _log_left(run: Run, problem: StepsUnavailable) -> None:
    logger.error(
        "a step may be left running", event_id=run.event.id, **run.waits_for.logged, reason=str(problem)
    )
