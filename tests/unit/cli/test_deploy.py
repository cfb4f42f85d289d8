"""The configuration file that `make deploy` writes; its questions are in tests/deploy."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.deploy import Undeployable, configuration, deploy
from cli.template import problem_with, read_template

EXAMPLE = Path(__file__).parents[3] / "samconfig.toml"


def test_values_with_blanks_and_quotes_are_in_the_file_as_they_are() -> None:
    given = {
        "IntegrationLocation": "Asia Pacific",
        "MatchProperty": '$.data["say\\hello"].location',
        "MatchValue": "ä",
    }

    written = tomllib.loads(configuration("plane", "eu-west-1", given))

    assert written["default"]["global"]["parameters"] == {
        "stack_name": "plane",
        "region": "eu-west-1",
        "parameter_overrides": given,
    }


def test_the_example_has_the_form_that_is_written_with_parameters_that_the_template_takes() -> None:
    example = tomllib.loads(EXAMPLE.read_text())
    shared = example["default"]["global"]["parameters"]
    parameters = shared["parameter_overrides"]

    assert example == tomllib.loads(configuration(shared["stack_name"], shared["region"], parameters))
    assert parameters.keys() <= read_template()["Parameters"].keys()
    assert [problem_with(name, value) for name, value in parameters.items() if name != "MatchValue"] == [
        None
    ] * 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stack_name": "other"}, "plane.toml has stack_name = plane, not other"),
        ({"region": "us-east-1"}, "plane.toml has region = eu-west-1, not us-east-1"),
    ],
)
def test_a_file_of_another_stack_or_region_deploys_nothing(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    file = tmp_path / "plane.toml"
    file.write_text(configuration("plane", "eu-west-1", {}))

    options: dict[str, Any] = {"stack_name": "plane", "region": "eu-west-1", "sam": "false", **given}
    with pytest.raises(Undeployable, match=said):
        deploy(config_file=file, **options)


def test_a_value_is_refused_with_the_templates_sentence() -> None:
    assert problem_with("KeptnApiUrl", "https://keptn.example.com/api") is None
    assert (problem_with("KeptnApiUrl", "keptn") or "").startswith("KeptnApiUrl must be a plain URL")
    assert (
        problem_with("IntegrationLocation", "x" * 65)
        == "IntegrationLocation must have at most 64 characters."
    )
