"""Job configs in memory, with the real ones' interface and rules.

tests/integration/test_job_configs_kept.py holds them to what the real ones do.
"""

from dataclasses import replace

from execution_plane.ledger.job_configs import LARGEST, Known, Place, digest_of


class MemoryJobConfigs:
    """Answers and files in dicts; nothing is compressed."""

    def __init__(self) -> None:
        self.answers: dict[Place, Known] = {}
        self.claimants: dict[Place, str] = {}
        self.files: dict[str, bytes] = {}

    def known(self, place: Place) -> Known:
        return self.answers.get(place, Known())

    def claim(self, place: Place, claimant: str, now: float, until: float, asked_at: float) -> bool:
        known = self.known(place)
        if self.claimants.get(place) == claimant:
            return True
        if known.claimed_until > now or known.asked_at != asked_at:
            return False
        self.answers[place] = replace(known, claimed_at=now, claimed_until=until)
        self.claimants[place] = claimant
        return True

    def defer(self, place: Place, claimant: str, until: float) -> None:
        if self.claimants.get(place) == claimant:
            self.answers[place] = replace(self.known(place), claimed_until=until)

    def note(self, place: Place, content: bytes | None, asked_at: float) -> bool:
        if content is not None and len(content) > LARGEST:
            return False
        if self.known(place).asked_at <= asked_at:
            self.answers[place] = Known(content, asked_at)
            self.claimants.pop(place, None)
        return True

    def keep(self, content: bytes, now: float) -> bool:
        if len(content) > LARGEST:
            return False
        self.files[digest_of(content)] = content
        return True

    def file(self, digest: str) -> bytes | None:
        return self.files.get(digest)
