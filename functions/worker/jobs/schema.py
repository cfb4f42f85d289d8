"""Reads a YAML tree by a table of fields, strictly, and collects every problem on the way.

What is accepted is what gopkg.in/yaml.v2's UnmarshalStrict accepts for the job executor's structs, down to
its merges: `<<` is applied where it stands, and a struct that comes twice that way is filled twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.yaml_reader import Collection, MappingNode, Node, ScalarNode, SequenceNode
from jobs.yaml_scalars import NULLS, InvalidScalar, is_merge, is_null, resolve, text_of

MAX_VALUES: Final = 200_000
"""Values that a file may have with its aliases followed; the largest file Keptn stores has far fewer."""

MAX_MERGES: Final = 100
"""Merges inside one another."""

_SHOWN: Final = 60

Path = tuple[str | int, ...]
Decoder = Callable[["Reading", Node, Path, Any], Any]
"""Reads a node at a path; the last argument is what a merge has already put there, or None."""

Check = Callable[[str], str | None]
"""What is wrong with a text, or None."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; `field` is like `actions[0].tasks[1].cmd`."""

    origin: str
    line: int
    field: str
    text: str

    def __str__(self) -> str:
        place = f"{self.origin}, line {self.line}"
        return f"{place}, {self.field}: {self.text}" if self.field else f"{place}: {self.text}"


class TooLarge(Exception):
    """The file's aliases or merges multiply beyond the limits, or its patterns are beyond them together."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class Struct:
    """The fields that a map has, as they were read, and where."""

    __slots__ = ("keys", "line", "path", "values")

    def __init__(self, line: int, path: Path) -> None:
        self.line = line
        self.path = path
        self.values: dict[str, Any] = {}
        self.keys: dict[str, Node] = {}

    def line_of(self, name: str) -> int:
        """The line of a field, or of the whole if the field is not there."""
        return self.keys[name].line if name in self.keys else self.line


@dataclass
class Reading:
    """What was found so far in one file: problems, objections to actions, how many values, patterns."""

    origin: str
    problems: list[Problem] = field(default_factory=list)
    objections: dict[int, list[Problem]] = field(default_factory=dict)
    """By the indices of the actions to which they are made."""
    knows_events: bool = True
    """Whether all problems leave it certain which types of events the actions name."""
    patterns: set[str] = field(default_factory=set)
    _values: int = 0

    def problem(self, line: int, path: Path, text: str) -> None:
        """Note a problem of the field at `path`, for which the file can't be read as it was meant."""
        self.problems.append(Problem(self.origin, line, field_name(path), text))
        self.knows_events = self.knows_events and _leaves_events_known(path)

    def objection(self, line: int, path: Path, text: str) -> None:
        """Note what is wrong with a task's field at `path`, for which its action alone can't be run."""
        _, action, *_ = path
        assert isinstance(action, int)
        self.objections.setdefault(action, []).append(Problem(self.origin, line, field_name(path), text))

    def count(self, node: Collection) -> None:
        """Count what `node` holds; raises TooLarge."""
        self._values += 1 + len(node.children)
        if self._values > MAX_VALUES:
            raise TooLarge(node.line, f"the file expands to more than {MAX_VALUES} values")


def _leaves_events_known(path: Path) -> bool:
    match path:
        case ("apiVersion",) | ("actions", int(), "name" | "silent" | "tasks", *_):
            return True
        case ("actions", int(), "events", int(), "jsonpath", *_):
            return True
    return False


def field_name(path: Path) -> str:
    """("actions", 0, "name") as `actions[0].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{cut(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def cut(text: str) -> str:
    """`text` as a message shows it: its beginning, if it is long."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def shown(text: str) -> str:
    """`text` in quotes, cut if it is long."""
    return repr(cut(text))


def text(reading: Reading, node: Node, path: Path, _: object = None) -> str:
    """A text field: any scalar, by its raw text; null is the empty text."""
    if type(node) is ScalarNode:
        if node.tag is None:
            value: str = node.value
            return "" if value in NULLS and node.plain else value
        try:
            return text_of(node)
        except InvalidScalar as error:
            reading.problem(node.line, path, f"expected a text: {error}")
            return ""
    _expected(reading, node, path, "a text")
    return ""


def optional_text(reading: Reading, node: Node, path: Path, _: object) -> str | None:
    """A text field where null is None, not the empty text."""
    value = text(reading, node, path)
    return None if not value and isinstance(node, ScalarNode) and is_null(node) else value


def checked(check: Check) -> Decoder:
    """A task's text field that `check` has a look at; the empty text is a field left out."""

    def decode(reading: Reading, node: Node, path: Path, _: object) -> str:
        value = text(reading, node, path)
        if value and (complaint := check(value)):
            reading.objection(node.line, path, complaint)
        return value

    return decode


def whole_number(bits: int) -> Decoder:
    """A number field of so many bits; fractions are cut off, as yaml.v2 does. Null is None."""
    limit = 2 ** (bits - 1)

    def decode(reading: Reading, node: Node, path: Path, _: object) -> int | None:
        resolved = _resolved(reading, node, path, "a whole number")
        match resolved:
            case None:
                return None
            case bool() | str():
                pass
            case int() | float() if -limit <= resolved < limit:
                return int(resolved)
        _expected(reading, node, path, f"a whole number of at most {bits} bits")
        return None

    return decode


def truth(reading: Reading, node: Node, path: Path, _: object) -> bool | None:
    """A yes or no field, unquoted: `true`, `yes`, `on`, `y` and their opposites. Null is None."""
    resolved = _resolved(reading, node, path, "true or false")
    if resolved is None or isinstance(resolved, bool):
        return resolved
    _expected(reading, node, path, "true or false")
    return None


def texts(reading: Reading, node: Node, path: Path, _: object) -> tuple[str, ...]:
    """A list of texts; null is the empty list."""
    if not isinstance(node, SequenceNode):
        _expected_or_null(reading, node, path, "a list of texts")
        return ()
    reading.count(node)
    return tuple(text(reading, item, (*path, index)) for index, item in enumerate(node.children))


def text_map(reading: Reading, node: Node, path: Path, current: dict[str, str] | None) -> dict[str, str]:
    """A map of texts to texts; null is the empty map."""
    if not isinstance(node, MappingNode):
        _expected_or_null(reading, node, path, "a map of texts")
        return {}
    entries = {} if current is None else dict(current)
    for key, value in _entries(reading, node, path):
        name = text(reading, key, path)
        if name in entries:
            reading.problem(key.line, (*path, name), "the key is there twice")
        entries[name] = text(reading, value, (*path, name))
    return entries


def struct(fields: Mapping[str, Decoder]) -> Decoder:
    """A map with certain fields; null is None."""

    def decode(reading: Reading, node: Node, path: Path, current: Struct | None) -> Struct | None:
        if not isinstance(node, MappingNode):
            _expected_or_null(reading, node, path, f"a map with {_names(fields)}")
            return None
        into = Struct(node.line, path) if current is None else current
        _fill(reading, node, fields, into)
        return into

    return decode


def structs(fields: Mapping[str, Decoder]) -> Decoder:
    """A list of maps with certain fields; null is the empty list, and in the list an empty map."""
    decode_item = struct(fields)

    def decode(reading: Reading, node: Node, path: Path, _: object) -> tuple[Struct, ...]:
        if not isinstance(node, SequenceNode):
            _expected_or_null(reading, node, path, f"a list of maps with {_names(fields)}")
            return ()
        reading.count(node)
        return tuple(
            decode_item(reading, item, (*path, index), None) or Struct(item.line, (*path, index))
            for index, item in enumerate(node.children)
        )

    return decode


def _fill(
    reading: Reading, node: MappingNode, fields: Mapping[str, Decoder], into: Struct, merges: int = 0
) -> None:
    """Read the fields of `node` into `into`. Within one map a field may stand once; a merge may repeat it."""
    reading.count(node)
    seen = set()
    path, values = into.path, into.values
    children = iter(node.children)
    for key, value in zip(children, children, strict=True):
        name = text(reading, key, path)
        decode = fields.get(name)
        if name == "<<" and is_merge(key):
            for source in _merged(reading, value, path, merges):
                _fill(reading, source, fields, into, merges + 1)
        elif decode is None:
            if isinstance(key, ScalarNode):
                reading.problem(key.line, (*path, name), f"unknown field; expected {_names(fields)}")
        elif name in seen:
            reading.problem(key.line, (*path, name), "the field is there twice")
        else:
            seen.add(name)
            into.keys[name] = key
            values[name] = decode(reading, value, (*path, name), values.get(name))


def _entries(reading: Reading, node: MappingNode, path: Path, merges: int = 0) -> Iterator[tuple[Node, Node]]:
    """A map's keys and values, with those of the maps it merges."""
    reading.count(node)
    children = iter(node.children)
    for key, value in zip(children, children, strict=True):
        if is_merge(key):
            for source in _merged(reading, value, path, merges):
                yield from _entries(reading, source, path, merges + 1)
        else:
            yield key, value


def _merged(reading: Reading, node: Node, path: Path, merges: int) -> list[MappingNode]:
    """The maps that a `<<` names, in the order to apply them: the first one listed comes last and wins."""
    if merges >= MAX_MERGES:
        raise TooLarge(node.line, f"merges (<<) inside one another, deeper than {MAX_MERGES}")
    sources = node.children[::-1] if isinstance(node, SequenceNode) else [node]
    maps = [source for source in sources if isinstance(source, MappingNode)]
    if len(maps) < len(sources):
        reading.problem(node.line, (*path, "<<"), "expected a map or a list of maps to merge")
        return []
    return maps


def _resolved(reading: Reading, node: Node, path: Path, wanted: str) -> object:
    """A scalar's typed value; a text for what is none, so that it is refused as a value of the wrong type."""
    if not isinstance(node, ScalarNode):
        return ""
    try:
        return resolve(node).value
    except InvalidScalar as error:
        reading.problem(node.line, path, f"expected {wanted}: {error}")
        return None


def _expected_or_null(reading: Reading, node: Node, path: Path, wanted: str) -> None:
    if not (isinstance(node, ScalarNode) and is_null(node)):
        _expected(reading, node, path, wanted)


def _expected(reading: Reading, node: Node, path: Path, wanted: str) -> None:
    if isinstance(node, ScalarNode):
        found = shown(node.value) if node.plain else f"the text {shown(node.value)}"
    else:
        found = "a list" if isinstance(node, SequenceNode) else "a map"
    reading.problem(node.line, path, f"expected {wanted}, found {found}")


def _names(fields: Mapping[str, Decoder]) -> str:
    return ", ".join(sorted(fields))
