"""The template, and what it says of its parameters."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent / "template.yaml"


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub X` is read as `{"Fn::Sub": "X"}`."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {key: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {key: loader.construct_mapping(node, deep=True)}


_TemplateLoader.add_multi_constructor("!", _short_form)


@cache
def read_template(path: Path = TEMPLATE) -> Mapping[str, Any]:
    """The template as JSON would have it; read once, so nobody may change it."""
    template: Mapping[str, Any] = yaml.load(path.read_text(), _TemplateLoader)  # noqa: S506 - a SafeLoader
    return template


def problem_with(parameter: str, value: str) -> str | None:
    """What CloudFormation says against a value of a parameter; None if it takes it."""
    declared = read_template()["Parameters"][parameter]
    if not re.fullmatch(declared.get("AllowedPattern", r"[\s\S]*"), value):
        return f"{parameter} {declared['ConstraintDescription']}"
    if len(value) > declared.get("MaxLength", len(value)):
        return f"{parameter} must have at most {declared['MaxLength']} characters."
    choices = [str(each) for each in declared.get("AllowedValues", ())]
    if choices and value not in choices:
        return f"{parameter} must be {' or '.join(choices)}."
    if declared["Type"] == "Number" and not _is_within(declared, value):
        low, high = declared.get("MinValue", 0), declared.get("MaxValue")
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        return f"{parameter} must be a whole number {limits}."
    return None


def _is_within(declared: Mapping[str, Any], value: str) -> bool:
    if not re.fullmatch(r"\d{1,9}", value):
        return False
    return bool(declared.get("MinValue", 0) <= int(value) <= declared.get("MaxValue", int(value)))
