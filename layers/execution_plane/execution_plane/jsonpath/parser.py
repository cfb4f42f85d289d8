"""The JSONPath dialect of existing job configs: PaesslerAG/jsonpath v0.1.1 on the gval v1.2.0 base language.

It is Goessner's JSONPath with double-quoted or back-quoted keys, `==` and `!=`, literals and parentheses.
It has no arithmetic, no `&&` and no functions. A map's values come in the map's own order; Go's is random.
"""

from dataclasses import dataclass
from typing import Final

from execution_plane.jsonpath import nodes
from execution_plane.jsonpath.nodes import JsonPathError, Node, Step
from execution_plane.jsonpath.tokens import InvalidJsonPath, Token, tokens_of

__all__ = ["InvalidJsonPath", "JsonPath", "JsonPathError", "compile"]

MAX_NESTING: Final = 64
"""Parentheses, brackets and signs inside one another; real paths have two or three."""

MAX_LENGTH: Final = 10_000
"""Characters."""

_LITERAL: Final = ("number", "string", "(", ")", "-", "==", "!=")
"""Kinds of words of which, with true and false, all that needs no event is made."""

_RANGE_END: Final = float(2**31 - 1)


@dataclass(frozen=True)
class JsonPath:
    """A compiled path. `is_list`: it has a wildcard, `..`, a filter, a slice or several keys."""

    text: str
    is_list: bool
    _node: Node

    def evaluate(self, root: object) -> object:
        """The value in `root` (decoded JSON), or for an `is_list` path the list of all that were found.

        Raises JsonPathError where the path leads nowhere, with the job executor's text.
        """
        try:
            return self._node(nodes.Scope(root))
        except RecursionError:
            raise JsonPathError("the value is nested too deeply") from None


def compile(path: str) -> JsonPath:  # noqa: A001 - as in re.compile
    """Read `path`; raises InvalidJsonPath."""
    if len(path) > MAX_LENGTH:
        raise InvalidJsonPath(path, MAX_LENGTH + 1, f"longer than {MAX_LENGTH} characters")
    parser = _Parser(path)
    node, is_list = parser.whole()
    return JsonPath(path, is_list, node)


class _Parser:
    """Recursive descent; every method consumes the tokens of what it returns."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tokens = tokens_of(path)
        self._next = 0
        self._nesting = 0

    def whole(self) -> tuple[Node, bool]:
        node, is_list = self._expression()
        if self._peek() != "end":
            is_dash = self._peek() == "-"
            raise self._unexpected('; a key with a dash in it is written ["like-this"]' if is_dash else "")
        return node, is_list

    def _expression(self) -> tuple[Node, bool]:
        first, is_list = self._operand()
        comparisons: list[tuple[bool, Node]] = []
        while self._peek() in ("==", "!="):
            operator = self._take()
            comparisons.append((operator.kind == "==", self._operand()[0]))
        if comparisons:
            return nodes.comparison(first, comparisons), False
        return first, is_list

    def _operand(self) -> tuple[Node, bool]:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise InvalidJsonPath(self._path, self._tokens[self._next].position, "nested too deeply")
        token = self._take()
        is_list = False
        match token.kind:
            case "$" | "@":
                node, is_list = self._path_from(nodes.the_root if token.kind == "$" else nodes.the_current)
            case "number" | "string":
                node = nodes.constant(token.value)
            case "identifier":
                node = self._identifier(token)
            case "(":
                node, is_list = self._expression()
                self._expect(")")
            case "-":
                node = self._negative()
            case _:
                raise self._unexpected(token=token)
        self._nesting -= 1
        return node, is_list

    def _negative(self) -> Node:
        """After a minus: of what needs no event, it is found out here and now whether it is a number."""
        begin = self._next
        node = nodes.negative(self._operand()[0])
        operand = self._tokens[begin : self._next]
        if all(token.kind in _LITERAL or token.value in ("true", "false") for token in operand):
            try:
                return nodes.constant(node(nodes.Scope(None)))
            except JsonPathError as error:
                raise InvalidJsonPath(self._path, operand[0].position, str(error)) from None
        return node

    def _identifier(self, token: Token) -> Node:
        """`true`, `false`, or a path without `$`, in which a missing key is null."""
        if token.value in ("true", "false"):
            return nodes.constant(token.value == "true")
        keys = [nodes.constant(token.value)]
        while self._peek() in (".", "["):
            if self._take().kind == ".":
                keys.append(nodes.constant(self._expect("identifier").value))
            else:
                keys.append(self._expression()[0])
                self._expect("]")
        return nodes.variable(keys)

    def _path_from(self, start: Node) -> tuple[Node, bool]:
        steps: list[Step] = []
        is_list = False
        while self._peek() in (".", "["):
            step, many = self._dot() if self._take().kind == "." else self._bracket()
            steps.append(step)
            is_list = is_list or many
        return nodes.path(start, steps, is_list=is_list), is_list

    def _dot(self) -> tuple[Step, bool]:
        """After a dot: a key, `*`, or the second dot of `..` with what it looks for."""
        token = self._take()
        match token.kind:
            case "identifier":
                return nodes.select(nodes.constant(token.value)), False
            case "*":
                return nodes.every, True
            case ".":
                if self._peek() == "[":
                    self._take()
                    return nodes.descend(self._bracket(after_descent=True)[0]), True
                if self._peek() == ".":
                    raise self._unexpected()
                return nodes.descend(self._dot()[0]), True
            case _:
                raise self._unexpected(' where a key or "*" should be', token=token)

    def _bracket(self, *, after_descent: bool = False) -> tuple[Step, bool]:
        """After `[`: a key or index, several of them, `*`, a slice or a filter, and the closing `]`."""
        if self._peek() == "*":
            self._take()
            self._expect("]")
            return nodes.every, True
        if self._peek() == "?":
            self._take()
            condition = self._expression()[0]
            self._expect("]")
            return nodes.matching(condition), True
        first = None if self._peek() == ":" else self._expression()[0]
        if self._peek() == ":":
            if after_descent:
                raise self._unexpected(": a slice can't follow ..")
            return self._slice(first), True
        assert first is not None
        keys = [first]
        while self._peek() == ",":
            self._take()
            keys.append(self._expression()[0])
        self._expect("]")
        return (nodes.several(keys), True) if len(keys) > 1 else (nodes.select(first), False)

    def _slice(self, first: Node | None) -> Step:
        """From the first `:` of `[low:high:step]`, each part of which may be missing."""
        parts = [first]
        while self._peek() == ":" and len(parts) < 3:
            self._take()
            parts.append(None if self._peek() in (":", "]") else self._expression()[0])
        self._expect("]")
        defaults = (0.0, _RANGE_END, 1.0)
        low, high, step = (
            part or nodes.constant(default) for part, default in zip([*parts, None], defaults, strict=False)
        )
        return nodes.slice_of(low, high, step)

    def _peek(self) -> str:
        return self._tokens[self._next].kind

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _expect(self, kind: str) -> Token:
        token = self._take()
        if token.kind != kind:
            wanted = f'"{kind}"' if len(kind) == 1 else f"an {kind}"
            raise self._unexpected(f" where {wanted} should be", token=token)
        return token

    def _unexpected(self, hint: str = "", *, token: Token | None = None) -> InvalidJsonPath:
        token = token or self._tokens[self._next]
        what = "end" if token.kind == "end" else f'"{token.text}"'
        return InvalidJsonPath(self._path, token.position, f"unexpected {what}{hint}")
