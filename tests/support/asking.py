"""What the functions ask of AWS while tests play them: each call, as the permission that it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.client import BaseClient

from deletion.finalizer import Finalizer
from tests.support.ecs import CLUSTER, FakeEcs, FakeLogs
from tests.support.job_configs import Functions
from tests.support.roles import Permission
from tests.support.schedule import Schedule, TimerQueue
from tests.support.step_functions import FakeStepFunctions
from tests.support.world import LambdaQueue, Plane, Tasks

POLLER, WORKER = "PollerFunction", "WorkerFunction"
LIFECYCLE, FINALIZER = "LifecycleFunction", "FinalizerFunction"
HERE = "eu-west-1:123456789012"
ACCOUNT = frozenset({("aws:ResourceAccount", "123456789012"), ("aws:RequestedRegion", "eu-west-1")})
IN_CLUSTER = frozenset({("ecs:cluster", CLUSTER)})
TO_ECS = frozenset({("iam:PassedToService", "ecs-tasks.amazonaws.com")})
STANDING_FOR: tuple[tuple[str, type], ...] = (
    ("ecs", FakeEcs),
    ("logs", FakeLogs),
    ("lambda", LambdaQueue),
    ("sqs", TimerQueue),
    ("stepfunctions", FakeStepFunctions),
)
NOT_ASKED = {"send", "due", "end", "end_event"}  # what others do with the timers' queue, and to steps
UNKNOWN = "a resource that tests/support/asking.py does not know"


def permissions(service: str, operation: str, asked: dict[str, Any]) -> Iterator[Permission]:
    """What a call takes, by the Service Authorization Reference; one not known here takes what nobody has."""
    action = f"{service}:{operation}"
    match service, operation:
        case "dynamodb", "GetItem" | "PutItem" | "UpdateItem" | "Query":
            index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
            yield Permission(action, f"arn:aws:dynamodb:{HERE}:table/{asked['TableName']}{index}")
        case "ecs", _:
            yield from _of_ecs(operation, asked)
        case "lambda", "Invoke":
            function = f"arn:aws:lambda:{HERE}:function:{asked['FunctionName']}"
            yield Permission("lambda:InvokeFunction", function, ACCOUNT)
        case "logs", "GetLogEvents":
            stream = f"{asked['logGroupName']}:log-stream:{asked['logStreamName']}"
            yield Permission(action, f"arn:aws:logs:{HERE}:log-group:{stream}")
        case "stepfunctions", _:
            arn = asked.get("executionArn") or asked["stateMachineArn"]
            yield Permission(f"states:{operation}", arn, ACCOUNT)
        case "s3", "PutObject":
            yield Permission(action, f"arn:aws:s3:::{asked['Bucket']}/{asked['Key']}")
        case "secretsmanager", "GetSecretValue":
            yield Permission(action, secret_arn(asked["SecretId"]))
        case "sqs", "ReceiveMessage" | "DeleteMessageBatch" | "SendMessageBatch":
            queue = asked["QueueUrl"].rpartition("/")[2]
            yield Permission(action.removesuffix("Batch"), f"arn:aws:sqs:{HERE}:{queue}")
        case "ssm", "GetParameter":
            yield Permission(action, f"arn:aws:ssm:{HERE}:parameter{asked['Name']}")
        case "ssm", "GetParametersByPath":
            yield Permission(action, f"arn:aws:ssm:{HERE}:parameter{asked['Path']}")
        case _:
            yield Permission(action, UNKNOWN)


def _of_ecs(operation: str, asked: dict[str, Any]) -> Iterator[Permission]:
    action, arn = f"ecs:{operation}", f"arn:aws:ecs:{HERE}"
    creates = frozenset({("ecs:CreateAction", operation)})
    match operation:
        case "RunTask":
            yield Permission(action, f"{arn}:task-definition/{asked['taskDefinition']}:1", IN_CLUSTER)
            if "tags" in asked:
                yield Permission("ecs:TagResource", f"{arn}:task/containers/new", creates)
        case "RegisterTaskDefinition":
            yield Permission(action, "*")
            if "tags" in asked:
                yield Permission("ecs:TagResource", f"{arn}:task-definition/{asked['family']}:1", creates)
            for role in ("executionRoleArn", "taskRoleArn"):
                if role in asked:
                    yield Permission("iam:PassRole", asked[role], TO_ECS)
        case "DescribeTaskDefinition":
            yield Permission(action, "*")
        case "ListTasks":
            yield Permission(action, "*", IN_CLUSTER)
        case "DescribeTasks":
            for task in asked["tasks"]:
                yield Permission(action, task, IN_CLUSTER)
        case "StopTask":
            yield Permission(action, asked["task"], IN_CLUSTER)
        case _:
            yield Permission(action, UNKNOWN)


def secret_arn(name: str) -> str:
    """A secret's ARN, which ends with six characters of Secrets Manager's."""
    return f"arn:aws:secretsmanager:{HERE}:secret:{name}-AbCdEf"


@dataclass
class Asking:
    """What each function asked for."""

    of: dict[str, set[Permission]] = field(default_factory=dict)
    operations: set[str] = field(default_factory=set)
    """The calls themselves, as `Query`."""
    _acting: list[str] = field(default_factory=list)

    @contextmanager
    def by(self, function: str) -> Iterator[None]:
        """Whatever is asked meanwhile is asked by this function; by none, if it is empty."""
        self._acting.append(function)
        try:
            yield
        finally:
            self._acting.pop()

    def note(self, service: str, operation: str, asked: dict[str, Any]) -> None:
        if function := (self._acting or [""])[-1]:
            self.operations.add(operation)
            self.of.setdefault(function, set()).update(permissions(service, operation, asked))


@contextmanager
def noted() -> Iterator[Asking]:
    """Note what the functions of all planes ask for: of AWS in memory, and of what stands for it."""
    asking = Asking()
    with pytest.MonkeyPatch.context() as patch:

        def acts(owner: type, name: str, function: str) -> None:
            act = getattr(owner, name)

            def acting(*arguments: Any, **named: Any) -> Any:
                with asking.by(function):
                    return act(*arguments, **named)

            patch.setattr(owner, name, acting)

        acts(Plane, "cycle", POLLER)
        acts(Schedule, "invoke", POLLER)
        acts(Plane, "work", WORKER)
        acts(Finalizer, "finish", FINALIZER)
        acts(Tasks, "_perform", "")  # what a task does is its own, and a test's
        acts(Functions, "run", "")
        patch.setattr(BaseClient, "_make_api_call", _noting(asking))
        for service, fake in STANDING_FOR:
            for name, method in list(vars(fake).items()):
                if callable(method) and not name.startswith("_") and name not in NOT_ASKED:
                    patch.setattr(fake, name, _noting_fake(asking, service, name, method))
        yield asking


def _noting(asking: Asking) -> Callable[..., Any]:
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: BaseClient, operation: str, asked: dict[str, Any]) -> Any:
        asking.note(client.meta.service_model.service_name, operation, asked)
        return make_call(client, operation, asked)

    return note


def _noting_fake(asking: Asking, service: str, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def note(fake: object, *arguments: Any, **asked: Any) -> Any:
        asking.note(service, name.title().replace("_", ""), asked)
        with asking.by(""):
            return method(fake, *arguments, **asked)

    return note
