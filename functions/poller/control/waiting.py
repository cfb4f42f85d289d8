"""What the controller does about runs that wait for a container."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from control.plan import OVERDUE, Found, decide_found
from execution_plane.clock import Clock
from execution_plane.containers import Container, Containers, ContainersUnavailable
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import ContainerStep, Run, State
from execution_plane.ledger.table import Ledger
from execution_plane.telemetry import logger


class WaitingRuns:
    """Carries out the plan's rows for waiting runs.

    Every method raises LostRace and LedgerUnavailable, and what else it says.
    """

    def __init__(
        self, *, ledger: Ledger, containers: Containers, dispatch: Callable[[Run], None], clock: Clock
    ) -> None:
        """`dispatch` invokes a worker for a run; raises DispatchFailed."""
        self._ledger = ledger
        self._containers = containers
        self._dispatch = dispatch
        self._clock = clock

    def observe(self, active: Sequence[Run]) -> Mapping[str, Container]:
        """What is known of their containers, by event id; asks nothing if no run waits."""
        return self._containers.observe(active, self._clock.now())

    def wait_again(self, run: Run) -> None:
        """Let another worker handle a container's end."""
        self._ledger.move(run, run.waiting_again(self._clock.now()))
        logger.warning("the worker was lost at a container's end", event_id=run.event.id)

    def wake(self, run: Run) -> None:
        """Invoke a worker to take up the step. Raises DispatchFailed."""
        self._dispatch(self._ledger.move(run, run.woken(self._clock.now())))

    def find(self, run: Run) -> Outcome | None:
        """Learn what became of a container whose submission ECS never answered, or had no place for.

        Gives the run's outcome where it is to end. Raises ContainersUnavailable, DispatchFailed.
        """
        step, now = _step_of(run), self._clock.now()
        try:
            arn = self._containers.find(step)
        except ContainersUnavailable as problem:
            if now < step.deadline + OVERDUE:
                raise
            _log_left(run, problem)
            return Outcome.errored(f"ECS does not say whether the task's container was started: {problem}")
        match decide_found(step, arn, now):
            case Found.NOTE:
                self._ledger.move(run, run.submitted(arn or "", now))
            case Found.SUBMIT:
                self.wake(run)
            case Found.GIVE_UP:
                why = step.trouble or "ECS did not say whether it did"
                return Outcome.errored(f"The task's container did not start in time: {why}")
        return None

    def stop(self, run: Run) -> None:
        """Stop a container at its deadline; its end then wakes the worker. Raises ContainersUnavailable."""
        step = _step_of(run)
        self._ledger.move(run, run.stopping(self._clock.now()))
        self._containers.stop(step, "It was still running at its deadline (maxPollDuration).")
        logger.warning("container stopped at its deadline", event_id=run.event.id, container=step.arn)

    def cancel(self, run: Run) -> Run | None:
        """Stop the container of a run that is no longer wanted; None as long as there may yet come one.

        Raises ContainersUnavailable, for as long as the container may still run.
        """
        step, now = _step_of(run), self._clock.now()
        if not step.arn and now < run.lease_until:
            return None  # its submission is under way
        try:
            if not step.arn:
                step = replace(step, arn=self._containers.find(step) or "")
            if step.arn:
                run = self._ledger.move(run, run.stopping(now))
                self._containers.stop(step, "Its Keptn sequence was aborted or timed out.")
        except ContainersUnavailable as problem:
            if now < step.deadline + OVERDUE:
                raise
            _log_left(run, problem)
        return run

    def leave(self, run: Run) -> None:
        """Stop the container of a run that ends without it, if it has one and ECS will."""
        if run.state is not State.WAITING or run.step is None or not run.step.arn:
            return
        try:
            self._containers.stop(run.step, "Its run was given up.")
        except ContainersUnavailable as problem:
            _log_left(run, problem)


def _log_left(run: Run, problem: ContainersUnavailable) -> None:
    logger.error("a container may be left running", event_id=run.event.id, reason=str(problem))


def _step_of(run: Run) -> ContainerStep:
    assert run.step is not None
    return run.step
