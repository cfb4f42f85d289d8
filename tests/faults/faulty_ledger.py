"""A ledger and its job configs in memory, whose calls suffer faults as DynamoDB's do."""

from typing import Any

from execution_plane.ledger.job_configs import JobConfigs, Known, Place
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import Ledger, LedgerUnavailable
from tests.faults.injection import Call, Injector
from tests.support.memory_job_configs import MemoryJobConfigs
from tests.support.memory_ledger import MemoryLedger


class FaultyLedger(Ledger):
    """A ledger whose calls suffer what the injector says."""

    def __init__(self, injector: Injector) -> None:
        self.memory = MemoryLedger()
        self._injector = injector

    def active(self) -> list[Run]:
        return self._make("Query", self.memory.active)  # type: ignore[no-any-return]

    def get(self, event_id: str) -> Run | None:
        return self._make("GetItem", lambda: self.memory.get(event_id))  # type: ignore[no-any-return]

    def create(self, run: Run) -> Run:
        return self._make("PutItem", lambda: self.memory.create(run))  # type: ignore[no-any-return]

    def move(self, before: Run, after: Run) -> Run:
        return self._make("UpdateItem", lambda: self.memory.move(before, after))  # type: ignore[no-any-return]

    def _make(self, operation: str, act: Any) -> Any:
        return _make(self._injector, operation, act)


class FaultyJobConfigs(JobConfigs):
    """Job configs whose calls suffer what the injector says."""

    def __init__(self, injector: Injector) -> None:
        self.memory = MemoryJobConfigs()
        self._injector = injector

    def known(self, place: Place) -> Known:
        return self._make("GetItem", lambda: self.memory.known(place))  # type: ignore[no-any-return]

    def claim(self, *of: Any, **more: Any) -> bool:
        return self._make("UpdateItem", lambda: self.memory.claim(*of, **more))  # type: ignore[no-any-return]

    def note(self, *of: Any) -> bool:
        return self._make("UpdateItem", lambda: self.memory.note(*of))  # type: ignore[no-any-return]

    def _make(self, operation: str, act: Any) -> Any:
        return _make(self._injector, operation, act)


def _make(injector: Injector, operation: str, act: Any) -> Any:
    gone = LedgerUnavailable("injected")
    return injector.make(Call("dynamodb", operation), act, failure=gone, timeout=gone, shrug=act)
