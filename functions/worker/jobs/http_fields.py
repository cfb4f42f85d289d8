"""The field `http` of a task: what there is in it, and how it is read and checked."""

import re
from collections.abc import Mapping
from typing import Final

from jobs.model import HttpCall
from jobs.schema import Decoder, Path, Reading, Struct, checked, shown, text, text_map, texts, truth
from jobs.yaml_reader import MappingNode, Node, ScalarNode, SequenceNode

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OURS: Final = frozenset(
    {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that only the one who sends the request can know."""

_URL: Final = re.compile(r"https?://[^/?#]|\$\(", re.IGNORECASE)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_STATUS: Final = re.compile(r"[1-5](\d\d|xx)")


def http_call(reading: Reading, call: Struct | None) -> HttpCall | None:
    """The call that was read; None if the task has none."""
    if call is None:
        return None
    values = call.values
    if not values.get("url"):
        reading.objection(call.line_of("url"), (*call.path, "url"), "expected a URL, found nothing")
    return HttpCall(
        url=values.get("url", ""),
        method=values.get("method", ""),
        headers=values.get("headers", {}),
        body=values.get("body", ""),
        statuses=values.get("statuses", ()),
        idempotent=bool(values.get("idempotent")),
    )


def _url_problem(url: str) -> str | None:
    if _URL.match(url):
        return None
    return f"expected a URL like https://example.com/path, or one that begins with $(VAR), found {shown(url)}"


def _method_problem(method: str) -> str | None:
    if method in METHODS:
        return None
    return f"expected {', '.join(METHODS[:-1])} or {METHODS[-1]}, found {shown(method)}"


def _headers(reading: Reading, node: Node, path: Path, current: dict[str, str] | None) -> dict[str, str]:
    headers = text_map(reading, node, path, current)
    known: set[str] = set()
    lines = _lines(node)
    for name in headers:
        line = lines.get(name, node.line)
        if not _HEADER.fullmatch(name):
            reading.objection(line, path, f"expected the name of a header, found {shown(name)}")
        elif name.lower() in OURS:
            reading.objection(line, (*path, name), "the plane sets this header itself")
        elif name.lower() in known:
            reading.objection(line, (*path, name), "the header is there twice")
        known.add(name.lower())
    return headers


def _lines(node: Node) -> Mapping[str, int]:
    """The line of each key that stands in a map itself."""
    keys = node.children[::2] if isinstance(node, MappingNode) else []
    return {key.value: key.line for key in keys if isinstance(key, ScalarNode)}


def _statuses(reading: Reading, node: Node, path: Path, _: object) -> tuple[str, ...]:
    statuses: tuple[str, ...] = texts(reading, node, path, None)
    for index, status in enumerate(statuses):
        if not _STATUS.fullmatch(status):
            where = node.children[index] if isinstance(node, SequenceNode) else node
            reading.objection(
                where.line, (*path, index), f"expected a status like 204 or 2xx, found {shown(status)}"
            )
    return statuses


HTTP: Final[Mapping[str, Decoder]] = {
    "url": checked(_url_problem),
    "method": checked(_method_problem),
    "headers": _headers,
    "body": text,
    "statuses": _statuses,
    "idempotent": truth,
}
