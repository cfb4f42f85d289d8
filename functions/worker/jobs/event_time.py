"""An event's time as Go's time.Time prints it; Keptn writes nanoseconds, which datetime would cut."""

import re
from dataclasses import dataclass
from typing import Final

_RFC3339: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt](?P<clock>\d{2}:\d{2}:\d{2})(?P<fraction>\.\d+)?"
    r"(?P<zone>[Zz]|[-+]\d{2}:\d{2})",
    re.ASCII,
)


@dataclass(frozen=True)
class EventTime:
    """A moment, as texts: date, time of day, fraction of the second with its dot, zone or nothing for UTC."""

    date: str = "0001-01-01"
    clock: str = "00:00:00"
    fraction: str = ""
    zone: str = ""

    @classmethod
    def parse(cls, text: object) -> "EventTime":
        """Read an RFC 3339 time; anything else is Go's zero time."""
        found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return cls()
        fraction = (found["fraction"] or "")[:10].rstrip("0").rstrip(".")
        zone = "" if found["zone"] in ("Z", "z", "+00:00") else found["zone"]
        return cls(found["date"], found["clock"], fraction, zone)

    def __str__(self) -> str:
        zone = self.zone.replace(":", "")
        return f"{self.date} {self.clock}{self.fraction} {zone or '+0000'} {zone or 'UTC'}"

    def rfc3339(self) -> str:
        """Without trailing zeros, and with Z for UTC."""
        return f"{self.date}T{self.clock}{self.fraction}{self.zone or 'Z'}"
