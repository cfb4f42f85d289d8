"""What is found when a job config is read, though the job executor finds it only when a task begins."""

import pytest

from jobs.compiled import MAX_PATTERNS
from jobs.config import InvalidJobConfig, Problem, Rules, Task, read
from jobs.images import ImageAllowlist


def problem_of(action: str, rules: Rules | None = None) -> str:
    with pytest.raises(InvalidJobConfig) as caught:
        read(f"apiVersion: v2\nactions:\n- {action}".encode(), origin="c.yaml", rules=rules or Rules())
    return str(caught.value)


def task_of(fields: str, rules: Rules | None = None) -> Task:
    raw = f"apiVersion: v2\nactions: [{{tasks: [{{{fields}}}]}}]".encode()
    return read(raw, origin="c.yaml", rules=rules or Rules()).actions[0].tasks[0]


@pytest.mark.parametrize(
    "pattern", ["[bad", "*", "(?!x)foo", "(?=x)", r"(a)\1", "(", "a**", "a{1001}", r"a\C"]
)
def test_a_pattern_that_re2_does_not_know_is_refused(pattern: str) -> None:
    problem = problem_of(f"events: [{{name: '{pattern}'}}]")
    assert problem.startswith("c.yaml, line 3, actions[0].events[0].name: expected an RE2 pattern, found ")


@pytest.mark.parametrize("name", [r"a\\C", r"\QC\C\E", r"\\\\C", "C"])
def test_what_only_looks_like_any_byte_is_a_pattern(name: str) -> None:
    raw = f"apiVersion: v2\nactions: [{{events: [{{name: '{name}'}}]}}]".encode()

    assert read(raw, origin="c.yaml", rules=Rules()).actions[0].events[0].name == name


@pytest.mark.parametrize("pattern", [r"(\pL{0,200})x1", "a" * 4097])
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    problem = problem_of(f"events: [{{name: '{pattern}'}}]")

    assert problem.startswith("c.yaml, line 3, actions[0].events[0].name: expected an RE2 pattern, found ")
    assert ": pattern too large - " in problem


def test_more_different_patterns_than_a_file_may_have_are_refused() -> None:
    lines = "\n".join(f"  - name: 'sh.keptn.event.task{number}'" for number in range(MAX_PATTERNS + 1))

    with pytest.raises(InvalidJobConfig) as caught:
        read(f"apiVersion: v2\nactions:\n- events:\n{lines}".encode(), origin="c.yaml", rules=Rules())

    last = caught.value.problems[-1]
    assert (last.text, last.line) == ("the file has more than 500 different patterns", 4 + MAX_PATTERNS)


def test_a_pattern_that_is_repeated_counts_once() -> None:
    lines = "\n".join(rf"  - name: 'z\pL{{0,10}}{number % 50}'" for number in range(5000))

    config = read(f"apiVersion: v2\nactions:\n- events:\n{lines}".encode(), origin="c.yaml", rules=Rules())

    assert len(config.actions[0].events) == 5000


def test_a_bad_jsonpath_is_refused_with_its_character() -> None:
    problem = problem_of("events: [{jsonpath: {property: $.data.build-id}}]")
    assert problem.startswith(
        "c.yaml, line 3, actions[0].events[0].jsonpath.property: "
        "expected a JSONPath, found '$.data.build-id': character 13: unexpected \"-\""
    )


@pytest.mark.parametrize("value", ["$.data['project']", "{.data}", ""])
def test_a_bad_jsonpath_of_an_event_variable_is_refused(value: str) -> None:
    problem = problem_of(f'tasks: [{{env: [{{name: A, valueFrom: event, value: "{value}"}}]}}]')
    assert "actions[0].tasks[0].env[0].value: expected a JSONPath, found " in problem


def test_a_value_that_is_no_path_is_fine_for_a_string_or_a_secret() -> None:
    env = task_of(
        "env: [{name: A, valueFrom: string, value: '['}, {name: S, valueFrom: secret, value: '['}]"
    ).env
    assert [entry.value_from for entry in env] == ["string", "secret"]


@pytest.mark.parametrize(
    "entry", ["{name: A, valueFrom: Event}", "{name: A, valueFrom: env}", "{name: A}", "null"]
)
def test_an_unknown_source_of_a_variable_is_refused(entry: str) -> None:
    problem = problem_of(f"tasks: [{{env: [{entry}]}}]")
    expected = "expected event, string, secret or secretKey, found "
    assert f"actions[0].tasks[0].env[0].valueFrom: {expected}" in problem


@pytest.mark.parametrize("value", ["db", "/password", "db/", ""])
def test_what_is_no_key_of_a_secret_is_refused(value: str) -> None:
    problem = problem_of(f'tasks: [{{env: [{{name: A, valueFrom: secretKey, value: "{value}"}}]}}]')
    assert "actions[0].tasks[0].env[0].value: expected SECRET/KEY, as in db/password, found " in problem


@pytest.mark.parametrize(
    "field",
    ["limits: {cpu: lots}", "requests: {memory: 1K}", "limits: {memory: 1 Gi}", "requests: {cpu: -1}"],
)
def test_a_bad_quantity_is_refused(field: str) -> None:
    where, _, what = field.replace("{", "").partition(": ")
    name = what.partition(":")[0]
    assert f"resources.{where}.{name}: expected a quantity like 500m or 1Gi, found " in problem_of(
        f"tasks: [{{resources: {{{field}}}}}]"
    )


def test_an_image_that_is_not_allowed_is_refused() -> None:
    rules = Rules(images=ImageAllowlist.parse("docker.io/*"))
    assert task_of("image: docker.io/alpine", rules).image == "docker.io/alpine"
    problem = problem_of("tasks: [{image: alpine}]", rules)
    assert "tasks[0].image: expected an image that this deployment allows, found 'alpine'" in problem


def test_a_privileged_container_is_refused_unless_it_is_allowed() -> None:
    fields = "securityContext: {privileged: true}"
    assert "securityContext.privileged: privileged containers are not allowed" in problem_of(
        f"tasks: [{{{fields}}}]"
    )
    assert task_of(fields, Rules(allow_privileged=True)).security_context.privileged


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        *(("image: a", "image"), ("function: f", "function"), ("lambda: l", "lambda"), ("name: a", None)),
        *(("http: {url: 'https://a'}", "http"), ("http: null", None)),
    ],
)
def test_a_task_runs_an_image_a_function_a_lambda_or_a_call(fields: str, kind: str | None) -> None:
    assert task_of(fields).kind == kind


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ("image: a, function: f", "image and function"),
        ("lambda: l, image: a", "image and lambda"),
        ("function: f, lambda: l, image: a", "image and function and lambda"),
        ("http: {url: 'https://a'}, function: f", "function and http"),
    ],
)
def test_a_task_has_one_kind_only(fields: str, kinds: str) -> None:
    message = (
        f"actions[0].tasks[0]: expected one of image, function, lambda, http and stateMachine, found {kinds}"
    )
    assert message in problem_of(f"tasks: [{{{fields}}}]")


def test_a_failing_task_fails_its_action_unless_it_says_warning() -> None:
    assert task_of("name: a").on_error == "fail"
    assert task_of("onError: fail").on_error == "fail"
    assert task_of("onError: warning").on_error == "warning"
    assert "tasks[0].onError: expected fail or warning, found 'ignore'" in problem_of(
        "tasks: [{onError: ignore}]"
    )


def test_a_problem_is_a_value_with_origin_line_and_field() -> None:
    with pytest.raises(InvalidJobConfig) as caught:
        read(b"apiVersion: v2\nactions:\n  - silent: 1\n", origin="stage dev", rules=Rules())
    assert caught.value.problems == (
        Problem("stage dev", 3, "actions[0].silent", "expected true or false, found '1'"),
    )
    assert str(caught.value) == "stage dev, line 3, actions[0].silent: expected true or false, found '1'"


def test_the_text_of_very_many_problems_is_short() -> None:
    with pytest.raises(InvalidJobConfig) as caught:
        read(b"apiVersion: v2\nactions: [" + b"x," * 1000 + b"]", origin="c.yaml", rules=Rules())
    assert len(caught.value.problems) == 1000
    assert str(caught.value).endswith("\nand 950 problems more")
