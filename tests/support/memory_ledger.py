"""A ledger in memory, with the real one's interface and rules, for tests that need thousands of them.

tests/integration/test_ledger.py holds it to what the real one does.
"""

from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import LostRace


class MemoryLedger:
    """Runs in a dict. `stale` is an old answer of the index, to be given instead of a true one."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.stale: list[Run] | None = None

    def active(self) -> list[Run]:
        if self.stale is not None:
            answer, self.stale = self.stale, None
            return answer
        return sorted((run for run in self.runs.values() if run.is_active), key=lambda run: run.claimed_at)

    def get(self, event_id: str) -> Run | None:
        return self.runs.get(event_id)

    def create(self, run: Run) -> Run:
        if run.event.id in self.runs:
            raise LostRace(run.event.id, self.runs[run.event.id])
        self.runs[run.event.id] = run
        return run

    def move(self, before: Run, after: Run) -> Run:
        current = self.runs.get(before.event.id)
        if current is None or (current.state, current.version) != (before.state, before.version):
            raise LostRace(before.event.id, current)
        self.runs[before.event.id] = after
        return after
