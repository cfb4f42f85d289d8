"""ECS with Fargate as the functions use it, on a simulated clock: a test decides how and when containers end.

It has the methods of boto3's clients of ECS and CloudWatch Logs that we call, with their shapes and errors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from execution_plane.clock import Clock

CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/containers"
FORGOTTEN_AFTER = 3600.0  # seconds after a task's end by which ECS forgets it, and its client token


class ClientException(ClientError):
    """What ECS raises for a task definition that is not there."""


class ResourceNotFoundException(ClientError):
    """What CloudWatch Logs raises for a stream that was never begun."""


@dataclass
class Started:
    """A task that ECS started."""

    arn: str
    request: dict[str, Any]
    exit_code: int | None = None
    reason: str = ""
    stop_code: str = ""
    stopped_at: float | None = None
    files_exit_code: int | None = None

    @property
    def is_running(self) -> bool:
        return self.stopped_at is None


def refusal(code: str, message: str, operation: str = "RunTask", **more: Any) -> ClientError:
    """An error as ECS answers it."""
    kind = ClientException if code == "ClientException" else ClientError
    return kind({"Error": {"Code": code, "Message": message}, **more}, operation)  # type: ignore[typeddict-item]


@dataclass
class FakeEcs:
    """One cluster. `refusals` are answered, one after the other, before any task is started."""

    clock: Clock
    tasks: dict[str, Started] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    registered: list[str] = field(default_factory=list)
    refusals: list[ClientError | str] = field(default_factory=list)
    described: int = 0
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1"))
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(ClientException=ClientException))

    def describe_task_definition(self, *, taskDefinition: str) -> dict[str, Any]:  # noqa: N803
        if taskDefinition not in self.definitions:
            raise refusal("ClientException", "Unable to describe task definition.", "DescribeTaskDefinition")
        return {"taskDefinition": self.definitions[taskDefinition]}

    def register_task_definition(self, **definition: Any) -> dict[str, Any]:
        self.definitions[definition["family"]] = definition
        self.registered.append(definition["family"])
        return {"taskDefinition": definition}

    def run_task(self, **request: Any) -> dict[str, Any]:
        known = [task for task in self._remembered() if task.request["clientToken"] == request["clientToken"]]
        if known and known[0].request != request:
            message = "The provided clientToken is already in use with a different RunTask request."
            raise refusal("ConflictException", message, resourceIds=[known[0].arn])
        if not known and self.refusals:
            answer = self.refusals.pop(0)
            if isinstance(answer, ClientError):
                raise answer
            return {"tasks": [], "failures": [{"reason": answer}]}
        if request["taskDefinition"] not in self.definitions:
            raise refusal("ClientException", "TaskDefinition not found.")
        if not known:
            arn = f"arn:aws:ecs:eu-west-1:123456789012:task/containers/{len(self.tasks):032x}"
            known = [Started(arn, request)]
            self.tasks[arn] = known[0]
        return {"tasks": [self._shape(known[0])], "failures": []}

    def describe_tasks(self, *, cluster: str, tasks: Sequence[str]) -> dict[str, Any]:
        assert cluster == CLUSTER
        assert 1 <= len(tasks) <= 100
        self.described += 1
        there = {task.arn: task for task in self._remembered()}
        return {
            "tasks": [self._shape(there[arn]) for arn in tasks if arn in there],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in tasks if arn not in there],
        }

    def list_tasks(self, *, cluster: str, startedBy: str, desiredStatus: str) -> dict[str, Any]:  # noqa: N803
        assert cluster == CLUSTER
        wanted = [
            task.arn
            for task in self._remembered()
            if task.request["startedBy"] == startedBy and task.is_running is (desiredStatus == "RUNNING")
        ]
        return {"taskArns": wanted}

    def stop_task(self, *, cluster: str, task: str, reason: str) -> dict[str, Any]:
        assert cluster == CLUSTER
        there = {each.arn: each for each in self._remembered()}
        if task not in there:
            raise refusal("InvalidParameterException", "The referenced task was not found.", "StopTask")
        if there[task].is_running:
            self.end(task, exit_code=143, stop_code="UserInitiated", reason=reason)
        return {"task": self._shape(there[task])}

    @property
    def running(self) -> list[Started]:
        return [task for task in self.tasks.values() if task.is_running]

    def end(
        self,
        arn: str | None = None,
        exit_code: int | None = 0,
        *,
        stop_code: str = "EssentialContainerExited",
        reason: str = "Essential container in task exited",
        files_exit_code: int | None = None,
    ) -> dict[str, Any]:
        """End a task, the only one if none is named; gives the event that EventBridge then sends."""
        task = self.tasks[arn] if arn else self.running[0]
        task.exit_code, task.stop_code, task.reason = exit_code, stop_code, reason
        task.files_exit_code = files_exit_code
        task.stopped_at = self.clock.now()
        return self.end_event(task)

    def end_event(self, task: Started) -> dict[str, Any]:
        assert task.stopped_at is not None
        detail = {**self._shape(task), "stoppedAt": datetime.fromtimestamp(task.stopped_at, UTC).isoformat()}
        return {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}

    def _remembered(self) -> Iterator[Started]:
        for task in self.tasks.values():
            if task.stopped_at is None or self.clock.now() < task.stopped_at + FORGOTTEN_AFTER:
                yield task

    def _shape(self, task: Started) -> dict[str, Any]:
        containers = [
            {"name": "task", "exitCode": task.exit_code},
            {"name": "files", "exitCode": task.files_exit_code},
        ]
        shape: dict[str, Any] = {
            "taskArn": task.arn,
            "startedBy": task.request["startedBy"],
            "lastStatus": "RUNNING" if task.is_running else "STOPPED",
            "containers": [
                {name: value for name, value in each.items() if value is not None} for each in containers
            ],
        }
        if task.stopped_at is not None:
            shape["stoppedAt"] = datetime.fromtimestamp(task.stopped_at, UTC)
            shape |= {"stopCode": task.stop_code, "stoppedReason": task.reason}
        return shape


@dataclass
class FakeLogs:
    """CloudWatch Logs; `written` has the lines of each stream, which come in pages from the end."""

    written: dict[str, list[str]] = field(default_factory=dict)
    default: list[str] | None = None
    page: int = 1000
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(ResourceNotFoundException=ResourceNotFoundException)
    )

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        assert not request["startFromHead"]
        lines = self.written.get(request["logStreamName"], self.default)
        if lines is None:
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such stream"}}
            raise ResourceNotFoundException(error, "GetLogEvents")  # type: ignore[arg-type]
        end = int(request.get("nextToken", len(lines)))
        start = max(0, end - self.page)
        return {"events": [{"message": line} for line in lines[start:end]], "nextBackwardToken": str(start)}


def clients(**named: Any) -> Callable[[str], Any]:
    """A maker of clients, as the worker's clients take it."""
    return lambda service: named[service]
