"""The steps of a plane that is being deleted: nobody is left to stop them later, and what they run on may be
deleted only once they have stopped, as the cluster of containers.

Source: ECS's DeleteCluster answers with ClusterContainsTasksException, which fails the stack's deletion.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from execution_plane.clock import Clock
from execution_plane.ledger.runs import Run, State
from execution_plane.steps import Steps, StepsUnavailable
from execution_plane.telemetry import logger


class LastSteps:
    """Stops steps until none is left."""

    def __init__(self, steps: Steps, reason: str, clock: Clock, pool: Executor) -> None:
        """`reason` is what their service shows of why they were stopped."""
        self._steps = steps
        self._reason = reason
        self._clock = clock
        self._pool = pool
        self._told: set[str] = set()

    def stop(self, runs: Sequence[Run]) -> list[Run]:
        """Tell the runs' steps to stop, once each; gives the runs whose step may still run.

        They are to be given again, until there are none. Never raises.
        """
        left = [run for run in self._pool.map(self._tell, runs) if run]
        try:
            running = self._steps.not_stopped(
                [run.step for run in left if run.step and run.step.handle], self._clock.now()
            )
        except StepsUnavailable as problem:
            logger.warning("steps can't be observed", reason=str(problem))
            return left
        return [run for run in left if run.step and (not run.step.handle or run.step.handle in running)]

    def _tell(self, run: Run) -> Run | None:
        """The run, with its step if there is one; None if there certainly is none."""
        step = run.step
        if step is None:
            return None
        try:
            if not step.handle:
                handle = self._steps.find(step)
                if handle is None:
                    return run if self._is_being_submitted(run) else None
                step = replace(step, handle=handle)
            if step.handle not in self._told:
                self._steps.stop(step, self._reason)
                self._told.add(step.handle)
        except StepsUnavailable as problem:
            logger.warning("a step could not be stopped", event_id=run.event.id, reason=str(problem))
        except Exception:
            logger.exception("a step could not be stopped", event_id=run.event.id)
        return replace(run, step=step)

    def _is_being_submitted(self, run: Run) -> bool:
        """Whether the service may have a step of which it does not tell yet."""
        return run.state is State.WAITING and self._clock.now() < run.lease_until
