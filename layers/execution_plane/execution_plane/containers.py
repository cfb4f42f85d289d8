"""The containers of waiting runs, as ECS tells of them: observed, found and stopped; none is started here."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.ledger.runs import ContainerStep, Run, State
from execution_plane.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_ecs.literals import DesiredStatusType

TASK_CONTAINER = "task"
FILES_CONTAINER = "files"
STREAM_PREFIX = "keptn"  # of the log streams of all containers
MOST_AT_ONCE = 100  # tasks that DescribeTasks takes
HEARD_AFTER = 10.0  # seconds after its end by which EventBridge has told the worker
# Seconds after its submission by which ECS surely knows a container; it is eventually consistent.
KNOWN_AFTER = 300.0
STOPPED = "STOPPED"
LONGEST_REASON = 255  # of StopTask


class ContainersUnavailable(Exception):
    """ECS did not do what was asked. A container may have been stopped all the same."""


class Container(Enum):
    """What is known of a waiting run's container."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under way"
    ENDED = "ended"
    MISSING = "missing"
    """ECS knows nothing of it; it forgets a container an hour after its end."""


@dataclass(frozen=True)
class ContainerEnd:
    """How a container ended; without an ARN it never began, and `reason` says why."""

    arn: str = ""
    exit_code: int | None = None
    reason: str = ""
    stop_code: str = ""
    stopped_at: float | None = None
    failed_container: str = TASK_CONTAINER
    """Which of the ECS task's two containers the exit code and the reason are of."""

    def __str__(self) -> str:
        """In a line, as the log and a run's history have it."""
        code = "no exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        return ", ".join(filter(None, (code if self.arn else "not started", self.stop_code, self.reason)))


def log_stream(container: str, arn: str) -> str:
    """Where in the log group ECS writes what a container of the task with that ARN prints."""
    return f"{STREAM_PREFIX}/{container}/{arn.rpartition('/')[2]}"


class Containers:
    """The ECS tasks of waiting runs. Safe for threads."""

    def __init__(self, client: "Callable[[], ECSClient]") -> None:
        """`client` is asked when a run waits, not before."""
        self._client = client

    def observe(self, runs: Sequence[Run], now: float) -> Mapping[str, Container]:
        """What is known of the containers of those `runs` that wait for one, by event id.

        One request for up to 100 of them, none if there are none. What ECS does not answer for is left out.
        """
        clusters: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            if run.state is State.WAITING and run.step and run.step.arn:
                clusters[run.step.cluster].append(run)
        observed: dict[str, Container] = {}
        for cluster, waiting in clusters.items():
            for start in range(0, len(waiting), MOST_AT_ONCE):
                some = waiting[start : start + MOST_AT_ONCE]
                try:
                    observed.update(self._observe(cluster, some, now))
                except ContainersUnavailable as problem:
                    logger.warning("containers can't be observed", reason=str(problem))
        return observed

    def not_stopped(self, steps: Sequence[ContainerStep], now: float) -> frozenset[str]:
        """The ARNs of those steps' containers of which ECS does not say that they have stopped.

        Raises ContainersUnavailable.
        """
        clusters: dict[str, list[ContainerStep]] = defaultdict(list)
        for step in steps:
            clusters[step.cluster].append(step)
        running: set[str] = set()
        for cluster, there in clusters.items():
            for start in range(0, len(there), MOST_AT_ONCE):
                some = there[start : start + MOST_AT_ONCE]
                tasks = self._describe(cluster, [step.arn for step in some])
                statuses = {task["taskArn"]: task.get("lastStatus") for task in tasks}
                running |= {
                    step.arn
                    for step in some
                    if statuses.get(step.arn) != STOPPED
                    and (step.arn in statuses or not _is_missing(step, now))
                }
        return frozenset(running)

    def end_of(self, step: ContainerStep, now: float) -> ContainerEnd | None:
        """How the container of a step ended; None if it has not. Raises ContainersUnavailable."""
        tasks = self._describe(step.cluster, [step.arn])
        if not tasks:
            return ContainerEnd(step.arn) if _is_missing(step, now) else None
        return read_end(tasks[0]) if tasks[0].get("lastStatus") == STOPPED else None

    def find(self, step: ContainerStep) -> str | None:
        """The ARN of a container by what it was started by; None if there is none.

        Raises ContainersUnavailable.
        """
        desired: tuple[DesiredStatusType, ...] = ("RUNNING", "STOPPED")
        for status in desired:
            try:
                answer = _translated(
                    partial(
                        self._client().list_tasks,
                        cluster=step.cluster,
                        startedBy=step.token,
                        desiredStatus=status,
                    )
                )
            except _NotThere:
                return None
            if answer["taskArns"]:
                return str(answer["taskArns"][0])
        return None

    def stop(self, step: ContainerStep, reason: str) -> None:
        """Stop a container; one that has ended or that ECS has forgotten is left alone.

        Raises ContainersUnavailable.
        """
        stop = partial(
            self._client().stop_task, cluster=step.cluster, task=step.arn, reason=reason[:LONGEST_REASON]
        )
        try:
            _translated(stop)
        except _NotThere:
            return

    def _observe(self, cluster: str, runs: Sequence[Run], now: float) -> Iterator[tuple[str, Container]]:
        steps = {run.event.id: run.step for run in runs if run.step}
        tasks = {
            task["taskArn"]: task for task in self._describe(cluster, [step.arn for step in steps.values()])
        }
        for event_id, step in steps.items():
            task = tasks.get(step.arn)
            if task is not None:
                has_ended = task.get("lastStatus") == STOPPED
                heard = now >= (_seconds(task.get("stoppedAt")) or 0.0) + HEARD_AFTER
                yield event_id, Container.ENDED if has_ended and heard else Container.UNDER_WAY
            elif _is_missing(step, now):
                yield event_id, Container.MISSING

    def _describe(self, cluster: str, arns: Sequence[str]) -> list[Mapping[str, Any]]:
        try:
            answer = _translated(partial(self._client().describe_tasks, cluster=cluster, tasks=list(arns)))
        except _NotThere:
            return []
        tasks: list[Mapping[str, Any]] = answer["tasks"]
        return tasks


def read_end(task: Mapping[str, Any]) -> ContainerEnd:
    """How an ECS task ended, from DescribeTasks or from the detail of a "Task State Change" event."""
    containers = {str(each.get("name")): each for each in task.get("containers") or ()}
    files = containers.get(FILES_CONTAINER, {})
    name = FILES_CONTAINER if files.get("exitCode") else TASK_CONTAINER
    container = containers.get(name, {})
    exit_code = container.get("exitCode")
    return ContainerEnd(
        arn=str(task["taskArn"]),
        exit_code=int(exit_code) if exit_code is not None else None,
        reason=str(container.get("reason") or task.get("stoppedReason") or ""),
        stop_code=str(task.get("stopCode") or ""),
        stopped_at=_seconds(task.get("stoppedAt")),
        failed_container=name,
    )


def _is_missing(step: ContainerStep, now: float) -> bool:
    return now >= (step.submitted_at or step.since) + KNOWN_AFTER


def _seconds(moment: object) -> float | None:
    """boto3 gives a datetime, an event has its text."""
    if isinstance(moment, str):
        try:
            return datetime.fromisoformat(moment).timestamp()
        except ValueError:
            return None
    return moment.timestamp() if isinstance(moment, datetime) else None


class _NotThere(ContainersUnavailable):
    """ECS knows no such task or cluster: a cluster that was deleted has no container left."""


def _translated(call: Callable[[], Any]) -> Any:
    """Make a call to ECS; its errors become ours here."""
    try:
        return call()
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        kind = (
            _NotThere
            if code in {"InvalidParameterException", "ClusterNotFoundException"}
            else ContainersUnavailable
        )
        raise kind(f"ECS: {problem}") from problem
    except BotoCoreError as problem:
        raise ContainersUnavailable(f"ECS: {problem}") from problem
