"""With which rights a task's container runs: what its `securityContext` says, and else the deployment."""

from dataclasses import replace
from typing import Final

from execution_plane.settings import ContainerSettings
from jobs.model import SecurityContext, Task
from runs.work import TaskUnusable

RESTRICTED: Final = SecurityContext(
    run_as_user=1000,
    run_as_group=2000,
    run_as_non_root=True,
    read_only_root_filesystem=True,
    capabilities_drop=("ALL",),
)
"""What the job executor's chart gives its jobs, as far as Fargate has it."""


def effective_context(task: Task, settings: ContainerSettings) -> SecurityContext:
    """A task's `securityContext`, with what the deployment says where the task does not.

    As in the job executor, both lists of capabilities are the task's, or none is. Raises TaskUnusable for
    what Kubernetes refuses: a root that is to be none.
    """
    context = task.security_context
    if settings.are_restricted:
        said = {name: value for name, value in vars(context).items() if value is not None}
        context = replace(RESTRICTED, **said)
    if context.run_as_non_root and context.run_as_user == 0:
        raise TaskUnusable(
            "The task's user is root (securityContext.runAsUser: 0), although runAsNonRoot is true, by the "
            "task or by the parameter ContainerSecurity. Give it another user, or say runAsNonRoot: false."
        )
    return context
