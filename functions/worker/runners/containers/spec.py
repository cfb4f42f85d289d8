"""What a task of a job config is in ECS: a task definition, and the overrides of one RunTask of it.

Whatever is the same for every event goes into the definition, so that there are few of them; whatever an
event decides goes into the overrides, if it fits there.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from execution_plane.containers import FILES_CONTAINER, STREAM_PREFIX, TASK_CONTAINER
from execution_plane.keptn.events import EventRef
from execution_plane.settings import ContainerSettings
from jobs.environment import Environment
from jobs.model import SecurityContext, Task
from jobs.secret_fields import FOLDER
from runners.containers.fargate import Size
from runners.containers.files_container import VOLUME, files_container, injected, secret_volume
from runners.containers.secrets import References
from runners.containers.security import effective_context

MOST_OVERRIDES: Final = 8192  # characters of JSON that RunTask takes
FAMILY_PREFIX: Final = "keptn-lambda-executor"  # of the definitions that the worker's role may run
MOST_TAGS: Final = 50
_OUR_TAGS: Final = tuple(
    f"keptn.sh/{name}" for name in ("context", "event-id", "project", "stage", "service", "jes-task")
)
LONGEST_TAG: Final = (128, 256)  # characters of a key, and of a value
FARGATES_CAPABILITY: Final = "SYS_PTRACE"  # the only one that Fargate adds
# ECS takes Unicode's categories L, N and Z; of what Python calls blanks, Z lacks tabs and line breaks.
_NO_TAG: Final = re.compile(r"[^\w\s+\-=.:/@]|[\t-\r\x1c-\x1f\x85]")
_RESERVED: Final = re.compile("(aws):", re.IGNORECASE)  # where a key or a value begins


@dataclass(frozen=True)
class ContainerSpec:
    """A definition as for RegisterTaskDefinition, by its family; and what one RunTask adds to it."""

    definition: Mapping[str, Any]
    overrides: Mapping[str, Any]
    tags: Sequence[Mapping[str, str]]

    @property
    def family(self) -> str:
        """The family's name, which says what is in it."""
        return str(self.definition["family"])


def container_spec(  # noqa: PLR0913 - each is another part of a definition
    task: Task,
    size: Size,
    environment: Environment,
    references: References,
    settings: ContainerSettings,
    *,
    region: str,
    ref: EventRef,
    archive: Sequence[str] | None,
    role: str | None,
) -> ContainerSpec:
    """How ECS runs a task.

    `references` are where its secrets are; `archive` is the bucket and key of the task's files; `role` is the
    ARN of the one that the container has.
    Raises InvalidEnvironment, TaskUnusable.
    """
    words = [environment.expand(word) for word in (*task.cmd, *task.args)]
    # Only the first word, since RunTask can override a command and no entry point.
    entry_point = words[:1] if task.cmd else []
    command = words[len(entry_point) :]
    variables = [
        {"name": each.name, "value": each.value}
        for each in environment.variables.values()
        if each.secret is None
    ]
    context = effective_context(task, settings)
    container = _container(task, context, entry_point, references, settings, region)
    varying: dict[str, Any] = {"environment": variables} | ({"command": command} if command else {})
    overrides = [{"name": TASK_CONTAINER, **varying}]
    # A volume of Fargate's belongs to root.
    is_prepared = bool(archive or references.folders or context.run_as_user)
    others = []
    if is_prepared:
        container["dependsOn"] = [{"containerName": FILES_CONTAINER, "condition": "SUCCESS"}]
        overrides.append({"name": FILES_CONTAINER, "command": [*(archive or ()), FOLDER]})
        logging, user = _logging(settings, region), container.get("user", "")
        others.append(files_container(settings.init_image, references.folders, user, logging))
    if len(json.dumps({"containerOverrides": overrides})) > MOST_OVERRIDES:
        container |= varying
        overrides = overrides[1:]
    volumes = [VOLUME, *(secret_volume(number) for number in range(len(references.folders)))]
    return ContainerSpec(
        definition=_definition(size, [container, *others], volumes, settings, role),
        overrides={"containerOverrides": overrides},
        tags=_tags(task, ref),
    )


def meaningless(task: Task, settings: ContainerSettings) -> Iterator[str]:
    """The fields of a task that it gives and that mean nothing on Fargate; of annotations, those left out."""
    for name in ("imagePullPolicy", "namespace", "ttlSecondsAfterFinished"):
        if name in task.given:
            yield name
    context = effective_context(task, settings)
    knows_user = context.run_as_user is not None
    given = {
        "privileged": context.privileged,
        "runAsNonRoot": context.run_as_non_root and not knows_user,
        "allowPrivilegeEscalation": context.allow_privilege_escalation is not None,
        "procMount": context.proc_mount,
        "seccompProfile": context.seccomp_type or context.seccomp_localhost_profile,
        "runAsGroup": context.run_as_group is not None and not knows_user,
        "capabilities.add": set(context.capabilities_add) - {FARGATES_CAPABILITY},
    }
    yield from (f"securityContext.{name}" for name, value in given.items() if value)
    kept = set(_kept_annotations(task).values())
    yield from (f"annotations.{name}" for name in task.annotations if name not in kept)


def _container(
    task: Task,
    context: SecurityContext,
    entry_point: Sequence[str],
    references: References,
    settings: ContainerSettings,
    region: str,
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": TASK_CONTAINER,
        "image": task.image,
        "essential": True,
        "mountPoints": [{"sourceVolume": VOLUME, "containerPath": FOLDER}],
        "logConfiguration": _logging(settings, region),
    }
    if entry_point:
        container["entryPoint"] = list(entry_point)
    if task.working_dir:
        container["workingDirectory"] = task.working_dir
    if context.run_as_user is not None:
        group = "" if context.run_as_group is None else f":{context.run_as_group}"
        container["user"] = f"{context.run_as_user}{group}"
    if context.read_only_root_filesystem is not None:
        container["readonlyRootFilesystem"] = context.read_only_root_filesystem
    capabilities = {
        "add": [name for name in context.capabilities_add if name == FARGATES_CAPABILITY],
        "drop": list(context.capabilities_drop or ()),
    }
    if any(capabilities.values()):
        container["linuxParameters"] = {"capabilities": {name: v for name, v in capabilities.items() if v}}
    if references.variables:
        container["secrets"] = injected(references.variables)
    for number, folder in enumerate(references.folders):
        container["mountPoints"].append(
            {"sourceVolume": secret_volume(number), "containerPath": folder.path, "readOnly": True}
        )
    if references.registry:
        container["repositoryCredentials"] = {"credentialsParameter": references.registry}
    return container


def _definition(
    size: Size,
    containers: Sequence[Mapping[str, Any]],
    volumes: Sequence[str],
    settings: ContainerSettings,
    role: str | None,
) -> dict[str, Any]:
    definition = {
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(size.cpu),
        "memory": str(size.memory),
        "executionRoleArn": settings.execution_role,
        "runtimePlatform": {"cpuArchitecture": settings.architecture, "operatingSystemFamily": "LINUX"},
        "volumes": [{"name": name} for name in volumes],
        "containerDefinitions": containers,
        **({"taskRoleArn": role} if role else {}),
    }
    content = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:32]
    return {"family": f"{FAMILY_PREFIX}-{content}", **definition}


def _logging(settings: ContainerSettings, region: str) -> dict[str, Any]:
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": settings.log_group,
            "awslogs-region": region,
            "awslogs-stream-prefix": STREAM_PREFIX,
        },
    }


def _tags(task: Task, ref: EventRef) -> list[Mapping[str, str]]:
    """Which task of Keptn's it is, and the job config's annotations, as far as ECS's tags hold them."""
    annotations = {key: task.annotations[name] for key, name in _kept_annotations(task).items()}
    ours = (ref.context, ref.id, ref.project, ref.stage, ref.service, task.name)
    tags = annotations | dict(zip(_OUR_TAGS, ours, strict=True))
    return [{"key": key, "value": _tag_value(value)} for key, value in tags.items()]


def _kept_annotations(task: Task) -> Mapping[str, str]:
    """The annotations that become tags, the last of too many, by the tags' keys."""
    keys = {_NO_TAG.sub("_", name)[: LONGEST_TAG[0]]: name for name in task.annotations}
    kept = [each for each in keys.items() if each[0] and not _RESERVED.match(each[0])]
    return dict([each for each in kept if each[0] not in _OUR_TAGS][len(_OUR_TAGS) - MOST_TAGS :])


def _tag_value(text: str) -> str:
    return _RESERVED.sub(r"\1_", _NO_TAG.sub("_", text), count=1)[: LONGEST_TAG[1]]
