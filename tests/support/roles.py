"""What the template's roles grant, with everything in their policies resolved."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from local.stack import Stack


@dataclass(frozen=True)
class Permission:
    """What IAM decides on: an action on a resource, by its ARN, and what is known in conditions."""

    action: str
    resource: str
    context: frozenset[tuple[str, str]] = frozenset()

    def __str__(self) -> str:
        where = ", ".join(f"{key} {value}" for key, value in sorted(self.context))
        return f"{self.action} on {self.resource}{f' ({where})' if where else ''}"


@dataclass(frozen=True)
class Statement:
    """One that allows something."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By key, the values or patterns of which one must fit."""

    def grants(self, permission: Permission) -> bool:
        known = dict(permission.context)
        return (
            permission.action in self.actions
            and _fits(permission.resource, self.resources)
            and all(key in known and _fits(known[key], values) for key, values in self.conditions)
        )

    def parts(self) -> Iterator["Statement"]:
        """The same, one action and one resource at a time."""
        for action in self.actions:
            for resource in self.resources:
                yield replace(self, actions=(action,), resources=(resource,))


class Roles(Stack):
    """The roles of one stack's functions; `resources` are also to have their ARNs, as `LedgerTable.Arn`."""

    def of(self, function: str) -> str:
        """The logical id of a function's role."""
        role: str = self._template["Resources"][function]["Properties"]["Role"]["Fn::GetAtt"]
        return role.removesuffix(".Arn")

    def statements(self, role: str) -> list[Statement]:
        """All that a role may do, but for what managed policies say."""
        return [
            self._statement(statement)
            for policy in self._all(self._template["Resources"][role]["Properties"]["Policies"])
            for statement in self._all(policy["PolicyDocument"]["Statement"])
        ]

    def resolve(self, value: Any) -> str:
        match value:
            case {"Fn::GetAtt": str(name)}:
                return self._values[name]
            case {"Fn::Sub": [str(text), dict(more)]}:
                return self._substituted(text, {key: self.resolve(each) for key, each in more.items()})
            case {"Fn::Sub": str(text)}:
                return self._substituted(text, {})
            case {"Fn::Select": [int(index), {"Fn::Split": [str(separator), text]}]}:
                return self.resolve(text).split(separator)[index]
            case {"Fn::Join": [str(between), parts]}:
                return between.join(self._texts(parts))
        return super().resolve(value)

    def _substituted(self, text: str, more: Mapping[str, str]) -> str:
        values = {**self._values, **more}
        return re.sub(r"\$\{([\w:.]+)\}", lambda found: values[found[1]], text)

    def _statement(self, declared: Mapping[str, Any]) -> Statement:
        assert declared["Effect"] == "Allow"
        return Statement(
            self._texts(declared["Action"]),
            self._texts(declared["Resource"]),
            tuple(
                (key, self._texts(values))
                for operator, keys in declared.get("Condition", {}).items()
                for key, values in keys.items()
                if operator in {"ArnEquals", "StringEquals"} or _unknown(operator)
            ),
        )

    def _texts(self, value: Any) -> tuple[str, ...]:
        return tuple(self.resolve(each) for each in self._all(value))

    def _all(self, value: Any) -> Iterator[Any]:
        """What is given as one or several, without what no condition holds for."""
        match value:
            case list():
                for each in value:
                    yield from self._all(each)
            case {"Fn::If": [str(condition), then, otherwise]}:
                yield from self._all(then if self._holds({"Condition": condition}) else otherwise)
            case {"Fn::Split": [str(separator), text]}:
                yield from self.resolve(text).split(separator)
            case {"Ref": "AWS::NoValue"}:
                return
            case _:
                yield value


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _unknown(operator: str) -> bool:
    raise ValueError(f"can't decide on {operator}")
