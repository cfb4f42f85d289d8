"""A run as the worker that has it writes it: whatever it is doing, only while the run is still its own."""

from collections.abc import Callable
from dataclasses import replace

from execution_plane.clock import Clock, Deadline
from execution_plane.ledger.runs import PREPARE_LEASE, Origin, RemoteStep, Run, State, TaskDone
from execution_plane.ledger.table import Ledger, LedgerUnavailable, LostRace

LEASE_BEYOND = 30.0  # seconds beyond the function's deadline for which the run is still the worker's
PREPARE_MARGIN = 60.0  # seconds of the lease for a step's preparation that are kept to submit it


class RunLease:
    """The run of one invocation. Every write raises LostRace, and LedgerUnavailable."""

    def __init__(
        self, ledger: Ledger, clock: Clock, run: Run, deadline: Deadline, origin: Origin, *, silent: bool
    ) -> None:
        """`deadline` is the function's own."""
        self._ledger = ledger
        self._clock = clock
        self._deadline = deadline
        self._origin = origin
        self.silent = silent
        self.run = run

    def move(self, change: Callable[[Run], Run]) -> Run:
        """Write a change of the run, also where the poller has noted something in it meanwhile."""
        try:
            self.run = self._ledger.move(self.run, change(self.run))
        except LostRace as lost:
            current = lost.current or self._ledger.get(self.run.event.id)
            if current is None or not self._is_same(current):
                raise
            self.run = self._ledger.move(current, change(current))
        return self.run

    def is_ours(self) -> bool:
        """Whether the run is still this worker's; a ledger that can't be read changes nothing."""
        try:
            current = self._ledger.get(self.run.event.id)
        except LedgerUnavailable:
            return True
        return current is not None and self._is_same(current)

    def prepare(self) -> Deadline:
        """Keep the run for as long as a step takes to be made ready; gives the time for that."""
        if not self.run.begun and self.run.step is None:
            self.move(lambda run: run.preparing(self._clock.now(), silent=self.silent))
        return self._deadline.no_later_than(PREPARE_LEASE - PREPARE_MARGIN)

    def begin(self, earlier: tuple[TaskDone, ...]) -> float:
        """Keep the run until the function's deadline, for a task that must not begin a second time.

        Gives the seconds until the run's own deadline.
        """
        now = self._clock.now()
        lease_until = now + self._deadline.remaining() + LEASE_BEYOND
        if self.run.step is not None:
            self.move(lambda run: run.going_on(earlier, lease_until, now))
        elif not self.run.begun:
            self.move(lambda run: run.beginning(lease_until, silent=self.silent))
        return self.run.deadline - now

    def wait(self, step: RemoteStep, earlier: tuple[TaskDone, ...]) -> None:
        """Let the run wait for a step that is submitted next."""
        step = replace(step, **vars(self._origin))
        self.move(lambda run: run.waiting(step, earlier, self._clock.now(), silent=self.silent))

    def _is_same(self, current: Run) -> bool:
        """Whether the run still stands where this worker brought it."""
        mine = self.run
        if current.state is not mine.state or current.attempt != mine.attempt:
            return False
        return current.state is State.RUNNING or (current.step and current.step.token) == (
            mine.step and mine.step.token
        )
