"""What the controller does about runs that wait for a step, which another service does."""

from collections.abc import Callable
from dataclasses import replace

from control.plan import OVERDUE, Found, decide_found
from control.ports import Ports
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import RemoteStep, Run, State
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

    def wait_again(self, run: Run) -> None:
        """Let another worker handle a step's end."""
        self._ledger.move(run, run.waiting_again(self._clock.now()))
        logger.warning("the worker was lost at a step's end", event_id=run.event.id)

    def wake(self, run: Run) -> None:
        """Invoke a worker to take up the step. Raises DispatchFailed."""
        self._dispatch(self._ledger.move(run, run.woken(self._clock.now())))

    def find(self, run: Run) -> Outcome | None:
        """Learn what became of a step whose submission was never answered, or that there was no place for.

        Gives the run's outcome where it is to end. Raises StepsUnavailable, DispatchFailed.
        """
        step, now = _step_of(run), self._clock.now()
        try:
            handle = self._steps.find(step)
        except StepsUnavailable as problem:
            if now < step.deadline + OVERDUE:
                raise
            _log_left(run, problem)
            return Outcome.errored(f"AWS does not say whether the task's {step.kind} was started: {problem}")
        match decide_found(step, handle, now):
            case Found.NOTE:
                self._ledger.move(run, run.submitted(handle or "", now))
            case Found.SUBMIT:
                self.wake(run)
            case Found.GIVE_UP:
                why = step.trouble or "AWS did not say whether it did"
                return Outcome.errored(f"The task's {step.kind} did not start in time: {why}")
        return None

    def stop(self, run: Run) -> None:
        """Stop a step at its deadline; its end then wakes the worker. Raises StepsUnavailable."""
        step = _step_of(run)
        self._ledger.move(run, run.stopping(self._clock.now()))
        self._steps.stop(step, "It was still running at its deadline (maxPollDuration).")
        logger.warning("step stopped at its deadline", event_id=run.event.id, **step.logged)

    def cancel(self, run: Run) -> Run | None:
        """Stop the step of a run that is no longer wanted; None as long as there may yet come one.

        Raises StepsUnavailable, for as long as it may still run.
        """
        step, now = _step_of(run), self._clock.now()
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
        "a step may be left running", event_id=run.event.id, **_step_of(run).logged, reason=str(problem)
    )


def _step_of(run: Run) -> RemoteStep:
    assert run.step is not None
    return run.step
