"""What a job config's YAML may be, row by row: the same is accepted and refused as by the job executor."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from jobs.config import (
    Action,
    Amounts,
    InvalidJobConfig,
    JobConfig,
    Resources,
    Rules,
    SecurityContext,
    Task,
    read,
)


def config_of(text: str | bytes) -> JobConfig:
    raw = text if isinstance(text, bytes) else text.encode()
    return read(raw, origin="job/config.yaml", rules=Rules())


def problem_of(text: str | bytes) -> str:
    with pytest.raises(InvalidJobConfig) as caught:
        config_of(text)
    return str(caught.value)


def action_of(fields: str) -> Action:
    return config_of(f"apiVersion: v2\nactions:\n  - {fields}\n").actions[0]


def task_of(fields: str) -> Task:
    return action_of(f"tasks: [{{{fields}}}]").tasks[0]


def task_problem(fields: str) -> str:
    return problem_of(f"apiVersion: v2\nactions:\n  - tasks:\n    - {fields}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected v2, but it is not there"),
        ("# only a comment\n", "expected v2, but it is not there"),
        ("null", "expected v2, but it is not there"),
        ("actions: []", "expected v2, but it is not there"),
        ("apiVersion:", "expected v2, found nothing"),
        ("apiVersion: ''", "expected v2, found nothing"),
        ("apiVersion: v1", "expected v2, found 'v1', which is not supported"),
        ("apiVersion: v0", "expected v2, found 'v0', which is not supported"),
        ("apiVersion: 2", "expected v2, found '2', which is not supported"),
        ("apiVersion: [v2]", "expected a text, found a list"),
    ],
)
def test_the_api_version_must_be_v2(text: str, message: str) -> None:
    assert problem_of(text) == f"job/config.yaml, line 1, apiVersion: {message}"


@pytest.mark.parametrize(
    "text",
    ["apiVersion: v2", "apiVersion: v2\nactions:", "apiVersion: v2\nactions: []", '{"apiVersion": "v2"}'],
)
def test_a_config_without_actions_is_valid(text: str) -> None:
    assert config_of(text) == JobConfig()


@pytest.mark.parametrize(("actions", "found"), [("{}", "a map"), ("{name: a}", "a map"), ("x", "'x'")])
def test_the_actions_must_be_a_list(actions: str, found: str) -> None:
    assert f"line 2, actions: expected a list of maps with events, name, silent, tasks, found {found}" in (
        problem_of(f"apiVersion: v2\nactions: {actions}")
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("apiVersion: v2\nx-common: &c {name: a}", "line 2, x-common"),
        ("apiVersion: v2\nAPIVersion: v2", "line 2, APIVersion"),
        ("apiVersion: v2\nactions:\n  - Tasks: []", "line 3, actions[0].Tasks"),
        ("apiVersion: v2\nactions:\n  - event: a", "line 3, actions[0].event"),
        ("apiVersion: v2\nactions:\n  - tasks:\n    - Image: a", "line 4, actions[0].tasks[0].Image"),
        ("apiVersion: v2\nactions: [null, {events: [{with: a}]}]", "line 2, actions[1].events[0].with"),
        ("apiVersion: v2\nactions: [{events: [{jsonpath: {Match: a}}]}]", "events[0].jsonpath.Match"),
    ],
)
def test_an_unknown_field_is_refused_by_name(text: str, place: str) -> None:
    assert f"{place}: unknown field; expected " in problem_of(text)


@pytest.mark.parametrize(
    ("task", "place"),
    [
        ("env: [{name: A, valueFrom: string, key: a}]", "env[0].key"),
        ("resources: {limit: {}}", "resources.limit"),
        ("resources: {requests: {gpu: 1}}", "resources.requests.gpu"),
        ("securityContext: {seLinuxOptions: {}}", "securityContext.seLinuxOptions"),
        ("securityContext: {fsGroup: 1}", "securityContext.fsGroup"),
        ("securityContext: {capabilities: {all: []}}", "securityContext.capabilities.all"),
        ("securityContext: {seccompProfile: {profile: a}}", "securityContext.seccompProfile.profile"),
    ],
)
def test_an_unknown_field_within_a_task_is_refused_by_name(task: str, place: str) -> None:
    assert f"line 4, actions[0].tasks[0].{place}: unknown field; expected " in task_problem(task)


@pytest.mark.parametrize("field", ["emptyDirSizeLimit", "envFrom", "seLinuxOptions", "plugin", "waitFor"])
def test_a_field_that_only_documents_and_issues_speak_of_is_unknown(field: str) -> None:
    assert f"actions[0].tasks[0].{field}: unknown field" in task_problem(f"{field}: a")


@pytest.mark.parametrize("field", ["image: a", "cmd: [a]", "files: [a]", "plugin: a", "with: {}"])
def test_an_action_has_none_of_its_tasks_fields(field: str) -> None:
    problem = problem_of(f"apiVersion: v2\nactions:\n  - {field}\n")
    assert f"line 3, actions[0].{field.partition(':')[0]}: unknown field; expected " in problem


def test_all_problems_are_collected_in_the_order_of_the_file() -> None:
    text = """\
apiVersion: v2
actions:
  - name: a
    Events: []
    tasks:
      - cmd: echo hi
        maxPollDuration: soon
      - args: {a: b}
"""
    lines = [line.split(": ")[0] for line in problem_of(text).splitlines()]
    assert lines == [
        "job/config.yaml, line 4, actions[0].Events",
        "job/config.yaml, line 6, actions[0].tasks[0].cmd",
        "job/config.yaml, line 7, actions[0].tasks[0].maxPollDuration",
        "job/config.yaml, line 8, actions[0].tasks[1].args",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("apiVersion: v2\napiVersion: v2", "line 2, apiVersion"),
        ("apiVersion: v2\nactions:\n  - name: a\n    name: b", "line 4, actions[0].name"),
        ("apiVersion: v2\nactions: [{tasks: [{cmd: [a], cmd: [a]}]}]", "line 2, actions[0].tasks[0].cmd"),
    ],
)
def test_a_field_that_is_there_twice_is_refused(text: str, place: str) -> None:
    assert f"{place}: the field is there twice" in problem_of(text)


def test_an_annotation_that_is_there_twice_is_refused() -> None:
    assert "actions[0].tasks[0].annotations.a: the key is there twice" in task_problem(
        "annotations: {a: x, a: y}"
    )


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("cmd: echo hi", "'echo hi'"),
        ("args: x", "'x'"),
        ("files: x", "'x'"),
        ("cmd: ''", "the text ''"),
        ("cmd: {}", "a map"),
        ("args: {a: b}", "a map"),
    ],
)
def test_a_list_of_texts_is_nothing_else(field: str, found: str) -> None:
    name = field.partition(":")[0]
    message = f"line 4, actions[0].tasks[0].{name}: expected a list of texts, found {found}"
    assert task_problem(field) == f"job/config.yaml, {message}"


def test_a_list_of_texts_holds_no_lists() -> None:
    assert "actions[0].tasks[0].cmd[0]: expected a text, found a list" in task_problem("cmd: [[a]]")


def test_scalars_in_a_list_of_texts_keep_their_raw_text() -> None:
    assert task_of("cmd: [echo, 1, true, 1.50, 0x10, 010, yes, 2001-12-14, 'q']").cmd == (
        *("echo", "1", "true", "1.50", "0x10", "010", "yes", "2001-12-14", "q"),
    )


def test_null_is_the_empty_text() -> None:
    task = task_of("cmd: [null, ~, 'null'], image: null, workingDir: ~, args: null, files: ")
    assert (task.cmd, task.image, task.working_dir) == (("", "", "null"), "", "")
    assert (task.args, task.files) == ((), ())


@pytest.mark.parametrize(
    ("scalar", "text"),
    [("3", "3"), ("true", "true"), ("1.10", "1.10"), ("null", ""), ("''", ""), ("'3'", "3")],
)
def test_a_match_is_the_raw_text_of_any_scalar(scalar: str, text: str) -> None:
    action = action_of(f"events: [{{name: a, jsonpath: {{property: $.data, match: {scalar}}}}}]")
    assert action.events[0].match == text


def test_a_value_is_no_map() -> None:
    assert "env[0].value: expected a text, found a map" in task_problem(
        "env: [{name: A, value: {a: b}, valueFrom: string}]"
    )


def test_a_binary_value_is_decoded() -> None:
    env = task_of("env: [{name: A, value: !!binary aGVsbG8=, valueFrom: string}]").env
    assert env[0].value == base64.b64decode("aGVsbG8=").decode()
    assert "expected a text: the !!binary is no base64" in task_problem("name: !!binary '***'")


@pytest.mark.parametrize(
    ("scalar", "found"),
    [
        ("'12'", "the text '12'"),
        ("5m", "'5m'"),
        ("abc", "'abc'"),
        ("12:30", "'12:30'"),
        ("true", "'true'"),
        ("[]", "a list"),
        ("2001-12-14", "'2001-12-14'"),
        (".nan", "'.nan'"),
        ("1e99", "'1e99'"),
    ],
)
def test_a_duration_is_a_number_without_quotes(scalar: str, found: str) -> None:
    message = f"maxPollDuration: expected a whole number of at most 64 bits, found {found}"
    assert message in task_problem(f"maxPollDuration: {scalar}")


@pytest.mark.parametrize(
    ("scalar", "seconds"),
    [
        ("1.5", 1),
        ("2.0", 2),
        ("1_000", 1000),
        ("0x10", 16),
        ("010", 8),
        ("-1", -1),
        ("0", 0),
        ("0b11", 3),
        ("1e2", 100),
        ("08", 8),
        ("+5", 5),
        ("null", 300),
        ("!!int 7", 7),
        ("!!float 7", 7),
        ("0o17", 15),
    ],
)
def test_a_duration_is_resolved_as_yaml_v2_resolves_numbers(scalar: str, seconds: int) -> None:
    assert task_of(f"maxPollDuration: {scalar}").max_poll_duration == seconds


def test_a_duration_that_is_not_given_is_five_minutes() -> None:
    assert task_of("name: a").max_poll_duration == 300


@pytest.mark.parametrize("scalar", ["'600'", "5000000000", "-5000000000"])
def test_a_time_to_live_that_is_no_number_of_32_bits_is_refused(scalar: str) -> None:
    problem = task_problem(f"ttlSecondsAfterFinished: {scalar}")
    assert "ttlSecondsAfterFinished: expected a whole number of at most 32 bits" in problem


def test_a_time_to_live_may_be_written_as_a_float() -> None:
    assert task_of("ttlSecondsAfterFinished: 1e2").ttl_seconds_after_finished == 100


@pytest.mark.parametrize("scalar", ["yes", "on", "y", "true", "True", "YES", "!!bool yes"])
def test_silent_may_be_any_yes_of_yaml_1_1(scalar: str) -> None:
    assert action_of(f"silent: {scalar}").silent is True


@pytest.mark.parametrize("scalar", ["no", "off", "n", "false", "null"])
def test_silent_may_be_any_no_of_yaml_1_1(scalar: str) -> None:
    assert action_of(f"silent: {scalar}").silent is False


@pytest.mark.parametrize(
    ("scalar", "found"),
    [("'true'", "the text 'true'"), ('"yes"', "the text 'yes'"), ("1", "'1'"), ("[]", "a list")],
)
def test_silent_is_no_text_and_no_number(scalar: str, found: str) -> None:
    problem = problem_of(f"apiVersion: v2\nactions:\n- silent: {scalar}")
    assert f"actions[0].silent: expected true or false, found {found}" in problem


def test_a_user_is_a_number() -> None:
    problem = task_problem("securityContext: {runAsUser: root}")
    assert "securityContext.runAsUser: expected a whole number of at most 64 bits, found 'root'" in problem


def test_no_resources_are_not_the_same_as_empty_ones() -> None:
    assert task_of("resources: null").resources is None
    resources = task_of("resources: {}").resources
    assert resources == Resources(Amounts(), Amounts())


def test_other_resources_than_cpu_and_memory_are_unknown() -> None:
    problem = task_problem("resources: {limits: {ephemeral-storage: 1Gi}}")
    assert "resources.limits.ephemeral-storage: unknown field; expected cpu, memory" in problem


def test_quantities_may_be_written_as_numbers() -> None:
    resources = task_of("resources: {limits: {cpu: 1, memory: 1e3}, requests: {cpu: 0.5}}").resources
    assert resources is not None
    assert resources.limits == Amounts(Decimal(1), Decimal(1000))
    assert resources.requests == Amounts(Decimal("0.5"), None)


def test_annotations_are_a_map_of_texts() -> None:
    assert task_of("annotations: {a: 1, 2: null, c: yes}").annotations == {"a": "1", "2": "", "c": "yes"}
    problem = task_problem("annotations: [{k: v}]")
    assert "annotations: expected a map of texts, found a list" in problem


def test_a_null_action_a_task_without_name_or_image_and_an_action_without_events_are_valid() -> None:
    config = config_of("apiVersion: v2\nactions: [null, {tasks: [{}]}, {name: a}]")
    assert config.actions == (
        Action(0),
        Action(1, tasks=(Task(0),)),
        Action(2, name="a"),
    )
    assert config.actions[1].tasks[0].kind is None


def test_aliases_and_merges_are_followed() -> None:
    text = """\
apiVersion: v2
actions:
  - tasks:
      - &base
        name: base
        image: alpine
        cmd: &cmd [echo]
      - <<: *base
        name: second
        args: *cmd
      - name: third
        <<: [{image: first-listed}, *base]
"""
    base, second, third = config_of(text).actions[0].tasks
    assert (base.name, base.image) == ("base", "alpine")
    assert (second.name, second.image, second.cmd, second.args) == ("second", "alpine", ("echo",), ("echo",))
    assert (third.name, third.image) == ("base", "first-listed"), "a merge is applied where it stands"


def test_a_struct_that_is_merged_and_given_is_filled_twice() -> None:
    text = """\
apiVersion: v2
actions:
  - tasks:
      - &base {resources: {limits: {cpu: 1}}, securityContext: {runAsUser: 5}}
      - <<: *base
        resources: {limits: {memory: 2}}
        securityContext: {runAsGroup: 6}
"""
    _, merged = config_of(text).actions[0].tasks
    assert merged.resources is not None
    assert merged.resources.limits == Amounts(Decimal(1), Decimal(2))
    assert merged.security_context == SecurityContext(run_as_user=5, run_as_group=6)


@pytest.mark.parametrize("source", ["x", "[x]", "null", "[[{name: a}]]"])
def test_only_maps_are_merged(source: str) -> None:
    assert "tasks[0].<<: expected a map or a list of maps to merge" in task_problem(f"<<: {source}")


def test_an_annotation_that_a_merge_repeats_is_refused() -> None:
    assert "annotations.a: the key is there twice" in task_problem("annotations: {<<: {a: b}, a: c}")


def test_an_anchor_may_be_defined_again() -> None:
    assert task_of("name: &a one, image: *a, cmd: [&a two, *a]").cmd == ("two", "two")


def test_an_unknown_anchor_is_refused() -> None:
    assert "line 4: not a YAML document: unknown anchor 'nowhere'" in task_problem("<<: *nowhere")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"apiVersion": "v2", "actions": [{"name": "a"}]}',
        b"apiVersion: v2\r\nactions:\r\n  - name: a\r\n",
        b"\xef\xbb\xbfapiVersion: v2\nactions:\n- name: a",
        "apiVersion: v2\nactions:\n- name: a".encode("utf-16"),
        b"%YAML 1.1\n---\napiVersion: v2\nactions:\n- name: a",
        b"apiVersion: v2\nactions:\n- name: a\n---\nanything: [",
    ],
)
def test_json_crlf_a_byte_order_mark_and_a_second_document_are_no_hindrance(raw: bytes) -> None:
    assert config_of(raw) == JobConfig((Action(0, name="a"),))


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"%YAML 1.2\n---\napiVersion: v2", 1),
        (b"apiVersion: v2\nactions:\n\t- name: a", 3),
        (b"apiVersion: v2\nactions: [", 3),
        (b"apiVersion: v2\nactions: 'open", 2),
        (b"apiVersion: v2\nactions: \xff", 2),
        (b"apiVersion: v2\n\x00", 2),
        (b"a: !<%ed%a0%80> b", 1),
    ],
)
def test_what_is_no_yaml_1_1_is_refused_with_its_line(raw: bytes, line: int) -> None:
    assert problem_of(raw).startswith(f"job/config.yaml, line {line}")
    assert "not a YAML document: " in problem_of(raw)


@pytest.mark.parametrize(("text", "found"), [("just text", "'just text'"), ("[a]", "a list"), ("3", "'3'")])
def test_the_root_must_be_a_map(text: str, found: str) -> None:
    message = f"expected a map with actions, apiVersion, found {found}"
    assert problem_of(text) == f"job/config.yaml, line 1: {message}"


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("imagePullPolicy", "always", "image_pull_policy", "always"),
        ("workingDir", "/bin", "working_dir", "/bin"),
        ("namespace", "other", "namespace", "other"),
        ("serviceAccount", "sa", "service_account", "sa"),
        ("serviceAccount", "''", "service_account", ""),
        ("serviceAccount", "null", "service_account", None),
        ("files", "[a, b/]", "files", ("a", "b/")),
    ],
)
def test_the_other_fields_are_taken_as_they_are(
    field: str, value: str, attribute: str, expected: Any
) -> None:
    assert getattr(task_of(f"{field}: {value}"), attribute) == expected


def test_a_whole_security_context_is_read() -> None:
    context = task_of(
        "securityContext: {capabilities: {add: [A], drop: [ALL]}, privileged: false, "
        "runAsUser: 1, runAsGroup: 2, runAsNonRoot: true, readOnlyRootFilesystem: yes, "
        "allowPrivilegeEscalation: no, procMount: Default, "
        "seccompProfile: {type: Localhost, localhostProfile: p.json}}"
    ).security_context
    assert context == SecurityContext(
        False, 1, 2, True, True, False, ("A",), ("ALL",), "Default", "Localhost", "p.json"
    )


def test_a_seccomp_profile_without_a_type_harms_nobody() -> None:
    assert (
        task_of("securityContext: {seccompProfile: {localhostProfile: p}}").security_context.seccomp_type
        is None
    )


def test_the_fields_that_a_task_was_given_are_known_by_name() -> None:
    assert task_of("name: a, namespace: n, cmd: [], image: null, maxPollDuration: 0").given == {
        *("name", "namespace", "maxPollDuration"),
    }
