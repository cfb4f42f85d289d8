"""`./plane` against a deployed stack, by an operator with no more rights than docs/operations.md lists."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.conftest import JOB_CONFIG, SHIPYARD
from tests.deploy.planes import TICKS_SECONDS, TYPES, Sequence, deploy, parameters, serving
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.application import ROOT
from tests.support.waiting import until

REGION = "ap-southeast-2"
ACTION = re.compile(r"`([a-z0-9]+:[A-Z]\w+)`")
LOADING = """\
        - name: loading
          tasks:
            - name: load
"""
LOAD = """\
  - name: Load
    events: [{name: sh.keptn.event.load.triggered}]
    tasks: [{name: Load, image: alpine, cmd: [sleep], args: ["60"]}]
"""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    problem: str

    @property
    def told(self) -> Any:
        """What it printed with `--json`."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """Somebody at a shell with AWS credentials."""

    stack: Stack
    variables: dict[str, str]

    def __call__(self, *arguments: str) -> Said:
        done = subprocess.run(
            [str(ROOT / "plane"), *arguments, "--stack", self.stack.name],
            cwd=ROOT,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def keptn() -> Iterator[KeptnServer]:
    """A control plane whose project has a task in a container too."""
    with serving(f"{SHIPYARD}{LOADING}", JOB_CONFIG + LOAD) as running:
        yield running


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer) -> Iterator[Stack]:
    """A plane of which each invocation of the poller polls once."""
    given = parameters(
        keptn,
        EventTypes=f"{TYPES},sh.keptn.event.load.triggered",
        Containers="enabled",
        ContainerSubnetIds=a_subnet(sam),
        PollIntervalSeconds="0",
        PollIntervalBusySeconds="0",
        WorkerTimeoutSeconds="120",
    )
    made = deploy(sam, "operated", REGION, given, keptn.token)
    let_containers_start(made)
    yield made
    made.remove()


def let_containers_start(stack: Stack) -> None:
    """The emulator does not know the condition under which the worker's role may start them."""
    statement = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}
    stack.client("iam").put_role_policy(
        RoleName=stack.outputs()["WorkerRoleName"],
        PolicyName="unconditional",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def a_subnet(sam: SamCli) -> str:
    """One of the account's own."""
    found = sam.aws.client("ec2", REGION).describe_subnets()["Subnets"]
    return str(found[0]["SubnetId"])


@pytest.fixture(scope="module")
def operator(stack: Stack, sam: SamCli) -> Operator:
    """May do what the page's table lists."""
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| Command | Actions that it needs |")[2].partition("\n\n")[0]
    return somebody(stack, sam, "operator", ACTION.findall(table))


def somebody(stack: Stack, sam: SamCli, name: str, actions: list[str]) -> Operator:
    """A user of the account who may do some actions, at a shell."""
    iam = stack.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="operating", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    variables = {
        **sam.aws.environment(),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": REGION,
    }
    return Operator(stack, variables)


def begun(stack: Stack, keptn: KeptnServer, name: str, data: dict[str, Any]) -> str:
    """The event id of a task that the plane has started."""
    sequence = Sequence(keptn, name, data)

    def is_started() -> bool:
        stack.tick()
        return bool(sequence.events("started"))

    assert until(is_started, TICKS_SECONDS, pause=2.0)
    return str(sequence.events("triggered")[0]["id"])


@pytest.fixture
def held(stack: Stack, keptn: KeptnServer, let_go: Path) -> Iterator[str]:
    """The event id of a task that runs until the test is over."""
    yield begun(stack, keptn, "holding", {"hold": {"until": str(let_go)}})
    let_go.touch()


def polled(stack: Stack) -> Any:
    """What the poller answers once it has polled."""
    name = stack.outputs()["PollerFunctionName"]
    answer = stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    return json.loads(answer["Payload"].read())


def is_closed(stack: Stack, operator: Operator, task: str) -> bool:
    """Whether a run is closed, once the poller has polled again."""
    stack.tick()
    return bool(operator("show", task, "--json").told["state"] == "closed")


def test_a_run_is_followed_from_its_start_to_its_end(
    stack: Stack, operator: Operator, keptn: KeptnServer, held: str, let_go: Path
) -> None:
    (row,) = [line for line in operator("list").out.splitlines() if line.startswith(held[:8])]
    assert "running" in row
    assert "ends it as errored" in row

    shown = operator("show", held[:8])
    assert (shown.code, shown.problem) == (0, "")
    assert "it counts 1 started and 0 finished of ours. The sequence is started." in shown.out
    assert "Now a worker has it." in shown.out

    let_go.touch()

    assert until(lambda: is_closed(stack, operator, held), TICKS_SECONDS)
    story = operator("show", held, "--json").told
    writers = [moment["who"] for moment in story["history"]]
    assert {"Keptn", "poller", "worker"} == set(writers)
    assert story["result"] == "pass"
    assert held not in [run["event_id"] for run in operator("list", "--json").told]
    assert held[:8] in operator("list", "--closed").out
    assert held[:8] not in operator("list", "--closed", "--failed").out
    logged = operator("logs", held)
    assert logged.code == 0
    assert re.search(r"worker +run done +result=pass", logged.out)


def test_a_run_that_hangs_is_ended_with_one_finished(
    stack: Stack, operator: Operator, keptn: KeptnServer, held: str, let_go: Path
) -> None:
    ended = operator("end", held[:8], "--reason", "it hangs", "--yes")
    assert ended == Said(0, "Ended. The next poll sends Keptn its finished, errored.\n", "")
    assert operator("end", held, "--reason", "it hangs", "--yes").code == 1

    assert until(lambda: is_closed(stack, operator, held), TICKS_SECONDS)
    let_go.touch()

    assert keptn.keptn.counts(held) == (1, 1)
    (row,) = [each for each in operator("list", "--closed", "--failed").out.splitlines() if held[:8] in each]
    assert "An operator ended the task: it hangs" in row
    by = [each for each in operator("show", held, "--json").told["history"] if each["who"] == "operator"]
    assert [each["what"] for each in by] == ["ended by an operator"]


def test_a_run_that_waits_for_its_container_is_ended_with_it(
    stack: Stack, operator: Operator, keptn: KeptnServer
) -> None:
    task = begun(stack, keptn, "loading", {})
    assert until(lambda: operator("show", task, "--json").told["container"] != "", TICKS_SECONDS)
    assert "waits for its container" in operator("list").out
    assert "Now its container runs." in operator("show", task).out

    assert operator("end", task, "--reason", "too much load", "--yes").code == 0

    assert until(lambda: is_closed(stack, operator, task), TICKS_SECONDS)
    assert keptn.keptn.counts(task) == (1, 1)
    ecs = stack.client("ecs")
    assert ecs.list_tasks(cluster=stack.name, desiredStatus="RUNNING")["taskArns"] == []
    assert operator("logs", task).code == 0


def test_a_drained_plane_takes_nothing_until_it_is_resumed(
    stack: Stack, operator: Operator, keptn: KeptnServer
) -> None:
    assert operator("drain").out.startswith("The plane drains from its next tick on; ")
    sequence = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})

    assert polled(stack)["events_listed"] == 1
    assert sequence.events("started") == []
    doctor = operator("doctor")
    assert doctor.code == 1
    assert "✗ drain                the plane takes no new task: `resume`" in doctor.out

    assert operator("resume").out == "The plane takes new tasks from its next tick on.\n"

    stack.tick()
    assert sequence.comes_to(1, 1)


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(
    stack: Stack, operator: Operator, keptn: KeptnServer
) -> None:
    token = stack.outputs()["ApiTokenSecretArn"]
    polled(stack)
    stack.client("secretsmanager").put_secret_value(SecretId=token, SecretString="another")

    found = operator("doctor")

    stack.client("secretsmanager").put_secret_value(SecretId=token, SecretString=keptn.token)
    assert found.code == 1
    token_line, subnet, image = [line for line in found.out.splitlines() if line.startswith("✗")]
    assert token_line.startswith("✗ token")
    assert "check the secret" in token_line
    assert "no route out and no VPC endpoint" in subnet  # as the account's own subnets are, there
    assert "no way to public.ecr.aws/lambda/python:3.13" in image
    assert re.search(r"^✓ polls +the last that succeeded", found.out, re.MULTILINE)


def test_who_may_do_nothing_is_told_what_there_is_to_ask_for(stack: Stack, sam: SamCli) -> None:
    nobody = somebody(stack, sam, "nobody", ["cloudformation:DescribeStacks"])

    said = nobody("list")

    assert (said.code, said.out) == (2, "")
    assert "docs/operations.md lists what each command needs" in said.problem
