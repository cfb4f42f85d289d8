"""Job configs in memory, with the real ones' interface and rules.

tests/integration/test_job_configs_kept.py holds them to what the real ones do.
"""

from dataclasses import replace

from execution_plane.ledger.job_configs import LARGEST, Known, Place


class MemoryJobConfigs:
    """Answers in dicts; nothing is compressed."""

    def __init__(self) -> None:
        self.answers: dict[Place, Known] = {}
        self.claimants: dict[Place, str] = {}

    def known(self, place: Place) -> Known:
        return self.answers.get(place, Known())

    def claim(self, place: Place, claimant: str, now: float, until: float, asked_at: float) -> bool:
        known = self.known(place)
        is_another = self.claimants.get(place) != claimant and known.claimed_until > now
        if is_another or known.asked_at not in {asked_at, 0.0}:
            return False
        self.answers[place] = replace(known, claimed_at=now, claimed_until=until)
        self.claimants[place] = claimant
        return True

    def note(self, place: Place, content: bytes | None, asked_at: float, answered_at: float) -> bool:
        if content is not None and len(content) > LARGEST:
            return False
        if self.known(place).asked_at <= asked_at:
            self.answers[place] = Known(content, asked_at, answered_at)
            self.claimants.pop(place, None)
        return True
