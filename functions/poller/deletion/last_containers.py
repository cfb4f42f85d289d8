"""The containers of a plane that is being deleted: their cluster can't be, before all of them have stopped.

Source: ECS's DeleteCluster answers with ClusterContainsTasksException, which fails the stack's deletion.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from execution_plane.clock import Clock
from execution_plane.containers import Containers, ContainersUnavailable
from execution_plane.ledger.runs import Run, State
from execution_plane.telemetry import logger


class LastContainers:
    """Stops containers until none is left."""

    def __init__(self, containers: Containers, reason: str, clock: Clock, pool: Executor) -> None:
        """`reason` is what ECS shows of why they were stopped."""
        self._containers = containers
        self._reason = reason
        self._clock = clock
        self._pool = pool
        self._told: set[str] = set()

    def stop(self, runs: Sequence[Run]) -> list[Run]:
        """Tell the runs' containers to stop, once each; gives the runs whose container may still run.

        They are to be given again, until there are none. Never raises.
        """
        left = [run for run in self._pool.map(self._tell, runs) if run]
        try:
            running = self._containers.not_stopped(
                [run.step for run in left if run.step and run.step.arn], self._clock.now()
            )
        except ContainersUnavailable as problem:
            logger.warning("containers can't be observed", reason=str(problem))
            return left
        return [run for run in left if run.step and (not run.step.arn or run.step.arn in running)]

    def _tell(self, run: Run) -> Run | None:
        """The run, with its container if there is one; None if there certainly is none."""
        step = run.step
        if step is None:
            return None
        try:
            if not step.arn:
                arn = self._containers.find(step)
                if arn is None:
                    return run if self._is_being_submitted(run) else None
                step = replace(step, arn=arn)
            if step.arn not in self._told:
                self._containers.stop(step, self._reason)
                self._told.add(step.arn)
        except ContainersUnavailable as problem:
            logger.warning("a container could not be stopped", event_id=run.event.id, reason=str(problem))
        except Exception:
            logger.exception("a container could not be stopped", event_id=run.event.id)
        return replace(run, step=step)

    def _is_being_submitted(self, run: Run) -> bool:
        """Whether ECS may have a container of which it does not tell yet."""
        return run.state is State.WAITING and self._clock.now() < run.lease_until
