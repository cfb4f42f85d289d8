"""The configuration file that `make deploy` writes; its questions are in tests/deploy."""

import tomllib
from pathlib import Path

from cli.deploy import configuration
from cli.template import problem_with, read_template

EXAMPLE = Path(__file__).parents[3] / "samconfig.example.toml"


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


def test_a_value_is_refused_with_the_templates_sentence() -> None:
    assert problem_with("KeptnApiUrl", "https://keptn.example.com/api") is None
    assert (problem_with("KeptnApiUrl", "keptn") or "").startswith("KeptnApiUrl must be a plain URL")
    assert (
        problem_with("IntegrationLocation", "x" * 65)
        == "IntegrationLocation must have at most 64 characters."
    )
