"""The plane's file: what is written into it, and what is found wrong in it."""

import tomllib
from pathlib import Path

import pytest

from cli.ending import Unusable
from cli.planefile import PlaneFile, configuration, only_one, read
from cli.target import file_of
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


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "samconfig-plane.toml"
    file.write_text(configuration("plane", "eu-west-1", {"KeptnApiUrl": "https://x/api"}, "ops"))

    assert read(file) == PlaneFile(file, "plane", "eu-west-1", "ops", {"KeptnApiUrl": "https://x/api"})
    assert only_one(tmp_path) == read(file)


def test_of_two_planes_files_somebody_has_to_say_which(tmp_path: Path) -> None:
    assert only_one(tmp_path) is None
    for name in ("apac", "eu"):
        (tmp_path / f"samconfig-{name}.toml").write_text(configuration(name, "eu-west-1", {}))

    with pytest.raises(Unusable, match=r"2 planes' files \(samconfig-apac.toml, samconfig-eu.toml\)"):
        only_one(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "is no TOML"),
        ("[default.deploy]\nparameters = 1", "default.deploy.parameters is no table"),
        ("default = 1", "default is no table"),
        (
            '[default.deploy.parameters]\nparameter_overrides = "A=b"',
            "parameter_overrides is no table; write [default.global.parameters.parameter_overrides]",
        ),
        (
            "[default.deploy.parameters.parameter_overrides]\nPollIntervalSeconds = 5",
            'PollIntervalSeconds is no text; write PollIntervalSeconds = "5"',
        ),
        (
            "[default.deploy.parameters.parameter_overrides]\nDrain = true",
            'Drain is no text; write Drain = "true"',
        ),
    ],
)
def test_a_broken_file_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "plane.toml"
    file.write_text(text)

    with pytest.raises(Unusable) as found:
        read(file)

    assert said in str(found.value)


def test_names_that_are_no_parameters_are_refused_with_the_nearest_and_values_with_the_templates_words() -> (
    None
):
    given = {"KeptnApiUrl": "keptn", "PolIntervalSeconds": "5", "PollIntervalSeconds": "5000", "Drain": "yes"}

    url, name, number, choice = PlaneFile(Path("x"), parameters=given).problems()

    assert url.startswith("KeptnApiUrl must be a plain URL")
    assert name == "PolIntervalSeconds is no parameter: is PollIntervalSeconds meant?"
    assert number == "PollIntervalSeconds must be 0, or a whole number from 2 to 300."
    assert choice == "Drain must be true or false."
    assert list(PlaneFile(Path("x")).problems()) == ["KeptnApiUrl is missing."]


def test_parameters_of_earlier_versions_are_left_out_with_a_word() -> None:
    file = PlaneFile(Path("x"), parameters={"KeptnApiUrl": "https://x/api", "KeptnApiToken": "secret"})

    assert list(file.problems()) == []
    assert file.gone == {"KeptnApiToken": "the token is in the stack's secret"}


@pytest.mark.parametrize(
    ("stack", "region", "said"),
    [
        ("other", None, "plane.toml has stack_name = plane, not other"),
        (None, "us-east-1", "plane.toml has region = eu-west-1, not us-east-1"),
    ],
)
def test_a_file_of_another_stack_or_region_deploys_nothing(
    tmp_path: Path, stack: str | None, region: str | None, said: str
) -> None:
    file = tmp_path / "plane.toml"
    file.write_text(configuration("plane", "eu-west-1", {}))

    with pytest.raises(Unusable, match=said):
        file_of(file, stack, region, None)


def test_a_value_is_refused_with_the_templates_sentence() -> None:
    assert problem_with("KeptnApiUrl", "https://keptn.example.com/api") is None
    assert (problem_with("KeptnApiUrl", "keptn") or "").startswith("KeptnApiUrl must be a plain URL")
    assert (
        problem_with("IntegrationLocation", "x" * 65)
        == "IntegrationLocation must have at most 64 characters."
    )
