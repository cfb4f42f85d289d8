"""What of an answer is shown: its text, whatever it is encoded in."""

import re
import zlib
from collections.abc import Mapping
from typing import Final

LARGEST_TEXT: Final = 1024 * 1024  # bytes of one that was compressed
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ANY_FORMAT: Final = 47  # of zlib's: gzip or zlib, by what comes first


def text_of(body: bytes, headers: Mapping[str, str]) -> str:
    """The text in a body, or as much of it as there is; empty if it is none.

    A server may compress what it was not asked to, name a wrong encoding or none (RFC 9110, section 8).
    """
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        body = _expanded(body)
    named = _CHARSET.search(headers.get("Content-Type", ""))
    for encoding in (named[1] if named else "utf-8", "utf-8", "cp1252"):
        try:
            text = body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return "" if _NO_TEXT.search(text) else text
    return ""


def _expanded(body: bytes) -> bytes:
    """What was compressed by gzip or deflate, up to LARGEST_TEXT; another body as it is."""
    for form in (_ANY_FORMAT, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(form).decompress(body, LARGEST_TEXT)
        except zlib.error:
            continue
    return body
