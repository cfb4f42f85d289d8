"""The steps that are containers, as ECS tells of them: observed, found and stopped; none is started here."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.ledger.runs import RemoteStep
from execution_plane.steps import StepChange, StepEnd, StepsUnavailable, is_missing

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.literals import DesiredStatusType

KIND: Final = "container"
TASK_CONTAINER = "task"
FILES_CONTAINER = "files"
STREAM_PREFIX = "keptn"  # of the log streams of all containers
MOST_AT_ONCE = 100  # tasks that DescribeTasks takes
STOPPED = "STOPPED"
LONGEST_REASON = 255  # of StopTask


@dataclass(frozen=True)
class ContainerEnd(StepEnd):
    """How a container ended; ECS forgets it an hour later."""

    exit_code: int | None = None
    stop_code: str = ""
    failed_container: str = TASK_CONTAINER
    """Which of the ECS task's two containers the exit code and the reason are of."""

    @property
    def how(self) -> str:
        """Its exit code, and ECS's stop code."""
        code = "no exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        return ", ".join(filter(None, (code, self.stop_code)))

    @property
    def where(self) -> str:
        """The stream of its log."""
        return f"its log is in {log_stream(self.failed_container, self.handle)}"

    @property
    def codes(self) -> Mapping[str, object]:
        """ECS's two codes."""
        return {"exit_code": self.exit_code, "stop_code": self.stop_code}


def log_stream(container: str, arn: str) -> str:
    """Where in the log group ECS writes what a container of the task with that ARN prints."""
    return f"{STREAM_PREFIX}/{container}/{arn.rpartition('/')[2]}"


class Containers:
    """ECS tasks as steps: the target is their cluster, the handle their ARN. Safe for threads."""

    def __init__(self, client: "Callable[[], ECSClient]") -> None:
        """`client` is asked when a run waits, not before."""
        self._client = client

    def status(self, steps: Sequence[RemoteStep], now: float) -> Mapping[str, ContainerEnd | None]:
        """By ARN, how each container ended: one request for up to 100 of a cluster."""
        clusters: dict[str, list[RemoteStep]] = defaultdict(list)
        for step in steps:
            clusters[step.target].append(step)
        ends: dict[str, ContainerEnd | None] = {}
        for cluster, there in clusters.items():
            for start in range(0, len(there), MOST_AT_ONCE):
                some = there[start : start + MOST_AT_ONCE]
                tasks = {
                    task["taskArn"]: task for task in self._describe(cluster, [step.handle for step in some])
                }
                for step in some:
                    if task := tasks.get(step.handle):
                        has_ended = task.get("lastStatus") == STOPPED
                        ends[step.handle] = read_end(task) if has_ended else None
                    elif is_missing(step, now):
                        ends[step.handle] = ContainerEnd(step.handle, is_missing=True)
        return ends

    def find(self, step: RemoteStep) -> str | None:
        """The ARN of a container by what it was started by."""
        desired: tuple[DesiredStatusType, ...] = ("RUNNING", "STOPPED")
        for status in desired:
            try:
                answer = _translated(
                    partial(
                        self._client().list_tasks,
                        cluster=step.target,
                        startedBy=step.token,
                        desiredStatus=status,
                    )
                )
            except _NotThere:
                return None
            if answer["taskArns"]:
                return str(answer["taskArns"][0])
        return None

    def stop(self, step: RemoteStep, reason: str) -> None:
        """Stop a container."""
        stop = partial(
            self._client().stop_task, cluster=step.target, task=step.handle, reason=reason[:LONGEST_REASON]
        )
        try:
            _translated(stop)
        except _NotThere:
            return

    def _describe(self, cluster: str, arns: Sequence[str]) -> list[Mapping[str, Any]]:
        try:
            answer = _translated(partial(self._client().describe_tasks, cluster=cluster, tasks=list(arns)))
        except _NotThere:
            return []
        tasks: list[Mapping[str, Any]] = answer["tasks"]
        return tasks


def read_change(task: Mapping[str, Any]) -> StepChange:
    """What the detail of an event "ECS Task State Change" says."""
    end = read_end(task) if task["lastStatus"] == STOPPED else None
    return StepChange(KIND, str(task["taskArn"]), str(task.get("startedBy")), end)


def read_end(task: Mapping[str, Any]) -> ContainerEnd:
    """How an ECS task ended, from DescribeTasks or from an event."""
    containers = {str(each.get("name")): each for each in task.get("containers") or ()}
    files = containers.get(FILES_CONTAINER, {})
    name = FILES_CONTAINER if files.get("exitCode") else TASK_CONTAINER
    container = containers.get(name, {})
    exit_code = container.get("exitCode")
    return ContainerEnd(
        handle=str(task["taskArn"]),
        exit_code=int(exit_code) if exit_code is not None else None,
        reason=str(container.get("reason") or task.get("stoppedReason") or ""),
        stop_code=str(task.get("stopCode") or ""),
        stopped_at=_seconds(task.get("stoppedAt")),
        failed_container=name,
    )


def _seconds(moment: object) -> float | None:
    """boto3 gives a datetime, an event has its text."""
    if isinstance(moment, str):
        try:
            return datetime.fromisoformat(moment).timestamp()
        except ValueError:
            return None
    return moment.timestamp() if isinstance(moment, datetime) else None


class _NotThere(StepsUnavailable):
    """ECS knows no such task or cluster: a cluster that was deleted has no container left."""


def _translated(call: Callable[[], Any]) -> Any:
    """Make a call to ECS; its errors become ours here."""
    try:
        return call()
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        is_there = code not in {"InvalidParameterException", "ClusterNotFoundException"}
        kind = StepsUnavailable if is_there else _NotThere
        raise kind(f"ECS: {problem}") from problem
    except BotoCoreError as problem:
        raise StepsUnavailable(f"ECS: {problem}") from problem
