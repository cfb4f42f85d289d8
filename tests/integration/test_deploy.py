"""`deploy` from its first check to its last line; AWS is moto's, Keptn the local one, SAM does nothing."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.cloudformation.models import cloudformation_backends
from typer.testing import CliRunner, Result

import cli.deploy
from cli.planefile import configuration, read
from local.keptn.faults import Answer
from local.keptn.server import KeptnServer
from tests.deploy.terminal import converse
from tests.support.application import ROOT

ACCOUNT, REGION, STACK = "123456789012", "eu-west-1", "plane"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:keptn-AbCdEf"
ENTER = ""


@pytest.fixture(scope="module")
def keptn() -> Iterator[KeptnServer]:
    with KeptnServer(token="the-token") as running:
        yield running


class Desk:
    """Somebody's folder and shell; what the SAM CLI was called with, and how it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / f"samconfig-{STACK}.toml"
        self.called: list[tuple[str, ...]] = []
        self.fails_at = ""
        self.variables: dict[str, str] = {}

    def sam(self, *command: str) -> int:
        self.called.append(command[1:])
        if command[1] == self.fails_at:
            return 1
        if command[1] == "deploy" and not cloudformation_backends[ACCOUNT][REGION].stacks:
            self.make_stack(read(self.file).parameters)
        return 0

    @property
    def secret(self) -> str | None:
        """The stack's own, once it is deployed."""
        found = boto3.client("secretsmanager").list_secrets()["SecretList"]
        return found[0]["ARN"] if found else None

    def make_stack(self, parameters: Mapping[str, str], status: str = "CREATE_COMPLETE") -> None:
        secret = self.secret or boto3.client("secretsmanager").create_secret(Name="token")["ARN"]
        template: dict[str, Any] = {
            "Parameters": {name: {"Type": "String"} for name in parameters},
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {"ApiTokenSecretArn": {"Value": secret}},
        }
        given: list[Any] = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ]
        boto3.client("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(template), Parameters=given
        )
        (made,) = cloudformation_backends[ACCOUNT][REGION].stacks.values()
        made.status = status

    def deploy(self, *answers: str, options: tuple[str, ...] = ()) -> Result:
        arguments = ["--stack-name", STACK, *options]
        environment = {"AWS_DEFAULT_REGION": REGION, "COLUMNS": "200", **self.variables}
        typed = "".join(f"{answer}\n" for answer in answers)
        return CliRunner().invoke(cli.deploy.app, arguments, input=typed, env=environment)


@pytest.fixture
def desk(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.deploy, "run", made.sam)
    monkeypatch.setattr("cli.target.has_python", lambda _: True)
    return made


def test_before_the_first_question_account_region_stack_and_its_state_are_said(
    desk: Desk, keptn: KeptnServer
) -> None:
    desk.variables["KEPTN_API_TOKEN"] = keptn.token

    shown = desk.deploy(keptn.url, ENTER, ENTER, "$.data.sayhello.location=APAC")

    assert shown.exit_code == 0, shown.output
    first, second, *_ = shown.output.splitlines()
    assert first == f"The stack {STACK} in {REGION}, account {ACCOUNT} (as user/moto), is new."
    assert second == f"Five questions; the answers are kept in {desk.file.name}."
    assert f"✓ Keptn                1.4.5 at {keptn.url} takes KEPTN_API_TOKEN." in shown.output
    assert [each[0] for each in desk.called] == ["build", "deploy"]
    assert "stack" in shown.output.partition("Keptn's API token is now in")[2]  # the doctor's lines
    assert keptn.token not in shown.output + desk.file.read_text() + str(desk.called)
    value = boto3.client("secretsmanager").get_secret_value(SecretId=desk.secret or "")
    assert value["SecretString"] == keptn.token


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (lambda patch: patch.setattr("cli.target.has_python", lambda _: False), "which is not on the PATH"),
        (lambda patch: patch.delenv("AWS_DEFAULT_REGION"), "no AWS region is known: give --region"),
        (
            lambda patch: patch.setattr("botocore.session.Session.get_credentials", lambda _: None),
            "log in to AWS, or give --profile",
        ),
    ],
)
def test_what_is_missing_is_said_before_the_first_question(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, arrange: Callable[[pytest.MonkeyPatch], None], said: str
) -> None:
    arrange(monkeypatch)

    shown = CliRunner().invoke(cli.deploy.app, ["--stack-name", STACK])

    assert shown.exit_code == 2
    assert said in shown.output
    assert "Keptn's API" not in shown.output


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UPDATE_IN_PROGRESS", "plane is UPDATE_IN_PROGRESS: deploy again once CloudFormation is done."),
        ("DELETE_FAILED", "plane is DELETE_FAILED: its events in CloudFormation say what is in the way"),
        ("UPDATE_ROLLBACK_FAILED", "`aws cloudformation continue-update-rollback` goes on with it."),
    ],
)
def test_a_stack_that_can_not_be_updated_is_said_before_the_first_question(
    desk: Desk, status: str, said: str
) -> None:
    desk.make_stack({"KeptnApiUrl": "https://keptn.example.com/api"}, status)

    shown = desk.deploy()

    assert (shown.exit_code, desk.called) == (2, [])
    assert said in shown.output


def test_a_stack_of_something_else_is_left_alone(desk: Desk) -> None:
    desk.make_stack({"Other": "x"})

    assert "plane is a stack of something else: give another name" in desk.deploy().output


def test_a_stack_that_was_rolled_back_when_it_was_made_makes_room(desk: Desk, keptn: KeptnServer) -> None:
    desk.make_stack({"KeptnApiUrl": keptn.url}, "ROLLBACK_COMPLETE")
    desk.file.write_text(configuration(STACK, REGION, {"KeptnApiUrl": keptn.url}))
    desk.variables["KEPTN_API_TOKEN"] = keptn.token

    shown = desk.deploy()

    assert shown.exit_code == 0, shown.output
    assert "its name is freed first" in shown.output


def test_a_stack_that_was_deployed_from_elsewhere_asks_nothing_and_keeps_its_parameters(
    desk: Desk, keptn: KeptnServer
) -> None:
    desk.make_stack({"KeptnApiUrl": keptn.url, "OauthSecretArn": SECRET, "Drain": "false", "Gone": "x"})

    shown = desk.deploy()

    assert shown.exit_code == 0, shown.output
    assert read(desk.file).parameters == {"KeptnApiUrl": keptn.url, "OauthSecretArn": SECRET}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["keptn.example.com"], "KeptnApiUrl must be a plain URL"),
        (["https://keptn.example.com"], "should end in /api: https://keptn.example.com/api?"),
        (["https://keptn.example.com/api", "password"], "it must be token, secret or oauth."),
        (
            ["https://keptn.example.com/api", "secret", SECRET.replace(REGION, "us-east-1")],
            "that secret is in us-east-1, and the plane in eu-west-1 reads it there only",
        ),
        (
            ["https://keptn.example.com/api", "oauth", SECRET.replace(ACCOUNT, "000000000000")],
            "that secret is in the account 000000000000, and the plane in 123456789012",
        ),
        (
            ["https://keptn.example.com/api", ENTER, ENTER, "$.data.sayhello.location==APAC"],
            "write one =, as in $.data.sayhello.location=APAC.",
        ),
        (
            ["https://keptn.example.com/api", ENTER, ENTER, "$.data.sayhello.location"],
            "it must be a JSONPath, = and a value, or empty.",
        ),
    ],
)
def test_a_wrong_answer_is_refused_where_it_is_typed(desk: Desk, answers: list[str], said: str) -> None:
    shown = desk.deploy(*answers)

    assert said in shown.output
    assert shown.exit_code == 1  # there are no more answers
    assert shown.output.rstrip().endswith("Aborted.")
    assert not desk.file.exists()
    assert desk.called == []


def test_a_token_that_keptn_refuses_is_said_before_anything_is_made(desk: Desk, keptn: KeptnServer) -> None:
    desk.file.write_text(configuration(STACK, REGION, {"KeptnApiUrl": keptn.url}))
    desk.variables["KEPTN_API_TOKEN"] = "another"

    shown = desk.deploy()

    assert "✗ Keptn" in shown.output
    assert "check KEPTN_API_TOKEN" in shown.output
    assert "another" not in shown.output


def test_a_keptn_that_is_not_reached_from_here_is_no_error(desk: Desk) -> None:
    desk.file.write_text(configuration(STACK, REGION, {"KeptnApiUrl": "http://127.0.0.1:9/api"}))
    desk.variables["KEPTN_API_TOKEN"] = "the-token"

    shown = desk.deploy()

    assert shown.exit_code == 0, shown.output
    assert "? Keptn                not reached from this machine, which says nothing of AWS" in shown.output


def test_a_keptn_that_takes_no_more_questions_is_no_error(desk: Desk, keptn: KeptnServer) -> None:
    keptn.faults.add(Answer(429))
    desk.file.write_text(configuration(STACK, REGION, {"KeptnApiUrl": keptn.url}))
    desk.variables["KEPTN_API_TOKEN"] = keptn.token

    shown = desk.deploy()

    keptn.faults.clear()
    assert shown.exit_code == 0, shown.output
    assert "? Keptn                it answers nothing just now" in shown.output


@pytest.mark.parametrize("command", ["build", "deploy"])
def test_after_a_failure_only_what_is_missing_is_asked_again(
    desk: Desk, keptn: KeptnServer, command: str
) -> None:
    desk.variables["KEPTN_API_TOKEN"] = keptn.token
    desk.fails_at = command
    failed = desk.deploy(keptn.url, ENTER, ENTER, ENTER)
    assert failed.exit_code == 1
    assert f"`./plane deploy` goes on with {desk.file.name}, and asks for the token again." in failed.output

    desk.fails_at = ""
    shown = desk.deploy()

    assert shown.exit_code == 0, shown.output
    assert "Five questions" not in shown.output
    assert "Keptn's API token is now in" in shown.output


def test_the_token_is_asked_for_as_long_as_the_stacks_secret_is_empty(desk: Desk, keptn: KeptnServer) -> None:
    desk.file.write_text(configuration(STACK, REGION, {"KeptnApiUrl": keptn.url}))
    desk.make_stack({"KeptnApiUrl": keptn.url})

    lacking = desk.deploy()
    assert lacking.exit_code == 2
    assert "nobody is there to type Keptn's API token: put it into KEPTN_API_TOKEN." in lacking.output

    boto3.client("secretsmanager").put_secret_value(SecretId=desk.secret or "", SecretString="x")
    assert desk.deploy().exit_code == 0


def test_what_differs_between_file_and_stack_is_said_before_it_is_deployed(
    desk: Desk, keptn: KeptnServer
) -> None:
    stack = {"KeptnApiUrl": keptn.url, "OauthSecretArn": SECRET, "MatchValue": "APAC", "LogLevel": "INFO"}
    desk.make_stack(stack | {"HttpsProxy": "http://user:secret@proxy:3128"})
    file = {"KeptnApiUrl": keptn.url, "OauthSecretArn": SECRET, "PollIntervalSeconds": "20"}
    desk.file.write_text(configuration(STACK, REGION, file))

    lines = desk.deploy().output.splitlines()

    assert lines[1:5] == [
        "The parameters are those in samconfig-plane.toml.",
        "  PollIntervalSeconds: '' → '20'",
        "  MatchValue: stays 'APAC', which the file does not name",
        "  HttpsProxy: stays 'http://***@proxy:3128', which the file does not name",
    ]


def test_what_is_no_parameter_is_refused_before_anything_is_made(desk: Desk) -> None:
    given = {"KeptnApiUrl": "https://keptn.example.com/api", "PolIntervalSeconds": "5"}
    desk.file.write_text(configuration(STACK, REGION, given))

    shown = desk.deploy()

    assert (shown.exit_code, desk.called) == (2, [])
    assert "PolIntervalSeconds is no parameter: is PollIntervalSeconds meant?" in shown.output


def test_a_parameter_of_an_earlier_version_is_left_out_with_a_word(desk: Desk, keptn: KeptnServer) -> None:
    given = {"KeptnApiUrl": keptn.url, "KeptnApiToken": "x", "OauthSecretArn": SECRET}
    desk.file.write_text(configuration(STACK, REGION, given))

    shown = desk.deploy()

    assert shown.exit_code == 0, shown.output
    assert "KeptnApiToken is no parameter any more, and is left out" in shown.output


def test_a_profile_is_kept_for_all_that_follows(desk: Desk, keptn: KeptnServer) -> None:
    (desk.folder / "aws").write_text("[profile ops]\naws_access_key_id = x\naws_secret_access_key = x\n")
    desk.variables |= {"KEPTN_API_TOKEN": keptn.token, "AWS_CONFIG_FILE": str(desk.folder / "aws")}

    shown = desk.deploy(keptn.url, ENTER, ENTER, ENTER, options=("--profile", "ops"))

    assert shown.exit_code == 0, shown.output
    assert read(desk.file).profile == "ops"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "an answer is needed."),
        ("a b", "that has blanks; paste the token alone."),
        ("first\nsecond", "that has 2 lines; the token is one."),
        ("töken", "the token has a line break, or another character that no header can have."),
    ],
)
def test_a_token_that_is_none_is_asked_for_again_in_our_own_words(
    tmp_path: Path, typed: str, said: str
) -> None:
    program = "from cli.questions import ask_token; print('length', len(ask_token()))"

    shown = converse(
        [sys.executable, "-c", program],
        [("Keptn's API token", typed), (rf"{said}\n.*Keptn's API token", "the-token")],
        directory=tmp_path,
        environment={"PYTHONPATH": f"{ROOT}:{ROOT}/layers/execution_plane", "PATH": ""},
    )

    assert f"Error: {said}" in shown
    assert "length 9" in shown
    assert not [word for word in ("the-token", "second", "töken", "a b") if word in shown]
