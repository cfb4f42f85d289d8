"""What a compiled JSONPath consists of: a `Node` computes one value, a `Step` finds values below another."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from execution_plane.jsonpath.go_text import as_float64, go_text, go_type

MAX_VALUES: Final = 1_000_000
"""Values that one evaluation may touch; `$..*..*` on a large event would otherwise go on for minutes."""

_MIN_INT64: Final = -(2**63)


class JsonPathError(Exception):
    """A path that leads nowhere in this value."""


class Scope:
    """What a node is evaluated in: the root (`$`), the current value (`@`), and how much work is left."""

    __slots__ = ("_work", "current", "root")

    def __init__(self, root: object, current: object = None, work: list[int] | None = None) -> None:
        self.root = root
        self.current = current
        self._work = [MAX_VALUES] if work is None else work

    def at(self, current: object) -> "Scope":
        """The same scope with another current value."""
        return Scope(self.root, current, self._work)

    def spend(self, values: int) -> None:
        """Count values that were touched; raises JsonPathError when they are too many."""
        self._work[0] -= values
        if self._work[0] < 0:
            raise TooMuchWork(f"the path touches more than {MAX_VALUES} values")


class TooMuchWork(JsonPathError):
    """Unlike other errors it is not skipped where a list is built."""


Node = Callable[[Scope], object]
Step = Callable[[Scope, object], Sequence[object]]


def constant(value: object) -> Node:
    """A literal."""
    return lambda _: value


def the_root(scope: Scope) -> object:
    """`$`."""
    return scope.root


def the_current(scope: Scope) -> object:
    """`@`; null outside of a bracket."""
    return scope.current


def variable(keys: Sequence[Node]) -> Node:
    """`data.project`: a path without `$`. A missing key is null, a missing index the list itself (gval)."""

    def evaluate(scope: Scope) -> object:
        value = scope.root
        names = [go_text(key(scope)) for key in keys]
        for depth, name in enumerate(names, start=1):
            match value:
                case dict():
                    value = value.get(name)
                case list():
                    if name.isascii() and name.isdigit() and int(name) < len(value):
                        value = value[int(name)]
                case _:
                    raise JsonPathError(f"unknown parameter {'.'.join(names[:depth])}")
        return value

    return evaluate


def negative(operand: Node) -> Node:
    """`-x`."""

    def evaluate(scope: Scope) -> object:
        value = operand(scope)
        number = _number(value)
        if number is None:
            raise JsonPathError(f"unexpected {go_text(value)}({go_type(value)}) expected number")
        return -number

    return evaluate


def comparison(first: Node, others: Sequence[tuple[bool, Node]]) -> Node:
    """`a == b != c`, from left to right; the flag says whether equality is asked for."""

    def evaluate(scope: Scope) -> object:
        value = first(scope)
        for wants_equal, operand in others:
            value = _equal(value, operand(scope)) == wants_equal
        return value

    return evaluate


def path(start: Node, steps: Sequence[Step], *, is_list: bool) -> Node:
    """`start` followed by `steps`. What leads nowhere is skipped in a list path and an error in another."""

    def evaluate_one(scope: Scope) -> object:
        value = start(scope)
        for step in steps:
            (value,) = step(scope, value)
        return value

    def evaluate_list(scope: Scope) -> object:
        values: list[object] = [start(scope)]
        for step in steps:
            found: list[object] = []
            for value in values:
                found += _found(step, scope, value)
            values = found
        return values

    return evaluate_list if is_list else evaluate_one


def select(key: Node) -> Step:
    """`.key`, `["key"]` or `[0]`."""

    def step(scope: Scope, value: object) -> Sequence[object]:
        if isinstance(value, list):
            index = _index(_key(key, scope, value), "could not select value, invalid key: ")
            if not 0 <= index < len(value):
                raise JsonPathError(f"index {index} out of bounds")
            return (value[index],)
        if isinstance(value, dict):
            name = go_text(_key(key, scope, value))
            if name not in value:
                raise JsonPathError(f"unknown key {name}")
            return (value[name],)
        raise JsonPathError(
            f"unsupported value type {go_type(value)} for select, "
            "expected map[string]interface{} or []interface{}"
        )

    return step


def several(keys: Sequence[Node]) -> Step:
    """`["a", "b"]`: what is missing is skipped."""
    steps = [select(key) for key in keys]
    return lambda scope, value: [found for step in steps for found in _found(step, scope, value)]


def every(scope: Scope, value: object) -> Sequence[object]:
    """`*`: the values of a map or list; nothing of anything else."""
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    scope.spend(len(children))
    return children


def descend(then: Step) -> Step:
    """`..` followed by `then`, which is asked of the value and of everything below it, from the top down."""
    return lambda scope, value: [
        found for below in _all_below(scope, value) for found in _found(then, scope, below)
    ]


def matching(condition: Node) -> Step:
    """`[?(condition)]`: the values for which it is true; one for which it can't be told is left out."""

    def step(scope: Scope, value: object) -> Sequence[object]:
        return [child for child in every(scope, value) if _holds(condition, scope.at(child))]

    return step


def slice_of(low: Node, high: Node, by: Node) -> Step:
    """`[low:high:by]`, where negative bounds count from the end; `[0:-1]` is empty, as in the library."""

    def step(scope: Scope, value: object) -> Sequence[object]:
        if not isinstance(value, list):
            return []
        inner = scope.at(value)
        begin, end, stride = (_index(bound(inner)) for bound in (low, high, by))
        if begin > end:
            return []
        begin, end = (max(0, len(value) + bound) if bound < 0 else bound for bound in (begin, end))
        chosen = value[begin:end]
        scope.spend(len(chosen))
        return chosen[:: stride or 1]

    return step


def _found(step: Step, scope: Scope, value: object) -> Sequence[object]:
    try:
        found = step(scope, value)
    except TooMuchWork:
        raise
    except JsonPathError:
        return ()
    scope.spend(len(found))
    return found


def _all_below(scope: Scope, value: object) -> Iterator[object]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        yield value
        waiting.extend(reversed(every(scope, value)))


def _key(key: Node, scope: Scope, container: object) -> object:
    try:
        return key(scope.at(container))
    except TooMuchWork:
        raise
    except JsonPathError as error:
        raise JsonPathError(f"could not select value, invalid key: {error}") from None


def _index(value: object, context: str = "") -> int:
    number = _number(value)
    if number is None:
        raise JsonPathError(f"{context}expected number but got {go_text(value)} ({go_type(value)})")
    if not abs(number) < -_MIN_INT64:
        return _MIN_INT64
    return int(number)


def _number(value: object) -> float | None:
    """`value` as a number, which a text may spell; a truth value is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return as_float64(value)
    if isinstance(value, str) and value.isascii() and value == value.strip():
        try:
            number = float(value)
        except ValueError:
            return None
        return None if math.isinf(number) and "inf" not in value.lower() else number
    return None


def _holds(condition: Node, scope: Scope) -> bool:
    """A condition's value as a truth value: texts and numbers may stand for one."""
    try:
        value = condition(scope)
    except TooMuchWork:
        raise
    except JsonPathError:
        return False
    if value is None or isinstance(value, bool):
        return bool(value)
    if value in ("true", "TRUE"):
        return True
    number = _number(value)
    return number is not None and (math.isnan(number) or number != 0)


def _equal(left: object, right: object) -> bool:
    """Go's reflect.DeepEqual of decoded JSON: no conversions, so `3 == "3"` and `1 == true` are false."""
    waiting = [(left, right)]
    while waiting:
        one, other = waiting.pop()
        match one, other:
            case dict(), dict():
                if one.keys() != other.keys():
                    return False
                waiting.extend((one[key], other[key]) for key in one)
            case list(), list():
                if len(one) != len(other):
                    return False
                waiting.extend(zip(one, other, strict=True))
            case _:
                if go_type(one) != go_type(other) or one != other:
                    return False
    return True
