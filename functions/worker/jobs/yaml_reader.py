"""The first document of a YAML file as a tree of nodes, from libyaml's events.

Scalars keep their raw text: that is what a job config's texts are, whatever a YAML loader would make of them.
PyYAML's own composer is not used because it refuses an anchor that is defined twice, and recurses in C.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from jobs.yaml_dialect import STAND_IN, for_libyaml

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES: Final = 1024 * 1024
"""Keptn itself stores files of up to some 750 KiB."""

MAX_NESTING: Final = 100
"""Far more than the schema has; it refuses bombs of brackets early."""


class InvalidYaml(Exception):
    """Not a YAML document that can be read. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class ScalarNode:
    """A text as it stands, with its long tag if it has one; `plain`: neither quoted nor a block."""

    __slots__ = ("line", "plain", "tag", "value")

    def __init__(self, value: str, tag: str | None, plain: bool, line: int) -> None:
        self.value = value
        self.tag = tag
        self.plain = plain
        self.line = line


class Collection:
    """A list's items, or a map's keys and values in turn."""

    __slots__ = ("children", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.children: list[Node] = []


class SequenceNode(Collection):
    """`[a, b]`."""

    __slots__ = ()


class MappingNode(Collection):
    """`{a: b}`."""

    __slots__ = ()


Node = ScalarNode | SequenceNode | MappingNode


def compose(raw: bytes) -> Node | None:
    """The root of the first document, or None if there is none; raises InvalidYaml.

    An alias is the very node of its anchor, so the tree may contain itself.
    """
    if len(raw) > MAX_BYTES:
        raise InvalidYaml(1, f"expected at most {MAX_BYTES} bytes, found {len(raw)}")
    try:
        return _composed(raw)
    except UnicodeDecodeError:  # libyaml lets a tag spell half of a surrogate pair
        raise InvalidYaml(1, "a tag is not UTF-8") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is not None:
            raise InvalidYaml(mark.line + 1, _reason(error)) from None
        position = getattr(error, "position", 0)
        raise InvalidYaml(raw[:position].count(b"\n") + 1, _reason(error)) from None


def _composed(raw: bytes) -> Node | None:
    """Raises InvalidYaml, and what libyaml raises."""
    try:
        return _Composer(CParser(raw).get_event).root()
    except YAMLError:
        if (spelled := for_libyaml(raw)) is None:
            raise
    return _Composer(partial(_event_as_written, CParser(spelled).get_event)).root()


def _event_as_written(next_event: "Callable[[], Any]") -> Any:
    event = next_event()
    if type(event) is ScalarEvent:
        event.value = event.value.replace(STAND_IN, ":")
    return event


def _reason(error: YAMLError) -> str:
    parts = (getattr(error, name, None) for name in ("context", "problem", "reason"))
    return ", ".join(str(part) for part in parts if part) or str(error)


class _Composer:
    def __init__(self, next_event: "Callable[[], Any]") -> None:
        self._next_event = next_event
        self._anchors: dict[str, Node] = {}
        self._document: list[Node] = []
        self._open: list[list[Node]] = [self._document]

    def root(self) -> Node | None:
        while (event := self._next_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                line = event.start_mark.line + 1
                self._add(ScalarNode(event.value, event.tag, event.implicit[0], line), event.anchor)
            elif kind is SequenceEndEvent or kind is MappingEndEvent:
                self._open.pop()
            elif kind is DocumentEndEvent:
                return self._document[0]
            else:
                self._begin(event, event.start_mark.line + 1)
        return None

    def _begin(self, event: Any, line: int) -> None:
        """A list, a map, an alias or the document."""
        if isinstance(event, CollectionStartEvent):
            if len(self._open) > MAX_NESTING:
                raise InvalidYaml(line, f"nested deeper than {MAX_NESTING} levels")
            node = SequenceNode(line) if isinstance(event, SequenceStartEvent) else MappingNode(line)
            self._add(node, event.anchor)
            self._open.append(node.children)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise InvalidYaml(line, f"unknown anchor '{event.anchor}'")
            self._open[-1].append(self._anchors[event.anchor])
        elif isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 1)):
            raise InvalidYaml(line, "found an incompatible YAML document; expected %YAML 1.1")

    def _add(self, node: Node, anchor: str | None) -> None:
        self._open[-1].append(node)
        if anchor is not None:
            self._anchors[anchor] = node
