"""Whatever the bytes, the reader returns a job config or says what is wrong; and it is quick about it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.config import InvalidJobConfig, JobConfig, Rules, Task, read
from jobs.environment import InvalidEnvironment, environment
from jobs.matching import matching_actions

WORDS = st.sampled_from(
    [
        "apiVersion",
        "v2",
        "actions",
        "name",
        "events",
        "tasks",
        "cmd",
        "env",
        "image",
        "resources",
        "annotations",
        "silent",
        "maxPollDuration",
        "securityContext",
        "jsonpath",
        "property",
        "match",
        "value",
        "valueFrom",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        '"',
        "|",
        ">",
        "#",
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "!!binary ",
        "!!null ",
        "!!float ",
        "!x ",
        "!<%ed%a0%80> ",
        "%YAML 1.2\n",
        "---\n",
        "...\n",
        "? ",
        "1",
        "0x1",
        "1e3",
        ".inf",
        "~",
        "null",
        "yes",
        "2001-01-01",
        "\t",
        "\ufeff",
        "\x85",
        "\u2028",
        "\\x",
        "\x00",
    ]
)
YAML_ISH = st.lists(WORDS, max_size=40).map("".join)
WHOLE = b"""\
apiVersion: v2
actions:
  - name: "Run"
    silent: no
    events:
      - {name: 'sh.keptn.event.(a|b).triggered', jsonpath: {property: '$.data["a"][0]', match: 1.50}}
    tasks:
      - &task
        name: Load
        image: !!str alpine
        cmd: [sh, -c]
        args:
          - "$(A)"
          - |
            text
        env: [{name: A, value: $.data, valueFrom: event, as: json}]
        resources: {limits: {cpu: 500m, memory: 1Gi}, requests: ~}
        securityContext: {runAsUser: 0x10, capabilities: {drop: [ALL]}, privileged: false}
        annotations: {a: b}
        maxPollDuration: 1_0.5
      - {<<: *task, onError: warning}
"""
EDITS = st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 3), WORDS), max_size=6)
IN_A_TASK = YAML_ISH.map(lambda text: f"apiVersion: v2\nactions:\n- tasks:\n  - {text}")


EVENT = {
    "id": "1",
    "type": "sh.keptn.event.a.triggered",
    "data": {"project": "p", "stage": "s", "service": "v", "a": ["1.50"]},
}


def edited(edits: list[tuple[int, int, str]]) -> bytes:
    """A whole job config in which some places are cut out, and others written in their place."""
    raw = WHOLE
    for place, length, word in edits:
        raw = raw[:place] + word.encode() + raw[place + length :]
    return raw


def outcome(raw: bytes) -> JobConfig | InvalidJobConfig:
    try:
        return read(raw, origin="c.yaml", rules=Rules())
    except InvalidJobConfig as error:
        return error


def assert_known(result: JobConfig | InvalidJobConfig) -> None:
    if isinstance(result, InvalidJobConfig):
        assert result.problems
        assert all(
            problem.origin == "c.yaml" and problem.line >= 1 and problem.text for problem in result.problems
        )


@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00\xd8")
@example(b"a: !<%ed%a0%80> b")
def test_any_bytes_are_a_config_or_an_invalid_config(raw: bytes) -> None:
    assert_known(outcome(raw))


@given(YAML_ISH | IN_A_TASK)
def test_any_text_is_a_config_or_an_invalid_config(text: str) -> None:
    assert_known(outcome(text.encode()))


@given(EDITS.map(edited))
@example(WHOLE)
def test_an_edited_config_is_a_config_that_can_be_matched_or_an_invalid_config(raw: bytes) -> None:
    result = outcome(raw)
    assert_known(result)
    if isinstance(result, JobConfig):
        for action in matching_actions(result, EVENT):
            for task in action.tasks:
                assert_has_environment(task)


def assert_has_environment(task: Task) -> None:
    try:
        made = environment(task, EVENT, {"A": {"KEY": "value"}}.__getitem__, allow_secret_references=True)
    except InvalidEnvironment:
        return
    assert all(isinstance(made.expand(word), str) for word in (*task.cmd, *task.args))


def test_the_config_that_is_edited_is_valid_and_matches() -> None:
    result = outcome(WHOLE)
    assert isinstance(result, JobConfig)
    assert matching_actions(result, EVENT) == result.actions


@given(st.text(max_size=30))
def test_any_text_can_be_a_task_name(text: str) -> None:
    quoted = "".join(f"\\U{ord(character):08x}" for character in text)
    result = outcome(f'apiVersion: v2\nactions: [{{tasks: [{{name: "{quoted}"}}]}}]'.encode())
    assert isinstance(result, JobConfig)
    assert result.actions[0].tasks[0].name == text


def laughs(levels: int) -> bytes:
    tasks = [f"&t{level} {{<<: [*t{level - 1}, *t{level - 1}]}}" for level in range(1, levels)]
    return f"apiVersion: v2\nactions: [{{tasks: [&t0 {{name: ha}}, {', '.join(tasks)}]}}]".encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[" * 500_000, "nested deeper than"),
        (b"{a: " * 200_000, "nested deeper than"),
        (b"- " * 200_000, "nested deeper than"),
        (b"apiVersion: v2\nactions: &a [*a]", "expected a map"),
        (b"apiVersion: v2\nactions: [{tasks: [&t {<<: *t}]}]", "merges (<<) inside one another"),
        (laughs(80), "expands to more than"),
        (
            b"apiVersion: v2\nactions: [&a {tasks: [&t {name: ha}"
            + b", *t" * 2000
            + b"]}"
            + b", *a" * 2000
            + b"]",
            "expands to more than",
        ),
        (b"apiVersion: v2\n" + b"#" * 2_000_000, "expected at most"),
        (
            b"apiVersion: v2\nactions: [{events: [{name: '" + b"((a{100}){100}){100}" * 9 + b"'}]}]",
            "RE2 pattern",
        ),
        (
            b"apiVersion: v2\nactions: [{events: [{jsonpath: {property: '" + b"(" * 9000 + b"'}}]}]",
            "JSONPath",
        ),
    ],
)
@pytest.mark.timeout(10)
def test_a_bomb_is_refused_at_once(raw: bytes, reason: str) -> None:
    result = outcome(raw)
    assert isinstance(result, InvalidJobConfig)
    assert reason in str(result)
