"""The template's parameters: what whoever deploys it is told, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli.template import read_template
from execution_plane import VERSION
from tests.support.parameter_values import REFUSED, TAKEN

ROOT = Path(__file__).parents[2]
TEMPLATE = read_template()
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
CONSTRAINTS = {"AllowedValues", "AllowedPattern", "MinValue", "MaxValue", "MinLength", "MaxLength"}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_described_and_constrained(name: str) -> None:
    parameter = PARAMETERS[name]

    assert re.fullmatch(r"\S.*\.", parameter["Description"], re.DOTALL)
    assert CONSTRAINTS & parameter.keys()
    assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_pattern_means_the_same_to_java_which_cloudformation_uses(name: str) -> None:
    """To Java a bracket within a class begins another class, and && is what two classes have in common."""
    pattern = re.sub(r"\\.", "x", PARAMETERS[name].get("AllowedPattern", ""))

    for characters in re.findall(r"\[\^?\]?([^\]]*)\]", pattern):
        assert not re.search(r"\[|&&", characters)
    assert "(?P" not in pattern


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_default_meets_its_own_constraints(name: str) -> None:
    parameter = PARAMETERS[name]
    if "Default" not in parameter:
        return
    value = parameter["Default"]

    assert value in parameter.get("AllowedValues", [value])
    if "MinValue" in parameter:
        assert parameter.get("MinValue", value) <= value <= parameter.get("MaxValue", value)
    else:
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(value))


def test_only_what_nobody_can_guess_has_no_default() -> None:
    assert [name for name, parameter in PARAMETERS.items() if "Default" not in parameter] == ["KeptnApiUrl"]


def test_what_is_shared_has_the_version_that_the_bridge_shows() -> None:
    shared = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert shared["SemanticVersion"] == VERSION
    assert released[:1] in ([], [VERSION])


def test_the_console_groups_every_parameter_once_and_shows_its_name() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]

    assert sorted(grouped) == sorted(PARAMETERS)
    assert "ParameterLabels" not in interface


def test_the_page_on_upgrades_names_what_stays_of_a_deleted_stack() -> None:
    page = (ROOT / "docs" / "upgrade.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)`.*\| `aws [^|]*` \|$", page, re.MULTILINE))

    assert rows == {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if "Retain" in resource.get("DeletionPolicy", "")
    }


def test_nothing_that_outlives_a_stack_is_left_by_one_that_could_not_be_made() -> None:
    policies = {resource.get("DeletionPolicy") for resource in TEMPLATE["Resources"].values()}

    assert policies == {None, "RetainExceptOnCreate"}


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_could_not_work_is_refused_before_anything_is_made(name: str, value: str) -> None:
    assert not re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_what_works_is_taken(name: str, value: str) -> None:
    assert re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)
