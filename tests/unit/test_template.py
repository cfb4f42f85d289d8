"""The template's parameters: what whoever deploys it is told, and what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from local.aws import read_template

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


def test_the_console_groups_and_labels_every_parameter_once() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]

    assert sorted(grouped) == sorted(PARAMETERS)
    assert interface["ParameterLabels"].keys() == PARAMETERS.keys()


def test_the_readme_lists_every_parameter_with_its_default_and_description() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert rows == [
        (name, default_text(parameter), parameter["Description"]) for name, parameter in PARAMETERS.items()
    ]


def test_the_operations_page_names_what_stays_of_a_deleted_stack() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)`.*\| `aws [^|]*` \|$", page, re.MULTILINE))

    assert rows == {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if "Retain" in resource.get("DeletionPolicy", "")
    }


def test_nothing_that_outlives_a_stack_is_left_by_one_that_could_not_be_made() -> None:
    policies = {resource.get("DeletionPolicy") for resource in TEMPLATE["Resources"].values()}

    assert policies == {None, "RetainExceptOnCreate"}


def default_text(parameter: dict[str, Any]) -> str:
    """A default as the README's table of parameters shows it."""
    if "Default" not in parameter:
        return "required"
    return f"`{parameter['Default']}`" if parameter["Default"] != "" else "empty"


@pytest.mark.parametrize(
    "schedule",
    [
        "rate(1 minute)",
        "rate(2 minutes)",
        "rate(5 minutes)",
        "cron(* * * * ? *)",
        "cron(*/1 * * * ? *)",
        "cron(*/5 8-18 ? * MON-FRI *)",
        "cron(0/3 * * * ? *)",
        "cron(*/5 8-18 ? * mon-fri *)",
        "cron(0-59/2 * * * ? *)",
        "cron(1/5 0,6,12-18/2 ? JAN-MAR,12 SUN#1 2026-2030)",
        "cron(3/4 * LW * ? *)",
        "cron(* 08 1,15W * ? *)",
    ],
)
def test_a_schedule_of_up_to_five_minutes_is_taken(schedule: str) -> None:
    assert re.fullmatch(PARAMETERS["ScheduleExpression"]["AllowedPattern"], schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "rate(6 minutes)",
        "rate(10 minutes)",
        "rate(1 hour)",
        "rate(0 minutes)",
        "cron(*/6 * * * ? *)",
        "cron(*/10 * * * ? *)",
        "cron(*/50 * * * ? *)",
        "cron(0 * * * ? *)",
        "cron(0,30 * * * ? *)",
        "cron(* * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(* 99 * * ? *)",
        "cron(* 8-24 * * ? *)",
        "cron(4/3 * * * ? *)",
        "cron(1-59/2 * * * ? *)",
        "cron(*/2",
        "at(2026-01-01T00:00:00)",
    ],
)
def test_a_slower_or_broken_schedule_is_refused(schedule: str) -> None:
    assert not re.fullmatch(PARAMETERS["ScheduleExpression"]["AllowedPattern"], schedule)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KeptnApiUrl", "keptn.example.com/api"),
        ("KeptnApiUrl", "https://user@keptn.example.com/api"),
        ("KeptnApiUrl", "https://keptn.example.com/api?x=1"),
        ("KeptnApiTokenSecretArn", "my-secret"),
        ("EventTypes", ""),
        ("EventTypes", "sh.keptn.event.*"),
        ("EventTypes", "sh.keptn.event.dev.sequence1.triggered"),
        ("EventTypes", "sh.keptn.event.sayhello.finished"),
        ("EventTypes", "sh.keptn.event.a.triggered,"),
        ("Projects", "one two"),
        ("MatchProperty", "data.sayhello.location"),
        ("MatchProperty", "$.data["),
        ("MatchProperty", '$.data["say'),
        ("MatchProperty", '$.data["say hello]'),
        ("MatchProperty", "$.data]"),
        ("Services", "shop/v2"),
        ("Services", "one,,two"),
        ("Services", "-cart"),
        ("LedgerTableName", "arn:aws:dynamodb:eu-west-1:123456789012:table/ledger"),
        ("VpcSubnetIds", "subnet-1, subnet-2"),
        ("VpcSecurityGroupIds", "default"),
        ("HttpsProxy", "proxy:3128"),
        ("CaBundlePath", "ca.pem"),
        ("AlarmTopicArn", "my-topic"),
        ("PermissionsBoundaryArn", "boundary"),
        ("ScheduleTimezone", ""),
        ("AllowedLambdas", "one, two"),
        ("AllowedLambdas", "*"),
        ("AllowedHosts", "*"),
        ("AllowedHosts", "https://hooks.example.com"),
        ("AllowedHosts", "hooks.example.com, example.com"),
        ("AllowedHosts", "hooks.*.com"),
        ("AllowedHosts", "[::1]"),
        ("SecretPrefix", "keptn"),
        ("SecretPrefix", "*/"),
        ("ContainerTaskRoles", "deployer"),
        ("ContainerTaskRoles", "arn:aws:iam::123456789012:role/a, arn:aws:iam::123456789012:role/b"),
        ("ContainerInitImage", ""),
    ],
)
def test_what_could_not_work_is_refused_before_anything_is_made(name: str, value: str) -> None:
    assert not re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KeptnApiUrl", "https://keptn.example.com/api"),
        ("KeptnApiUrl", "http://10.0.0.1:8080/prefix/api/"),
        (
            "KeptnApiTokenSecretArn",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keptn/token-AbCdEf",
        ),
        ("KeptnApiTokenSecretArn", "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:t-AbCdEf"),
        ("EventTypes", "sh.keptn.event.a.triggered,sh.keptn.event.b-c.triggered, sh.keptn.event.d.triggered"),
        ("Projects", "one,two, three-3"),
        ("MatchProperty", "$.data.sayhello.location"),
        ("MatchProperty", "$['data']['say hello'][0]"),
        ("MatchProperty", '$.data["say-hello"].location'),
        ("MatchProperty", '$.data["a]b"]["c[d"]'),
        ("Services", "cart_db,shop.v2, GetAllPointsHistory"),
        ("Stages", "dev,Hardening_1"),
        ("LedgerTableName", "hello-apac-LedgerTable-A12AF7604C2AC"),
        ("VpcSubnetIds", "subnet-0a1b2c3d,subnet-0123456789abcdef0"),
        ("HttpsProxy", "http://proxy.example.com:3128"),
        ("NoProxy", ".amazonaws.com,169.254.169.254,10.0.0.0/8"),
        ("CaBundlePath", "/opt/python/ca.pem"),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:ops"),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/team/boundary"),
        ("ScheduleTimezone", "America/Argentina/Buenos_Aires"),
        ("AllowedLambdas", "load-test,smoke_test"),
        ("AllowedHosts", "hooks.example.com,*.example.org,internal:8443,*.example.net:9000"),
        ("SecretPrefix", "keptn/"),
        ("SecretPrefix", "team-a/keptn/"),
        ("ContainerTaskRoles", "arn:aws:iam::123456789012:role/a,arn:aws-cn:iam::123456789012:role/path/b"),
    ],
)
def test_what_works_is_taken(name: str, value: str) -> None:
    assert re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)
