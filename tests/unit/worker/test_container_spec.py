"""What the fields of a job config's task become in ECS, field by field."""

from collections.abc import Mapping
from typing import Any

import pytest

from execution_plane.events import EventRef
from execution_plane.settings import ContainerSettings
from jobs.config import Rules, read
from jobs.environment import environment
from jobs.model import Task
from runners.container_spec import ContainerSpec, container_spec, meaningless
from runners.fargate import SIZES, Size, fitting, wanted
from tests.support.job_configs import ENVIRON
from work import TaskUnusable

CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
REF = EventRef("event-1", "sh.keptn.event.sayhello.triggered", CONTEXT, "podtato", "dev", "head")
EVENT = {"data": {"project": "podtato", "stage": "dev", "service": "head"}}
DEFAULT = Size(256, 512)
NO_SECRETS: Mapping[str, Mapping[str, str]] = {}


def task_of(fields: str) -> Task:
    raw = f"apiVersion: v2\nactions: [{{tasks: [{{{fields}}}]}}]".encode()
    rules = Rules(allow_privileged=True)
    return read(raw, origin="c.yaml", rules=rules).actions[0].tasks[0]


def spec_of(fields: str, image: str = "alpine") -> ContainerSpec:
    task = task_of(f'image: "{image}", {fields}')
    return container_spec(
        task,
        DEFAULT,
        environment(task, EVENT, NO_SECRETS.__getitem__, allow_secret_references=False),
        {},
        ContainerSettings.from_environment(ENVIRON),
        region="eu-west-1",
        ref=REF,
        archive=None,
    )


def container_of(fields: str) -> Mapping[str, Any]:
    (container,) = spec_of(fields).definition["containerDefinitions"]
    return dict(container)


def overrides_of(fields: str) -> Mapping[str, Any]:
    (overrides,) = spec_of(fields).overrides["containerOverrides"]
    return dict(overrides)


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ("name: a", "image", "alpine"),
        ("cmd: [sh, -c, ls]", "entryPoint", ["sh"]),
        ("args: [x]", "entryPoint", None),
        ("workingDir: /bin", "workingDirectory", "/bin"),
        ("workingDir: ''", "workingDirectory", None),
        ("securityContext: {runAsUser: 1000}", "user", "1000"),
        ("securityContext: {runAsUser: 0, runAsGroup: 2000}", "user", "0:2000"),
        ("securityContext: {runAsGroup: 2000}", "user", None),
        ("securityContext: {readOnlyRootFilesystem: yes}", "readonlyRootFilesystem", True),
        ("securityContext: {readOnlyRootFilesystem: no}", "readonlyRootFilesystem", False),
        ("name: a", "readonlyRootFilesystem", None),
        (
            "securityContext: {capabilities: {add: [SYS_PTRACE, NET_ADMIN], drop: [ALL]}}",
            "linuxParameters",
            {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}},
        ),
        ("securityContext: {capabilities: {add: [NET_ADMIN]}}", "linuxParameters", None),
    ],
)
def test_a_field_becomes_a_part_of_the_definition(fields: str, name: str, expected: object) -> None:
    assert container_of(fields).get(name) == expected


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ("cmd: [sh, -c, ls]", ["-c", "ls"]),
        ("cmd: [sh, -c], args: [ls]", ["-c", "ls"]),
        ("args: [ls, -l]", ["ls", "-l"]),
        ("cmd: [sh]", None),
        ("name: a", None),
    ],
)
def test_cmd_and_args_are_one_command_line(fields: str, command: object) -> None:
    assert overrides_of(fields).get("command") == command


def test_only_the_command_its_arguments_and_variables_are_expanded() -> None:
    spec = spec_of(
        'env: [{name: A, value: "1", valueFrom: string}, {name: B, value: $(A), valueFrom: string}], '
        "cmd: [run$(A)], args: [$(B)], workingDir: /$(A)",
        image="alpine:$(A)",
    )

    (container,) = spec.definition["containerDefinitions"]
    (overrides,) = spec.overrides["containerOverrides"]
    assert (container["image"], container["workingDirectory"]) == ("alpine:$(A)", "/$(A)")
    assert (container["entryPoint"], overrides["command"]) == (["run1"], ["1"])
    assert {"name": "B", "value": "1"} in overrides["environment"]


@pytest.mark.parametrize(
    ("fields", "role"),
    [
        ("name: a", "arn:aws:iam::123456789012:role/task"),
        ("serviceAccount: ''", "arn:aws:iam::123456789012:role/task"),
        ("serviceAccount: deployer", "arn:aws:iam::123456789012:role/deployer"),
    ],
)
def test_a_service_account_is_the_task_role_of_that_name(fields: str, role: str) -> None:
    assert spec_of(fields).definition["taskRoleArn"] == role


def test_a_service_account_that_is_not_allowed_is_named() -> None:
    with pytest.raises(TaskUnusable, match=r"serviceAccount admin is not among .*: deployer"):
        spec_of("serviceAccount: admin")


def test_annotations_are_tags_as_far_as_ecs_takes_them() -> None:
    annotations = f"team: a b, 'odd*key': 'é!', aws:x: y, '': z, long: {'x' * 300}, keptn.sh/stage: mine"
    tags = spec_of(f"name: Load, annotations: {{{annotations}}}").tags

    assert {each["key"]: each["value"] for each in tags} == {
        "team": "a b",
        "odd_key": "é_",
        "long": "x" * 256,
        "keptn.sh/context": CONTEXT,
        "keptn.sh/event-id": "event-1",
        "keptn.sh/project": "podtato",
        "keptn.sh/stage": "dev",
        "keptn.sh/service": "head",
        "keptn.sh/jes-task": "Load",
    }


def test_of_too_many_annotations_ours_are_kept() -> None:
    many = ", ".join(f"key{number}: x" for number in range(60))
    tags = spec_of(f"annotations: {{{many}}}").tags

    assert len(tags) == 50
    assert "keptn.sh/event-id" in {each["key"] for each in tags}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("name: a", []),
        ("imagePullPolicy: always", ["imagePullPolicy"]),
        ("namespace: n, ttlSecondsAfterFinished: 5", ["namespace", "ttlSecondsAfterFinished"]),
        ("securityContext: {privileged: true}", ["securityContext.privileged"]),
        ("securityContext: {privileged: false}", []),
        ("securityContext: {runAsNonRoot: true}", ["securityContext.runAsNonRoot"]),
        (
            "securityContext: {allowPrivilegeEscalation: false}",
            ["securityContext.allowPrivilegeEscalation"],
        ),
        ("securityContext: {procMount: Default}", ["securityContext.procMount"]),
        ("securityContext: {seccompProfile: {type: RuntimeDefault}}", ["securityContext.seccompProfile"]),
        ("securityContext: {seccompProfile: {localhostProfile: p}}", ["securityContext.seccompProfile"]),
        ("securityContext: {runAsGroup: 5}", ["securityContext.runAsGroup"]),
        ("securityContext: {runAsUser: 5, runAsGroup: 5}", []),
        ("securityContext: {capabilities: {add: [NET_ADMIN]}}", ["securityContext.capabilities.add"]),
        ("securityContext: {capabilities: {add: [SYS_PTRACE], drop: [ALL]}}", []),
        ("workingDir: /, cmd: [a], args: [b], serviceAccount: s, annotations: {a: b}", []),
    ],
)
def test_what_means_nothing_on_fargate_is_named(fields: str, named: list[str]) -> None:
    assert list(meaningless(task_of(fields))) == named


def test_tasks_that_differ_only_in_what_an_event_decides_share_a_definition() -> None:
    event_decides = "env: [{{name: A, value: {0}, valueFrom: string}}], cmd: [sh], args: [{0}]"

    assert spec_of(event_decides.format("a")).family == spec_of(event_decides.format("b")).family
    assert spec_of("cmd: [sh]").family != spec_of("cmd: [bash]").family


@pytest.mark.parametrize(
    ("resources", "size"),
    [
        ("resources: null", Size(256, 512)),
        ("resources: {}", Size(256, 512)),
        ("resources: {limits: {cpu: 1}}", Size(1024, 2048)),
        ("resources: {limits: {cpu: 250m, memory: 128Mi}}", Size(256, 512)),
        ("resources: {limits: {cpu: 300m}}", Size(512, 1024)),
        ("resources: {limits: {memory: 513Mi}}", Size(256, 1024)),
        ("resources: {limits: {memory: 1G}}", Size(256, 1024)),
        ("resources: {limits: {memory: 3Gi}}", Size(512, 3072)),
        ("resources: {requests: {cpu: 2, memory: 1Gi}}", Size(2048, 4096)),
        ("resources: {limits: {cpu: 1, memory: 2Gi}, requests: {cpu: 50m, memory: 9Gi}}", Size(2048, 9216)),
        ("resources: {limits: {cpu: 16, memory: 120Gi}}", SIZES[-1]),
    ],
)
def test_resources_are_rounded_up_to_a_size_of_fargates(resources: str, size: Size) -> None:
    assert fitting(wanted(task_of(resources).resources, DEFAULT)) == size


@pytest.mark.parametrize("limits", ["cpu: 17", "memory: 121Gi", "cpu: 1e999", "memory: 1e999"])
def test_more_than_fargate_has_is_refused_with_its_largest_size(limits: str) -> None:
    with pytest.raises(TaskUnusable, match="Fargate's largest size is 16 CPU and 122880 MiB"):
        fitting(wanted(task_of(f"resources: {{limits: {{{limits}}}}}").resources, DEFAULT))
