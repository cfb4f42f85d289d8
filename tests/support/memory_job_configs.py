"""Job configs in memory, with the real ones' interface and rules.

tests/integration/test_job_configs_kept.py holds them to what the real ones do.
"""

from execution_plane.ledger.job_configs import LARGEST_FILE, RESERVED_FOR, Place, Reading, digest_of


class MemoryJobConfigs:
    """Readings and files in dicts; nothing is compressed."""

    def __init__(self) -> None:
        self.readings: dict[Place, Reading] = {}
        self.files: dict[str, bytes] = {}
        self.reserved: dict[Place, tuple[str, float]] = {}

    def known(self, place: Place) -> Reading | None:
        return self.readings.get(place)

    def reserve(self, place: Place, reader: str, now: float, seen: Reading | None) -> bool:
        holder, until = self.reserved.get(place, ("", 0.0))
        if holder == reader:
            return True
        noted = self.readings.get(place)
        if (holder and until >= now) or (noted and noted.read_at) != (seen and seen.read_at):
            return False
        self.reserved[place] = (reader, now + RESERVED_FOR)
        return True

    def release(self, place: Place, reader: str) -> None:
        if self.reserved.get(place, ("", 0.0))[0] == reader:
            del self.reserved[place]

    def note(self, place: Place, reading: Reading) -> None:
        noted = self.readings.get(place)
        if noted is None or noted.read_at <= reading.read_at:
            self.readings[place] = reading
            self.reserved.pop(place, None)

    def keep(self, content: bytes, now: float) -> bool:
        if len(content) > LARGEST_FILE:
            return False
        self.files[digest_of(content)] = content
        return True

    def file(self, digest: str) -> bytes | None:
        return self.files.get(digest)
