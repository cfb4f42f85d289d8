"""Each wrong parameter gives one sentence that names it."""

from pathlib import Path

import pytest

from execution_plane.settings import (
    Allowlists,
    ContainerSettings,
    InvalidSetting,
    Match,
    PollerSettings,
    Settings,
    variable,
)
from tests.support.parameter_values import SCHEDULES_TAKEN

BOTH = {
    "KEPTN_API_URL": "https://keptn.example.com/api",
    "KEPTN_API_TOKEN_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:token",
    "LEDGER_TABLE_NAME": "ledger",
}
POLLER = {
    "EVENT_TYPES": "sh.keptn.event.sayhello.triggered",
    "WORKER_FUNCTION_NAME": "worker",
    "PLANE_SOURCE": "keptn-lambda-executor/1/eu-west-1/plane",
}


def test_what_is_needed_is_enough() -> None:
    settings = Settings.from_environment(BOTH)
    poller = PollerSettings.from_environment(POLLER)

    assert settings == Settings(
        api_url=BOTH["KEPTN_API_URL"],
        token_secret=BOTH["KEPTN_API_TOKEN_SECRET_ARN"],
        oauth_secret=None,
        ca_bundle_path=None,
        ledger_table="ledger",
    )
    assert (poller.poll_interval, poller.schedule_period, poller.run_deadline) == (5, 60, 3600)
    assert poller.poll_interval_busy == 1
    assert (poller.projects, poller.stages, poller.services, poller.match) == ((), (), (), None)
    assert not poller.drain


def test_the_url_loses_its_last_slash() -> None:
    settings = Settings.from_environment(
        {**BOTH, "KEPTN_API_URL": " https://keptn.example.com/some/prefix/api/ "}
    )

    assert settings.api_url == "https://keptn.example.com/some/prefix/api"


def test_lists_are_split_at_commas_and_what_appears_twice_counts_once() -> None:
    poller = PollerSettings.from_environment({**POLLER, "STAGES": " dev, prod,,dev ,", "PROJECTS": ","})

    assert (poller.stages, poller.projects) == (("dev", "prod"), ())


def test_a_match_has_a_path_and_a_value() -> None:
    given = {"MATCH_PROPERTY": "$.data.sayhello.location", "MATCH_VALUE": "APAC"}

    assert PollerSettings.from_environment({**POLLER, **given}).match == Match(
        "$.data.sayhello.location", "APAC"
    )


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("KeptnApiUrl", None),
        ("KeptnApiUrl", ""),
        ("KeptnApiUrl", "  "),
        ("KeptnApiUrl", "keptn.example.com/api"),
        ("KeptnApiUrl", "keptn.example.com:443/api"),
        ("KeptnApiUrl", "ftp://keptn.example.com/api"),
        ("KeptnApiUrl", "https://"),
        ("KeptnApiUrl", "https:///api"),
        ("KeptnApiUrl", "https://user:password@keptn.example.com/api"),
        ("KeptnApiUrl", "https://keptn.example.com/api?x=1"),
        ("KeptnApiUrl", "https://keptn.example.com/api#x"),
        ("KeptnApiUrl", "https://[::1/api"),
        ("KeptnApiUrl", "https://keptn.example.com:99999/api"),
        ("KeptnApiUrl", "https://keptn.example.com:port/api"),
        ("KeptnApiUrl", "https://keptn example.com/api"),
        ("KeptnApiTokenSecretArn", None),
        ("LedgerTableName", ""),
        ("CaBundlePath", "/no/such/file.pem"),
        ("CaBundlePath", "/"),
    ],
)
def test_a_wrong_parameter_of_both_functions_is_named(parameter: str, value: str | None) -> None:
    environ = {**BOTH, variable(parameter): value}

    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment({name: text for name, text in environ.items() if text is not None})

    assert_is_one_sentence_naming(parameter, str(refused.value))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("EventTypes", None),
        ("EventTypes", ""),
        ("EventTypes", " , ,"),
        ("EventTypes", "sayhello"),
        ("EventTypes", "sh.keptn.event.>"),
        ("EventTypes", "sh.keptn.event.*.finished"),
        ("EventTypes", "sh.keptn.event.dev.sequence1.triggered"),
        ("EventTypes", "sh.keptn.event.sayhello.triggered,sh.keptn.event.sayhello.started"),
        ("EventTypes", "sh.keptn.event.sayhello.triggered sh.keptn.event.saybye.triggered"),
        ("PollIntervalSeconds", "ten"),
        ("PollIntervalSeconds", "-1"),
        ("PollIntervalSeconds", "1.5"),
        ("PollIntervalSeconds", "301"),
        ("PollIntervalSeconds", "9" * 5000),
        ("PollIntervalSeconds", "1"),
        ("ScheduleExpression", "rate(6 minutes)"),
        ("ScheduleExpression", "at(2026-01-01T00:00:00)"),
        ("PollIntervalBusySeconds", "-1"),
        ("PollIntervalBusySeconds", "61"),
        ("RunDeadlineSeconds", "59"),
        ("RunDeadlineSeconds", "an hour"),
        ("Drain", "yes"),
        ("WorkerFunctionName", None),
        ("PlaneSource", None),
        ("MatchProperty", "$.data["),
        ("MatchProperty", "$.data.say-hello"),
        ("MatchProperty", "$..location"),
        ("MatchProperty", "x" * 20_000),
    ],
)
def test_a_wrong_parameter_of_the_poller_is_named(parameter: str, value: str | None) -> None:
    environ = {
        **POLLER,
        "MATCH_VALUE": "APAC" if parameter == "MatchProperty" else "",
        variable(parameter): value,
    }

    with pytest.raises(InvalidSetting) as refused:
        PollerSettings.from_environment({name: text for name, text in environ.items() if text is not None})

    assert_is_one_sentence_naming(parameter, str(refused.value))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("ContainerMaxPollDurationSeconds", "0"),
        ("ContainerMaxPollDurationSeconds", "1209601"),
        ("ContainerMaxPollDurationSeconds", "5m"),
        ("ContainerSecurity", "strict"),
    ],
)
def test_a_wrong_parameter_of_containers_is_named(parameter: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        ContainerSettings.from_environment({variable(parameter): value})

    assert_is_one_sentence_naming(parameter, str(refused.value))


@pytest.mark.parametrize(
    "value", ["*", "https://hooks.example.com", "hooks.example.com/path", "a b", "hooks.*.com", "host:port"]
)
def test_hosts_that_could_never_be_called_are_named(value: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Allowlists.from_environment({"ALLOWED_HOSTS": f"hooks.example.com,{value}"})

    assert_is_one_sentence_naming("AllowedHosts", str(refused.value))


@pytest.mark.parametrize(
    ("schedule", "period"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("cron(* * * * ? *)", 60),
        ("cron(*/5 8-18 ? * MON-FRI *)", 300),
        ("cron(0-59/2 * * * ? *)", 120),
        ("cron(3/4 * LW * ? *)", 240),
        ("cron(* 0,6,12-18/2 ? JAN-MAR,12 SUN#1 2026-2030)", 60),
    ],
)
def test_the_period_of_a_schedule_is_that_of_its_minutes(schedule: str, period: int) -> None:
    settings = PollerSettings.from_environment({**POLLER, "SCHEDULE_EXPRESSION": schedule})

    assert settings.schedule_period == period


@pytest.mark.parametrize("schedule", SCHEDULES_TAKEN)
def test_every_schedule_that_the_template_takes_has_a_period(schedule: str) -> None:
    settings = PollerSettings.from_environment({**POLLER, "SCHEDULE_EXPRESSION": schedule})

    assert settings.schedule_period in {60, 120, 180, 240, 300}


@pytest.mark.parametrize(
    ("given", "lacking"), [("MATCH_VALUE", "MatchProperty"), ("MATCH_PROPERTY", "MatchValue")]
)
def test_half_a_match_names_the_other_half(given: str, lacking: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        PollerSettings.from_environment({**POLLER, given: "$.data.sayhello.location"})

    assert_is_one_sentence_naming(lacking, str(refused.value))


def test_a_ca_bundle_without_certificates_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate at all")

    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment({**BOTH, "CA_BUNDLE_PATH": str(bundle)})

    assert_is_one_sentence_naming("CaBundlePath", str(refused.value))


@pytest.mark.parametrize(
    ("parameter", "name"),
    [("KeptnApiUrl", "KEPTN_API_URL"), ("Drain", "DRAIN"), ("CaBundlePath", "CA_BUNDLE_PATH")],
)
def test_a_parameter_has_its_variable(parameter: str, name: str) -> None:
    assert variable(parameter) == name


def assert_is_one_sentence_naming(parameter: str, text: str) -> None:
    assert parameter in text
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 800


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@keptn.example.com/api",
        "https://:secret@keptn.example.com/api",
        "ftp://user:secret@keptn.example.com/api",
        "https://user:secret#@keptn.example.com/api",
        "https://user:/secret@keptn.example.com/api",
        "https://user:secret@@keptn.example.com/api",
    ],
)
def test_a_password_in_a_url_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"KeptnApiUrl is ") as refused:
        Settings.from_environment({"KEPTN_API_URL": url})

    assert "secret" not in str(refused.value).partition(": ")[0]
    assert "secret" not in str(refused.value).partition("KeptnApiUrl is")[2]
