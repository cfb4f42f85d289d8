"""What a task's fields become in ECS."""

import json
import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from execution_plane.keptn.events import EventRef
from execution_plane.settings import ContainerSettings
from jobs.config import read
from jobs.environment import environment
from jobs.model import Env, Rules, SecurityContext, Task
from runners.containers.fargate import Size
from runners.containers.secrets import References, SecretFolder
from runners.containers.spec import MOST_OVERRIDES, ContainerSpec, container_spec, meaningless
from runners.containers.unpack import UNPACK, WRITE_SECRETS
from runs.work import TaskUnusable
from tests.support.job_configs import ENVIRON
from tests.unit.runners.task_contexts import event

TASK = Task(0, name="Load test", image="alpine")
SMALLEST = Size(256, 512)
NO_REFERENCES = References()
NO_SECRETS: dict[str, dict[str, str]] = {}
SETTINGS = ContainerSettings.from_environment(ENVIRON)
REF = EventRef(
    "event", "sh.keptn.event.load.triggered", "08735340-6f9e-4b32-97ff-3b6c292bc509", "p", "s", "v"
)


def spec_of(
    task: Task = TASK,
    *,
    ref: EventRef = REF,
    size: Size = SMALLEST,
    settings: ContainerSettings = SETTINGS,
    archive: tuple[str, str] | None = None,
    role: str | None = "arn:aws:iam::123456789012:role/task",
    references: References = NO_REFERENCES,
    **data: Any,
) -> ContainerSpec:
    variables = environment(task, event(**data), NO_SECRETS.__getitem__, allow_secret_references=False)
    return container_spec(
        task, size, variables, references, settings, region="eu-west-1", ref=ref, archive=archive, role=role
    )


def container_of(**fields: Any) -> dict[str, Any]:
    container: dict[str, Any] = spec_of(replace(TASK, **fields)).definition["containerDefinitions"][0]
    return container


def tags_of(spec: ContainerSpec) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in spec.tags}


def test_cmd_is_the_entry_point_and_args_follow_it() -> None:
    spec = spec_of(replace(TASK, cmd=("sh", "-c"), args=("echo $0", "x")))

    assert spec.definition["containerDefinitions"][0]["entryPoint"] == ["sh"]
    assert spec.overrides["containerOverrides"][0]["command"] == ["-c", "echo $0", "x"]


def test_args_alone_leave_the_image_its_entry_point() -> None:
    spec = spec_of(replace(TASK, args=("run", "load.js")))

    assert "entryPoint" not in spec.definition["containerDefinitions"][0]
    assert spec.overrides["containerOverrides"][0]["command"] == ["run", "load.js"]


def test_without_both_the_image_runs_as_it_is() -> None:
    spec = spec_of()

    assert "entryPoint" not in spec.definition["containerDefinitions"][0]
    assert "command" not in spec.overrides["containerOverrides"][0]


@pytest.mark.parametrize(
    ("context", "field", "value"),
    [
        (SecurityContext(run_as_user=1000), "user", "1000"),
        (SecurityContext(run_as_user=0, run_as_group=0), "user", "0:0"),
        (SecurityContext(read_only_root_filesystem=True), "readonlyRootFilesystem", True),
        (SecurityContext(read_only_root_filesystem=False), "readonlyRootFilesystem", False),
        (
            SecurityContext(capabilities_add=("SYS_PTRACE", "NET_ADMIN"), capabilities_drop=("ALL",)),
            "linuxParameters",
            {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}},
        ),
    ],
)
def test_of_the_security_context_fargate_gets_what_it_has(
    context: SecurityContext, field: str, value: object
) -> None:
    assert container_of(security_context=context)[field] == value


def test_what_a_task_does_not_say_is_left_to_its_image() -> None:
    unsaid = {"user", "readonlyRootFilesystem", "linuxParameters", "workingDirectory", "secrets", "dependsOn"}

    assert not unsaid & container_of().keys()
    assert container_of(working_dir="/bin")["workingDirectory"] == "/bin"


def test_fields_without_a_meaning_on_fargate_are_named() -> None:
    context = SecurityContext(
        privileged=True,
        run_as_group=5,
        run_as_non_root=True,
        allow_privilege_escalation=False,
        capabilities_add=("NET_ADMIN",),
        proc_mount="Default",
        seccomp_localhost_profile="p.json",
    )
    given = frozenset({"imagePullPolicy", "namespace", "ttlSecondsAfterFinished", "image", "securityContext"})

    assert list(meaningless(replace(TASK, security_context=context, given=given), SETTINGS)) == [
        "imagePullPolicy",
        "namespace",
        "ttlSecondsAfterFinished",
        "securityContext.privileged",
        "securityContext.runAsNonRoot",
        "securityContext.allowPrivilegeEscalation",
        "securityContext.procMount",
        "securityContext.seccompProfile",
        "securityContext.runAsGroup",
        "securityContext.capabilities.add",
    ]


def test_fields_with_a_meaning_are_not_named() -> None:
    context = SecurityContext(
        run_as_user=1,
        run_as_group=2,
        read_only_root_filesystem=True,
        capabilities_add=("SYS_PTRACE",),
        capabilities_drop=("ALL",),
    )
    given = frozenset({"image", "cmd", "args", "env", "files", "resources", "annotations", "serviceAccount"})

    assert list(meaningless(replace(TASK, security_context=context, given=given), SETTINGS)) == []


def test_a_task_has_the_role_that_is_given_if_there_is_one() -> None:
    assert spec_of().definition["taskRoleArn"] == "arn:aws:iam::123456789012:role/task"
    assert "taskRoleArn" not in spec_of(role=None).definition


def test_annotations_become_tags_beside_ours() -> None:
    tags = tags_of(
        spec_of(replace(TASK, annotations={"team": "a, b", "aws:x": "1", "": "2", "k" * 200: "3"}))
    )

    assert tags == {
        "team": "a_ b",
        "k" * 128: "3",
        "keptn.sh/context": REF.context,
        "keptn.sh/event-id": "event",
        "keptn.sh/project": "p",
        "keptn.sh/stage": "s",
        "keptn.sh/service": "v",
        "keptn.sh/jes-task": "Load test",
    }


def test_of_too_many_annotations_ours_are_kept() -> None:
    tags = tags_of(spec_of(replace(TASK, annotations={f"a{number}": "x" * 300 for number in range(60)})))

    assert len(tags) == 50
    assert tags["keptn.sh/project"] == "p"
    assert tags["a59"] == "x" * 256


def test_tags_have_only_what_ecs_takes() -> None:
    every_character = "".join(map(chr, (*range(0x3000), 0x3042, 0xFEFF, 0x1F600)))
    texts = [every_character[start : start + 100] for start in range(0, len(every_character), 100)]

    for text in ("line\nbreak\tand\r\x0b\x0c\x1c\x85", "aws:reserved", "AWS:", *texts):
        spec = spec_of(replace(TASK, name=text, annotations={text: text}))
        for tag in spec.tags:
            assert 0 < len(tag["key"]) <= 128
            for part in tag.values():
                assert len(part) <= 256
                assert not part.lower().startswith("aws:")
                assert all(unicodedata.category(each)[0] in "LZN" or each in "_.:/=+-@" for each in part)
    assert tags_of(spec_of(replace(TASK, name="line\nbreak\u00e4 \u3042")))["keptn.sh/jes-task"] == (
        "line_break\u00e4 \u3042"
    )


def test_annotations_that_become_no_tags_are_named() -> None:
    dropped = {"aws:x": "1", "": "2", "keptn.sh/stage": "mine", "a,b": "first of one key"}
    kept = {"a;b": "last of one key", "fine": "yes"}

    assert list(meaningless(replace(TASK, annotations={**dropped, **kept}), SETTINGS)) == [
        "annotations.aws:x",
        "annotations.",
        "annotations.keptn.sh/stage",
        "annotations.a,b",
    ]
    many = {f"a{number}": "x" for number in range(46)}
    assert list(meaningless(replace(TASK, annotations=many), SETTINGS)) == [
        "annotations.a0",
        "annotations.a1",
    ]


def test_one_definition_serves_whatever_an_event_decides() -> None:
    task = replace(TASK, cmd=("echo",), args=("$(A)",), env=(Env("A", "$.data.a", "event"),))
    one = spec_of(task, a="one", archive=("files", "1.tar"))
    two = spec_of(task, a="two", archive=("files", "2.tar"), ref=replace(REF, id="another"))

    assert one.definition == two.definition
    assert one.overrides != two.overrides


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, image="busybox"),
        replace(TASK, cmd=("echo",)),
        replace(TASK, working_dir="/bin"),
        replace(TASK, security_context=SecurityContext(run_as_user=1)),
    ],
)
def test_what_overrides_can_not_say_has_a_definition_of_its_own(other: Task) -> None:
    families = {
        spec_of().family,
        spec_of(other).family,
        spec_of(size=Size(512, 1024)).family,
        spec_of(role=None).family,
    }

    assert len(families) == 4


def test_files_are_brought_by_a_container_before_the_task_begins() -> None:
    spec = spec_of(archive=("bucket", "files/token.tar"))
    task, files = spec.definition["containerDefinitions"]

    assert task["dependsOn"] == [{"containerName": "files", "condition": "SUCCESS"}]
    assert (files["image"], files["essential"]) == ("init:1", False)
    assert (
        task["mountPoints"] == files["mountPoints"] == [{"sourceVolume": "keptn", "containerPath": "/keptn"}]
    )
    assert spec.overrides["containerOverrides"][1] == {
        "name": "files",
        "command": ["bucket", "files/token.tar", "/keptn"],
    }


def test_a_folder_is_opened_for_a_user_that_is_not_root_without_files_too() -> None:
    spec = spec_of(replace(TASK, security_context=SecurityContext(run_as_user=5)))
    task, files = spec.definition["containerDefinitions"]

    assert task["dependsOn"] == [{"containerName": "files", "condition": "SUCCESS"}]
    assert files["user"] == "0:0"
    assert spec.overrides["containerOverrides"][1] == {"name": "files", "command": ["/keptn"]}


@pytest.mark.parametrize("context", [SecurityContext(), SecurityContext(run_as_user=0)])
def test_root_needs_no_folder_opened(context: SecurityContext) -> None:
    assert len(spec_of(replace(TASK, security_context=context)).definition["containerDefinitions"]) == 1


RESTRICTED = ContainerSettings.from_environment({**ENVIRON, "CONTAINER_SECURITY": "restricted"})
NO_RIGHTS = {
    "user": "1000:2000",
    "readonlyRootFilesystem": True,
    "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
}


@pytest.mark.parametrize(
    ("context", "rights"),
    [
        ("{}", {}),
        ("{runAsUser: 5}", {"user": "5:2000"}),
        ("{runAsGroup: 5}", {"user": "1000:5"}),
        ("{runAsUser: 0, runAsNonRoot: false}", {"user": "0:2000"}),
        ("{runAsNonRoot: false}", {}),
        ("{readOnlyRootFilesystem: false}", {"readonlyRootFilesystem": False}),
        (
            "{capabilities: {drop: [NET_RAW]}}",
            {"linuxParameters": {"capabilities": {"drop": ["NET_RAW"]}}},
        ),
        (
            "{capabilities: {add: [SYS_PTRACE]}}",
            {"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}},
        ),
        ("{capabilities: {}}", {"linuxParameters": None}),
        ("{capabilities: null, seccompProfile: {type: Unconfined}}", {}),
    ],
)
def test_a_restricted_plane_gives_the_rights_that_a_task_does_not_speak_of(
    context: str, rights: dict[str, Any]
) -> None:
    raw = f"apiVersion: v2\nactions: [{{tasks: [{{image: alpine, securityContext: {context}}}]}}]".encode()
    task = read(raw, origin="c.yaml", rules=Rules()).actions[0].tasks[0]

    container = spec_of(task, settings=RESTRICTED).definition["containerDefinitions"][0]

    assert {name: container.get(name) for name in NO_RIGHTS} == {**NO_RIGHTS, **rights}


def test_on_a_restricted_plane_the_folder_is_open_to_its_user() -> None:
    names = [each["name"] for each in spec_of(settings=RESTRICTED).definition["containerDefinitions"]]

    assert names == ["task", "files"]


@pytest.mark.parametrize(
    ("context", "settings"),
    [
        (SecurityContext(run_as_user=0, run_as_non_root=True), SETTINGS),
        (SecurityContext(run_as_user=0), RESTRICTED),
    ],
)
def test_a_root_that_is_to_be_none_is_refused(context: SecurityContext, settings: ContainerSettings) -> None:
    with pytest.raises(TaskUnusable, match=r"root \(securityContext\.runAsUser: 0\), although runAsNonRoot"):
        spec_of(replace(TASK, security_context=context), settings=settings)


def test_a_group_alone_means_something_where_the_plane_has_its_user() -> None:
    task = replace(TASK, security_context=SecurityContext(run_as_group=5, run_as_non_root=True))

    assert list(meaningless(task, SETTINGS)) == ["securityContext.runAsNonRoot", "securityContext.runAsGroup"]
    assert list(meaningless(task, RESTRICTED)) == []


def test_overrides_are_never_longer_than_ecs_takes() -> None:
    """And what does not fit them says the same in a definition of its own."""
    longest_in_overrides = 0
    for length in range(MOST_OVERRIDES - 600, MOST_OVERRIDES + 100):
        spec = spec_of(replace(TASK, args=("x" * length,)), archive=("bucket", "key"))
        overrides = spec.overrides["containerOverrides"]
        assert len(json.dumps(spec.overrides)) <= MOST_OVERRIDES
        assert overrides[-1]["command"] == ["bucket", "key", "/keptn"]
        if overrides[0]["name"] == "task":
            longest_in_overrides = len(json.dumps(spec.overrides))
        else:
            assert spec.definition["containerDefinitions"][0]["command"] == ["x" * length]
    assert longest_in_overrides == MOST_OVERRIDES


def test_only_the_command_its_arguments_and_variables_are_expanded() -> None:
    env = (Env("A", "1", "string"), Env("B", "$(A)", "string"))
    spec = spec_of(
        replace(TASK, image="alpine:$(A)", cmd=("run$(A)",), args=("$(B)",), working_dir="/$(A)", env=env)
    )

    (container,) = spec.definition["containerDefinitions"]
    (overrides,) = spec.overrides["containerOverrides"]
    assert (container["image"], container["workingDirectory"]) == ("alpine:$(A)", "/$(A)")
    assert (container["entryPoint"], overrides["command"]) == (["run1"], ["1"])
    assert {"name": "B", "value": "1"} in overrides["environment"]


TLS = SecretFolder("/etc/tls", {"key.pem": "arn:tls:key.pem::", "crt.pem": "arn:tls:crt.pem::"})


def test_a_registrys_credentials_are_for_the_tasks_image_alone() -> None:
    spec = spec_of(archive=("bucket", "key"), references=References(registry="arn:registry"))

    task, files = spec.definition["containerDefinitions"]
    assert task["repositoryCredentials"] == {"credentialsParameter": "arn:registry"}
    assert "repositoryCredentials" not in files


def test_a_secrets_files_are_mounted_where_the_task_says_and_it_can_only_read_them() -> None:
    other = SecretFolder("/run/other", {"token": "arn:other:token::"})

    spec = spec_of(references=References(folders=(TLS, other)))

    task, files = spec.definition["containerDefinitions"]
    assert task["mountPoints"][1:] == [
        {"sourceVolume": "secrets-0", "containerPath": "/etc/tls", "readOnly": True},
        {"sourceVolume": "secrets-1", "containerPath": "/run/other", "readOnly": True},
    ]
    assert task["dependsOn"] == [{"containerName": "files", "condition": "SUCCESS"}]
    assert "secrets" not in task
    assert {each["valueFrom"] for each in files["secrets"]} == {*TLS.files.values(), *other.files.values()}
    assert spec.definition["volumes"] == [{"name": name} for name in ("keptn", "secrets-0", "secrets-1")]
    assert spec.overrides["containerOverrides"][1] == {"name": "files", "command": ["/keptn"]}


@pytest.mark.parametrize(
    ("context", "owner"),
    [
        (SecurityContext(run_as_user=1000, run_as_group=2000), "1000:2000"),
        (SecurityContext(run_as_user=0), "0"),
        (SecurityContext(), ""),
    ],
)
def test_a_secrets_files_are_written_for_the_user_whom_the_task_names(
    context: SecurityContext, owner: str
) -> None:
    spec = spec_of(replace(TASK, security_context=context), references=References(folders=(TLS,)))

    _, files = spec.definition["containerDefinitions"]
    assert files["entryPoint"][-1] == owner


def test_files_of_both_kinds_are_brought_by_one_container() -> None:
    spec = spec_of(archive=("bucket", "key"), references=References(folders=(TLS,)))

    _, files = spec.definition["containerDefinitions"]
    assert files["entryPoint"][2] == WRITE_SECRETS + UNPACK
    assert spec.overrides["containerOverrides"][1] == {
        "name": "files",
        "command": ["bucket", "key", "/keptn"],
    }
