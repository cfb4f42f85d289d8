"""The fields of a task that its kind has no use for: none is dropped without a word."""

from collections.abc import Collection

from execution_plane.telemetry import logger
from jobs.model import Task
from runs.work import TaskContext


def log_meaningless(task: Task, meaningful: Collection[str], context: TaskContext) -> None:
    """Name the fields that a task gives and that mean nothing for its kind, in one log line."""
    if ignored := task.given - set(meaningful):
        logger.info(
            "fields without a meaning for this kind of task",
            event_id=context.event.ref.id,
            task=task.name,
            kind=task.kind,
            fields=", ".join(sorted(ignored)),
        )
