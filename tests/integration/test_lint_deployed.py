"""`lint-config --stack`: a job config is checked against what a plane is deployed with."""

import json
from pathlib import Path

import boto3
import pytest

from cli import lint_config
from cli.runs.aws import Aws
from local.operating import publish
from local.stack import Stack

STACK = "plane"
CONFIG = """\
apiVersion: v2
actions:
  - name: all
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks:
      - {http: {url: "https://hooks.example.com/x"}}
      - {http: {url: "https://other.example.com:8443/x"}}
      - {http: {url: "https://$(HOST)/x"}, env: [{name: HOST, value: hooks/host, valueFrom: secretKey}]}
      - {lambda: smoke}
      - {lambda: gone}
      - {lambda: forbidden}
      - {image: "alpine:3", env: [{name: missing, valueFrom: secret}]}
      - {image: "alpine:4", secretFiles: [{name: absent, mountPath: /etc/x}]}
      - {stateMachine: load}
      - {stateMachine: lost}
      - {stateMachine: foreign}
"""


@pytest.fixture
def deployed(aws: None) -> Stack:
    """A plane with a few rules, in moto's AWS."""
    parameters = {
        "KeptnApiUrl": "https://keptn.example.com/api",
        "AllowedHosts": "hooks.example.com",
        "AllowedLambdas": "smoke,gone",
        "AllowedStateMachines": "load,lost",
        "AllowedImages": "alpine:*",
        "SecretPrefix": "keptn/",
    }
    resources = {
        "LedgerTable": "ledger",
        "Allowlists": "allowlists",
        "ApiTokenSecret": "token",
        "FailureQueue": "queue",
        "TimerQueue": "timers",
        "PollerFunction": "poller",
        "WorkerFunction": "worker",
        "WorkerRole": "role",
        "Schedule": "schedule",
        **{f"{name}LogGroup": name for name in ("Poller", "Worker", "Lifecycle")},
    }
    stack = Stack(STACK, "eu-west-1", "123456789012", parameters=parameters, resources=resources)
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    worker = stack.function("WorkerFunction")
    for name, variables in ((worker.name, dict(worker.variables)), ("smoke", {})):
        boto3.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="x",
            Code={"ZipFile": b"nothing"},
            Environment={"Variables": variables},
        )
    boto3.client("stepfunctions").create_state_machine(name="load", definition="{}", roleArn=role)
    boto3.client("secretsmanager").create_secret(Name="keptn/hooks", SecretString=json.dumps({"host": "x"}))
    publish(Aws(region="eu-west-1").client, STACK, stack.outputs(), parameters)
    return stack


def test_all_that_a_job_config_names_is_the_planes(
    deployed: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)

    assert lint_config.main([str(file), "--stack", STACK]) == 1

    found = [line.removeprefix(f"{file}, actions[0].tasks") for line in capsys.readouterr().out.splitlines()]
    assert found == [
        "[1].http.url: the plane may not call other.example.com:8443 (AllowedHosts: hooks.example.com)",
        "[4].lambda: the Lambda function gone is not there",
        "[5].lambda: the plane may not invoke forbidden (AllowedLambdas: gone, smoke)",
        "[6].image: the plane runs no containers (Containers=disabled)",
        "[6].env[0]: the secret keptn/missing is not there",
        "[7].image: the plane runs no containers (Containers=disabled)",
        "[7].secretFiles: the secret keptn/absent is not there",
        "[9].stateMachine: the state machine lost is not there",
        "[10].stateMachine: the plane may not start foreign (AllowedStateMachines: load, lost)",
    ]


def test_an_image_that_the_plane_does_not_allow_is_a_problem(
    deployed: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.replace("alpine:3", "busybox"))

    assert lint_config.main([str(file), "--stack", STACK]) == 1

    assert "expected an image that this deployment allows, found 'busybox'" in capsys.readouterr().out


def test_what_the_plane_takes_has_no_problems(
    deployed: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(CONFIG.splitlines()[:6]) + "\n      - {lambda: smoke}\n")

    assert lint_config.main([str(file), "--stack", STACK]) == 0


def test_the_planes_rules_and_those_of_the_command_line_do_not_mix(
    deployed: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint_config.main(["x", "--stack", STACK, "--allowed-images", "*"]) == 2
    assert "leave out the other options" in capsys.readouterr().err


def test_a_stack_that_is_not_there_is_no_result(aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint_config.main(["x", "--stack", "nowhere"]) == 2
    assert "there is no stack nowhere in eu-west-1" in capsys.readouterr().err
