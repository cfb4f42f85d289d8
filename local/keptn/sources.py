"""A colour for each source of events, so that one is told from another at a glance."""

import hashlib


def hue_of(source: str) -> int:
    """The same hue for the same source, in degrees."""
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:2]) % 360
