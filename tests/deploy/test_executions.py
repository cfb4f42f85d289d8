"""Tasks that a state machine does, by the deployed worker; and the recipes, as far as MiniStack goes."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.example import PROJECT
from local.keptn.server import KeptnServer
from runners.state_machine import read_output
from tests.deploy.emulator import Emulator
from tests.deploy.planes import Sequence, deploy, parameters, serving
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.waiting import until

REGION = "eu-north-1"
RECIPES = Path(__file__).parents[2] / "docs" / "state-machines"
SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {name: shipyard}
spec:
  stages: [{name: dev, sequences: [{name: loading, tasks: [{name: load}]}]}]
"""
JOB_CONFIG = """\
apiVersion: v2
actions:
  - name: Load
    events: [{name: sh.keptn.event.load.triggered}]
    tasks:
      - name: Load
        stateMachine: load-for
        env: [{name: USERS, value: $.data.load.users, valueFrom: event}]
"""
LOAD_FOR: dict[str, Any] = {
    "StartAt": "Load",
    "States": {
        "Load": {"Type": "Wait", "SecondsPath": "$.event.data.load.seconds", "Next": "Done"},
        "Done": {
            "Type": "Pass",
            "Parameters": {"result": "pass", "message.$": "States.Format('{} users', $.env.USERS)"},
            "End": True,
        },
    },
}
SHORT, LONG = 1, 600


@pytest.fixture(scope="module")
def keptn() -> Iterator[KeptnServer]:
    """A control plane with a project whose tasks a state machine does."""
    with serving(SHIPYARD, JOB_CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def machine(aws: Emulator) -> str:
    """The state machine's ARN."""
    return make(aws, "load-for", LOAD_FOR)


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer, machine: str) -> Stack:
    given = parameters(
        keptn, EventTypes="sh.keptn.event.load.triggered", AllowedStateMachines="another,load-for"
    )
    assert machine
    made = deploy(sam, "executions", REGION, given, keptn.token)
    made.tick()
    return made


def make(aws: Emulator, name: str, definition: object) -> str:
    client = aws.client("stepfunctions", REGION)
    made = client.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role_of(aws, "states")
    )
    return str(made["stateMachineArn"])


def role_of(aws: Emulator, service: str) -> str:
    """One that a service may take on, and that may do everything."""
    iam, name = aws.client("iam", REGION), f"everything-by-{service}"
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = {"Version": "2012-10-17", "Statement": [trusted]}
    granted = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    if name not in {each["RoleName"] for each in iam.list_roles()["Roles"]}:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(granted))
    return str(iam.get_role(RoleName=name)["Role"]["Arn"])


def load(keptn: KeptnServer, seconds: int) -> Sequence:
    return Sequence(keptn, "loading", {"load": {"users": 100, "seconds": seconds}})


def status_of(stack: Stack, sequence: Sequence) -> str:
    """Of the only execution for a sequence's task; empty if there is none."""
    client = stack.client("stepfunctions")
    (machine,) = [
        each["stateMachineArn"]
        for each in client.list_state_machines()["stateMachines"]
        if each["name"] == "load-for"
    ]
    found = [
        client.describe_execution(executionArn=each["executionArn"])
        for each in client.list_executions(stateMachineArn=machine)["executions"]
    ]
    ours = [each for each in found if json.loads(each["input"])["context"] == sequence.context]
    assert len(ours) <= 1
    return str(ours[0]["status"]) if ours else ""


def test_an_executions_output_reaches_keptn(stack: Stack, keptn: KeptnServer) -> None:
    sequence = load(keptn, SHORT)

    assert sequence.comes_to(1, 1)
    (finished,) = sequence.events("finished")
    assert (finished["data"]["result"], finished["data"]["message"]) == ("pass", "100 users")
    events = keptn.keptn.events(sequence.context)
    said = [each["data"]["message"] for each in events if each["type"].endswith("status.changed")]
    assert any("/states/home" in each for each in said)


def test_with_the_rule_disabled_the_poller_sees_the_end(stack: Stack, keptn: KeptnServer) -> None:
    events = stack.client("events")
    (rule,) = [each for each in events.list_rules()["Rules"] if "ExecutionEndRule" in each["Name"]]
    events.disable_rule(Name=rule["Name"])

    sequence = load(keptn, SHORT)
    assert sequence.comes_to(1, 1)
    events.enable_rule(Name=rule["Name"])


def test_an_abort_stops_the_execution(stack: Stack, keptn: KeptnServer) -> None:
    sequence = load(keptn, LONG)
    assert until(lambda: status_of(stack, sequence) == "RUNNING", 150)

    keptn.keptn.control(PROJECT, sequence.context, "abort")

    assert until(lambda: status_of(stack, sequence) == "ABORTED", 150)


def test_a_deleted_stack_stops_the_execution(stack: Stack, keptn: KeptnServer) -> None:
    sequence = load(keptn, LONG)
    assert until(lambda: status_of(stack, sequence) == "RUNNING", 150)

    stack.remove()

    assert status_of(stack, sequence) == "ABORTED"
    assert sequence.counts() == (1, 1)


GIVEN = {
    "event": {"id": "1", "data": {"load": {"regions": ["eu-west-1", "ap-southeast-2"]}}},
    "env": {"IMAGE": "web:2", "DATASET": "s3://data", "USERS": "100", "TOPIC_ARN": "none yet"},
    "project": "podtato",
    "stage": "dev",
    "service": "web",
    "context": "context",
}
LOAD_FROM = """
def handler(event, _):
    return {"region": event["region"], "requests": 7 * int(event["users"])}
"""


def execute(aws: Emulator, name: str, given: object, *, region: str = REGION) -> str:
    """Start a recipe; its execution's ARN."""
    arn = make(aws, f"recipe-{name}", json.loads((RECIPES / f"{name}.asl.json").read_text()))
    client = aws.client("stepfunctions", region)
    return str(client.start_execution(stateMachineArn=arn, input=json.dumps(given))["executionArn"])


def end_of(aws: Emulator, arn: str) -> dict[str, Any]:
    client = aws.client("stepfunctions", REGION)
    assert until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING", 60)
    found: dict[str, Any] = client.describe_execution(executionArn=arn)
    return found


@pytest.mark.parametrize(("name", "service"), [("codebuild", "codebuild"), ("batch", "batch")])
def test_a_recipe_reaches_a_service_whose_jobs_the_emulator_does_not_run(
    aws: Emulator, name: str, service: str
) -> None:
    end = end_of(aws, execute(aws, name, GIVEN))

    assert end["status"] == "FAILED"
    assert f"{service}:" in end["cause"]
    assert "not yet implemented" in end["cause"]


def test_the_load_test_comes_from_each_region(aws: Emulator, tmp_path: Path) -> None:
    function_named(aws, "load-from", LOAD_FROM, tmp_path)

    end = end_of(aws, execute(aws, "load-test", GIVEN))

    outcome = read_output(end["output"])
    assert outcome.message == "2 regions put load on web"
    assert outcome.data["regions"] == [
        {"region": "eu-west-1", "requests": 700},
        {"region": "ap-southeast-2", "requests": 700},
    ]


def test_an_approval_waits_for_whoever_answers(aws: Emulator) -> None:
    sqs, sns = aws.client("sqs", REGION), aws.client("sns", REGION)
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    queue = sqs.create_queue(QueueName="mailbox", Attributes={"Policy": policy})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    topic = sns.create_topic(Name="approvals")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
    )

    arn = execute(aws, "approval", GIVEN | {"env": {"TOPIC_ARN": topic}})
    asked: list[dict[str, Any]] = []

    def is_asked() -> bool:
        asked.extend(sqs.receive_message(QueueUrl=queue).get("Messages", ()))
        return bool(asked)

    assert until(is_asked, 30)
    answer = {"result": "fail", "message": "not on a Friday"}
    aws.client("stepfunctions", REGION).send_task_success(
        taskToken=asked[0]["Body"].split()[-1], output=json.dumps(answer)
    )

    outcome = read_output(end_of(aws, arn)["output"])
    assert (outcome.result, outcome.message) == ("fail", "not on a Friday")


def function_named(aws: Emulator, name: str, source: str, scratch: Path) -> None:
    package = scratch / "function.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("main.py", source)
    aws.client("lambda", REGION).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="main.handler",
        Role=role_of(aws, "lambda"),
        Code={"ZipFile": package.read_bytes()},
    )
