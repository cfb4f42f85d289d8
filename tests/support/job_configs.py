"""A worker that does what job configs say, with containers and executions on fakes of their services."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from execution_plane.keptn.events import Outcome
from execution_plane.settings import Allowlists
from execution_plane.shared_clients import SharedClients
from jobs.model import Rules, Task
from local.keptn.resources import Place
from runs.job_config_lookup import KeptnLookup
from runs.work import TaskContext
from runs.work_finder import JobConfigWorkFinder
from tests.support.clock import Inline
from tests.support.ecs import CLUSTER, clients
from tests.support.memory_job_configs import MemoryJobConfigs
from tests.support.step_functions import MACHINES
from tests.support.world import Plane, World
from worker import performer

if TYPE_CHECKING:
    from collections.abc import Callable

    from execution_plane.ledger.job_configs import JobConfigs
    from runners.allowlists import Allowed

ENVIRON = {
    "ECS_CLUSTER": CLUSTER,
    "CONTAINER_SUBNET_IDS": "subnet-1,subnet-2",
    "CONTAINER_SECURITY_GROUP_IDS": "sg-1",
    "CONTAINER_EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/execution",
    "CONTAINER_TASK_ROLE_ARN": "arn:aws:iam::123456789012:role/task",
    "CONTAINER_BUCKET": "files",
    "CONTAINER_INIT_IMAGE": "init:1",
    "ACCOUNT_ID": "123456789012",
}
ALLOWED = Allowlists(
    state_machines=frozenset(MACHINES),
    task_roles={"deployer": "arn:aws:iam::123456789012:role/deployer"},
)


class Functions:
    """Python tasks of a test's: notes each that begins, and gives the outcome that is set for it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.seconds: list[float] = []
        """How long each might have taken."""
        self.outcomes: dict[str, Outcome] = {}
        self.on_run: Callable[[TaskContext], None] = lambda _: None

    def run(self, task: Task, context: TaskContext) -> Outcome:
        self.begun.append(f"{context.event.ref.id} {task.function}")
        self.seconds.append(context.deadline.remaining())
        self.on_run(context)
        return self.outcomes.get(task.function, Outcome("pass", "succeeded", f"{task.function} is done"))


def lookup(
    world: World,
    job_configs: Any = None,
    *,
    max_age: float = 5.0,
    jitter: "Callable[[], float]" = lambda: 0.5,
) -> KeptnLookup:
    """How a worker in a new execution environment finds job configs; by default, nobody else has read any."""
    return KeptnLookup(
        world.client(),
        job_configs or cast("JobConfigs", MemoryJobConfigs()),
        world.aws_clock,
        max_age=max_age,
        pool=Inline(),
        jitter=jitter,
    )


def use_job_config(
    plane: Plane,
    config: str,
    *,
    s3: Any = None,
    secrets: Any = None,
    ssm: Any = None,
    runners: Any = None,
    job_configs: Any = None,
    allowed: "Allowed" = lambda: ALLOWED,
    **environ: str,
) -> Functions:
    """Let the plane's worker do what `config` says; at the project's level, which no commit id is about.

    `runners` are those of more kinds of tasks than functions, by kind.
    """
    write_job_config(plane, config)
    functions = Functions()
    client = clients(
        ecs=plane.ecs, stepfunctions=plane.sfn, logs=plane.logs, s3=s3, secretsmanager=secrets, ssm=ssm
    )
    shared = SharedClients(plane.world.aws_clock, plane.world.client(), plane.ledger, cast("Any", None))
    plane.work_finder = JobConfigWorkFinder(
        lookup(plane.world, job_configs),
        replace(
            performer({**ENVIRON, **environ}, shared, client, allowed),
            runners={"function": functions, **(runners or {})},
        ),
        Rules(),
    )
    return functions


def write_job_config(plane: Plane, config: str) -> None:
    """Put the project's job config into the Keptn repository."""
    write(plane, {"job/config.yaml": config.encode()}, stage="", service="")


def write(plane: Plane, files: dict[str, bytes], stage: str = "dev", service: str = "head") -> None:
    """Put files into the Keptn repository."""
    plane.world.keptn.resources.write(Place("podtato", stage, service), files)
