"""Whatever a function's code asks of AWS, its role in the template grants; and no more than that.

Nothing that stands for AWS here asks IAM, so a missing grant would be seen nowhere else before a deployment.
"""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

import lifecycle
from cli.template import read_template
from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn.credentials import ApiToken, CombinedCredentials
from execution_plane.keptn.oauth import read_client
from execution_plane.ledger.table import Ledger
from jobs.model import Rules, Task
from local.aws import create_table
from runners.allowlists import StoredAllowlists
from runners.lambda_function import LambdaFunctionRunner
from runners.task_secrets import TaskSecrets
from runs.actions import ActionPerformer
from runs.work_finder import JobConfigWorkFinder
from tests.faults import test_containers_matrix, test_executions_matrix, test_matrix, test_pulse_matrix
from tests.faults.injection import Fault
from tests.faults.simulation import Simulation
from tests.faults.test_matrix import TABLE, client
from tests.faults.test_scenarios import SIMULATED
from tests.support.asking import FINALIZER, HERE, LIFECYCLE, POLLER, WORKER, Asking, noted, secret_arn
from tests.support.aws import aws_in_memory
from tests.support.container_runs import ONE, end
from tests.support.deletion import delete_stack
from tests.support.ecs import CLUSTER
from tests.support.job_configs import ALLOWED, ENVIRON, lookup, use_job_config, write
from tests.support.roles import Permission, Roles
from tests.support.world import Plane
from tests.unit.runners.task_contexts import task_context

EXECUTION = """\
apiVersion: v2
actions:
  - name: Build
    events: [{name: sayhello}]
    tasks: [{name: Build, stateMachine: build}]
"""
ROOT = Path(__file__).parents[2]
FUNCTIONS = (POLLER, WORKER, LIFECYCLE, FINALIZER)
OAUTH = {"clientId": "client", "clientSecret": "secret", "tokenUrl": "https://login.example.com"}
PARAMETERS = {
    "KeptnApiUrl": "https://keptn.example.com/api",
    "KeptnApiTokenSecretArn": secret_arn("token"),
    "OauthSecretArn": secret_arn("oauth"),
    "AllowedLambdas": "load-test,other",
    "AllowedStateMachines": "build",
    "SecretPrefix": "keptn/",
    "Containers": "enabled",
    "ContainerSubnetIds": "subnet-1",
    "ContainerTaskRoles": ALLOWED.task_roles["deployer"],
}
RESOURCES = {
    "AWS::Partition": "aws",
    "ApiTokenSecret.Id": secret_arn("token"),
    "LedgerTable.Arn": f"arn:aws:dynamodb:{HERE}:table/{TABLE}",
    "Allowlists": "/keptn-lambda-executor/plane",
    "FailureQueue.Arn": f"arn:aws:sqs:{HERE}:failures",
    "TimerQueue.Arn": f"arn:aws:sqs:{HERE}:timers",
    "WorkerFunction.Arn": f"arn:aws:lambda:{HERE}:function:worker",
    "FinalizerFunction.Arn": f"arn:aws:lambda:{HERE}:function:finalizer",
    "ContainerCluster": CLUSTER.rpartition("/")[2],
    "ContainerCluster.Arn": CLUSTER,
    "ContainerExecutionRole.Arn": ENVIRON["CONTAINER_EXECUTION_ROLE_ARN"],
    "ContainerTaskRole.Arn": ENVIRON["CONTAINER_TASK_ROLE_ARN"],
    "ContainerBucket.Arn": f"arn:aws:s3:::{ENVIRON['CONTAINER_BUCKET']}",
    "ContainerLogGroup.Arn": f"arn:aws:logs:{HERE}:log-group:/aws/ecs/containers:*",
    **{
        f"{name}LogGroup.Arn": f"arn:aws:logs:{HERE}:log-group:{name}:*"
        for name in ("Poller", "Worker", "Lifecycle")
    },
}


def by_lambda_itself(function: str) -> set[Permission]:
    """What AWS Lambda does with a function's role: its logs, the worker's destination on failure, and
    the mapping from the timers' queue to the poller.
    """
    group = (LIFECYCLE if function == FINALIZER else function).removesuffix("Function")
    stream = f"arn:aws:logs:{HERE}:log-group:{group}:log-stream:new"
    logs = {Permission(f"logs:{operation}", stream) for operation in ("CreateLogStream", "PutLogEvents")}
    queue = {
        WORKER: ("FailureQueue.Arn", ("SendMessage",)),
        POLLER: ("TimerQueue.Arn", ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
    }
    arn, operations = queue.get(function, ("FailureQueue.Arn", ()))
    return logs | {Permission(f"sqs:{operation}", RESOURCES[arn]) for operation in operations}


def roles(**parameters: str) -> Roles:
    """The template's roles, for the resources that the scenarios have; the cluster has the stack's name."""
    return Roles(
        RESOURCES["ContainerCluster"],
        "eu-west-1",
        "123456789012",
        parameters=PARAMETERS | parameters,
        resources=RESOURCES,
    )


class OauthSecret:
    """Credentials that read the OAuth client, and log in nowhere."""

    def __init__(self, secrets: Any) -> None:
        self._secrets = secrets

    def headers(self) -> Mapping[str, str]:
        read_client(self._secrets, "oauth")
        return {}

    def renew(self) -> None:
        pass


class BothCredentials(test_matrix.MotoSimulation):
    """A plane with both kinds of credentials."""

    def new_plane(self, **more: Any) -> Plane:
        plane = super().new_plane(**more)
        client("secretsmanager", "test").create_secret(Name="oauth", SecretString=json.dumps(OAUTH))
        secrets = client("secretsmanager", "functions")
        self.world.credentials = lambda: CombinedCredentials(ApiToken(secrets, "token"), OauthSecret(secrets))
        plane.poller = plane.new_poller()
        return plane


class LedgeredContainers(test_containers_matrix.ContainerSimulation):
    """A plane with containers and a real ledger."""

    def new_plane(self) -> Plane:
        plane = super().new_plane()
        create_table(client("dynamodb", "test"), TABLE, read_template())
        plane.ledger = Ledger(self.injector.wrap_aws(client("dynamodb", "functions")), TABLE)
        plane.poller = plane.new_poller()
        return plane


class LedgeredExecutions(test_executions_matrix.ExecutionSimulation, LedgeredContainers):
    """A plane with executions of one state machine, and a real ledger."""

    job_config = EXECUTION


SIMULATIONS: Mapping[type[Simulation], type[Simulation]] = {
    test_matrix.MotoSimulation: BothCredentials,
    test_containers_matrix.ContainerSimulation: LedgeredContainers,
}


def deleted_with_a_task(simulation: BothCredentials) -> None:
    simulation.trigger()
    simulation.wait(2, 10.0)
    assert delete_stack(simulation.plane) == 1


def deleted_with_a_container(simulation: LedgeredContainers) -> None:
    simulation.cycles(2)
    assert delete_stack(simulation.plane) == 1


def deleted_while_a_container_is_submitted(simulation: LedgeredContainers) -> None:
    simulation.injector.ambush = ("RunTask", 0, Fault.KILLED_AFTER)
    simulation.cycles(2)
    assert delete_stack(simulation.plane) == 1


def drained(simulation: BothCredentials) -> None:
    simulation.plane.drain()
    simulation.trigger()
    simulation.wait(2, 10.0)


def aborted_while_an_execution_is_started(simulation: LedgeredExecutions) -> None:
    simulation.injector.others = simulation.abort
    simulation.injector.ambush = ("StartExecution", 0, Fault.FOLLOWED)
    simulation.cycles(2)


def aborted_while_a_container_is_submitted(simulation: LedgeredContainers) -> None:
    simulation.injector.others = simulation.abort
    simulation.injector.ambush = ("RunTask", 0, Fault.FOLLOWED)
    simulation.cycles(2)


def a_container_with_everything(simulation: BothCredentials) -> None:
    """Files, secrets, and a role of its own; then its log."""
    secrets, s3 = client("secretsmanager", "test"), client("s3", "test")
    secrets.create_secret(Name="keptn/db", SecretString='{"PASSWORD": "s3cr3t!"}')
    secrets.create_secret(Name="keptn/pull", SecretString='{"username": "u", "password": "s3cr3t!"}')
    s3.create_bucket(
        Bucket=ENVIRON["CONTAINER_BUCKET"], CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    fields = (
        "image: alpine",
        "files: [run.sh]",
        "secretFiles: [{name: db, mountPath: /db}]",
        "imagePullSecrets: [{name: pull}]",
    )
    config = ONE.replace("image: alpine", "\n        ".join(fields)).replace(
        "env: [", "env: [{name: db, valueFrom: secret}, "
    )
    for more in ("", "        serviceAccount: deployer\n"):
        use_job_config(
            simulation.plane, config + more, s3=s3, secrets=secrets, SECRET_PREFIX=PARAMETERS["SecretPrefix"]
        )
        write(simulation.plane, {"run.sh": b"true"})
        simulation.trigger()
        simulation.cycles(2)
        end(simulation.plane, "done")
        simulation.cycles(1)


def other_tasks(asking: Asking) -> None:
    """Of the worker: another function, what is allowed, and parameters as secrets."""
    parameters = client("ssm", "test")
    stored = json.dumps({"ALLOWED_LAMBDAS": PARAMETERS["AllowedLambdas"]})
    parameters.put_parameter(Name=RESOURCES["Allowlists"], Value=stored, Type="String")
    allowed = StoredAllowlists(RESOURCES["Allowlists"], lambda: parameters, SystemClock())
    parameters.put_parameter(Name="/keptn/load/USER", Value="u", Type="SecureString")
    with asking.by(WORKER):
        for name in ("load-test", "other"):
            task = Task(0, name="Load", lambda_name=name, given=frozenset({"name", "lambda"}))
            LambdaFunctionRunner(allowed, lambda _: client("lambda", "functions")).run(task, task_context())
        secret = TaskSecrets("ssm", PARAMETERS["SecretPrefix"], lambda _: parameters).find("load")
    assert secret.values == {"USER": "u"}


def the_end_of_a_stack(asking: Asking) -> None:
    """The lifecycle function's part in it; the finalizer, which AWS in memory can't run, is in the others."""
    with pytest.MonkeyPatch.context() as patch, asking.by(LIFECYCLE):
        patch.setenv("FINALIZER_FUNCTION_NAME", "finalizer")
        with pytest.raises(lifecycle.NotFinalized, match="ResourceNotFoundException"):
            lifecycle.finalize(Deadline.after(SystemClock(), 60.0), SystemClock())


MORE: tuple[tuple[type[Simulation], Callable[[Any], None]], ...] = (
    (BothCredentials, deleted_with_a_task),
    (BothCredentials, drained),
    (LedgeredContainers, deleted_with_a_container),
    (LedgeredContainers, deleted_while_a_container_is_submitted),
    (LedgeredContainers, aborted_while_a_container_is_submitted),
    (BothCredentials, a_container_with_everything),
    (test_pulse_matrix.PolledSimulation, test_pulse_matrix.tasks_at_the_edges_of_slots_and_ticks),
    (LedgeredExecutions, test_containers_matrix.ends_are_lost),
    (LedgeredExecutions, test_containers_matrix.containers_end),
    (LedgeredExecutions, test_containers_matrix.a_container_past_its_deadline),
    (LedgeredExecutions, deleted_with_a_container),
    (LedgeredExecutions, aborted_while_an_execution_is_started),
)


@pytest.fixture(scope="module")
def asked() -> Asking:
    """What the functions ask for in all that they can do, with nothing going wrong."""
    with noted() as asking:
        for simulation, scenario in (
            *((SIMULATIONS[simulation], scenario) for simulation, scenario in SIMULATED),
            *MORE,
        ):
            with aws_in_memory():
                scenario(simulation())
        with aws_in_memory():
            other_tasks(asking)
            the_end_of_a_stack(asking)
    for function in FUNCTIONS:
        asking.of[function] |= by_lambda_itself(function)
    return asking


def not_granted(asked: Asking, function: str, *stacks: Roles) -> list[str]:
    """What a function asked for and its role grants in none of the stacks."""
    role = stacks[0].of(function)
    statements = [statement for stack in stacks for statement in stack.statements(role)]
    return sorted(
        f"{role} does not grant {permission}"
        for permission in asked.of[function]
        if not any(statement.grants(permission) for statement in statements)
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_function_asks_for_is_granted(asked: Asking, function: str) -> None:
    missing = not_granted(asked, function, roles(), roles(SecretStore="ssm"))

    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_role_grants_is_asked_for(asked: Asking, function: str) -> None:
    superfluous = {
        f"{stack.of(function)} grants {part.actions[0]} on {part.resources[0]}, and nothing asks for it"
        for stack in (roles(), roles(SecretStore="ssm"))
        for statement in stack.statements(stack.of(function))
        for part in statement.parts()
        if not any(map(part.grants, asked.of[function]))
    }

    assert not superfluous, "\n".join(sorted(superfluous))


def test_a_new_stack_may_read_its_own_secret_and_go_on_with_the_ledger_of_another(asked: Asking) -> None:
    own = {"KeptnApiTokenSecretArn": "", "OauthSecretArn": "", "LedgerTableName": TABLE, "SecretStore": "ssm"}
    other = roles(OauthSecretArn=PARAMETERS["OauthSecretArn"])
    for function in FUNCTIONS:
        assert not not_granted(asked, function, roles(**own), other)
        granted = roles(**own).statements(roles().of(function))
        reads = any(secret_arn("token") in statement.resources for statement in granted)
        assert reads == (function != LIFECYCLE)


def test_every_call_in_the_code_is_in_a_scenario(asked: Asking) -> None:
    """So that a new one is not overlooked by the others."""
    assert set(calls_in_the_code()) <= asked.operations


@pytest.mark.parametrize("function", [POLLER, FINALIZER])
def test_containers_are_seen_and_stopped_even_where_they_were_switched_off(
    asked: Asking, function: str
) -> None:
    missing = not_granted(asked, function, roles(Containers="disabled"))

    assert not missing, "\n".join(missing)


def test_runs_come_to_an_end_whose_containers_run_when_they_are_switched_off() -> None:
    """Of one container, the end is lost with the rule; the other goes on until its deadline."""
    with aws_in_memory(), noted() as asking:
        simulation = LedgeredContainers()
        simulation.trigger()
        simulation.cycles(2)
        performer = ActionPerformer({}, simulation.world.aws_clock)
        simulation.plane.work_finder = JobConfigWorkFinder(lookup(simulation.world), performer, Rules())
        asking.of.clear()

        simulation.service.end(simulation.service.running[0].arn)
        simulation.cycles(3)
        simulation.world.clock.advance(900.0)
        simulation.come_to_rest()

        for task in simulation.tasks:
            assert "This plane runs no containers" in simulation.world.finished(task)["message"]
    missing = not_granted(asking, WORKER, roles(Containers="disabled"))
    assert not missing, "\n".join(missing)


def calls_in_the_code() -> Iterator[str]:
    """The operations of AWS whose methods the code of the functions names."""
    services = ("dynamodb", "ecs", "lambda", "logs", "s3", "secretsmanager", "sqs", "ssm", "stepfunctions")
    operations: dict[str, str] = {}
    for service in services:
        operations |= boto3.client(service).meta.method_to_api_mapping  # type: ignore[call-overload]
    for folder in ("functions", "layers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node, "attr", None) or getattr(node, "value", None)
                if isinstance(name, str) and name in operations:
                    yield operations[name]
