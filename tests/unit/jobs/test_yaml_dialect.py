r"""YAML that only one of gopkg.in/yaml.v2 and libyaml takes.

What yaml.v2 takes is read as the job executor reads it; the rows are of the kinds that a comparison of
generated token sequences found. What libyaml takes is read as well, though the job executor refuses it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config import InvalidJobConfig, Rules, Task, read

PLAIN = st.from_regex(r"[A-Za-z0-9_./$@%!=+~^é-]*[A-Za-z0-9_./$]", fullmatch=True).map("x".__add__)


def task_of(fields: str) -> Task:
    raw = f"apiVersion: v2\nactions:\n- tasks:\n  - {fields}\n".encode()
    return read(raw, origin="c.yaml", rules=Rules()).actions[0].tasks[0]


def problem_of(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidJobConfig) as caught:
        read(raw, origin="c.yaml", rules=Rules())
    return str(caught.value)


@pytest.mark.parametrize(
    ("cmd", "words"),
    [
        ("[curl, -H, Accept:, http://x]", ("curl", "-H", "Accept:", "http://x")),
        ("[-u, admin:]", ("-u", "admin:")),
        ("[a:,b:]", ("a:", "b:")),
        ("[a b:, c]", ("a b:", "c")),
        ("[a\n     b:, c]", ("a b:", "c")),
        ("[a::, '::', b]", ("a::", "::", "b")),
        ("[-:, --:]", ("-:", "--:")),
        ("[don't:, a\"b:]", ("don't:", 'a"b:')),
        ("[é:, 😀:, a]", ("é:", "😀:", "a")),
        ("[1:, ~:, yes:, a]", ("1:", "~:", "yes:", "a")),
        ("[http://x:, a#b:]", ("http://x:", "a#b:")),
        ("[a:, 'a:, b:]', \"a:, b:]\"]", ("a:", "a:, b:]", "a:, b:]")),
        ("[a:, b] # {c:, d:}", ("a:", "b")),
        ("[!!str a:, b]", ("a:", "b")),
    ],
)
def test_a_colon_at_the_end_of_a_word_in_a_flow_list_is_text(cmd: str, words: tuple[str, ...]) -> None:
    assert task_of(f"cmd: {cmd}").cmd == words


def test_a_colon_at_the_end_of_a_value_in_a_flow_map_is_text() -> None:
    assert task_of("{name: a:, image: b, workingDir: c:}") == task_of(
        '{name: "a:", image: b, workingDir: "c:"}'
    )


def test_a_colon_at_the_end_of_a_key_in_a_flow_map_is_text() -> None:
    assert task_of("{annotations: {a:, b: c}}").annotations == {"a:": "", "b": "c"}


def test_an_anchored_text_keeps_its_colon() -> None:
    task = task_of("{cmd: [&a x:, *a , &b y:], args: [*b ]}")

    assert (task.cmd, task.args) == (("x:", "x:", "y:"), ("y:",))


def test_texts_of_other_styles_keep_what_stands_in_them_beside_such_a_colon() -> None:
    lines = [
        "cmd:",
        "- |",
        "  case {a:, b:} \\'",
        "- plain a:, b:c",
        "- 'a \\'",
        '- "c:, d:] \\\\"',
        "args: [a:, b]",
    ]

    task = task_of("\n    ".join(lines))

    assert task.cmd == ("case {a:, b:} \\'\n", "plain a:, b:c", "a \\", "c:, d:] \\")
    assert task.args == ("a:", "b")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r'"\'"', "'"),
        (r'"it\'s"', "it's"),
        (r'"\'a\' and \"b\""', "'a' and \"b\""),
        (r'"\\\'"', r"\'"),
        (r'"a \'' + "\n    " + r'b"', "a ' b"),
        (r"'\'", "\\"),
        (r"a\'b", r"a\'b"),
    ],
)
def test_an_escaped_apostrophe_in_double_quotes_is_an_apostrophe(value: str, text: str) -> None:
    assert task_of(f"name: {value}").name == text


def test_both_may_stand_in_one_file() -> None:
    task = task_of(r'{cmd: [curl, -H, Accept:, "it\'s"], args: ["\'", admin:], name: a:}')

    assert (task.cmd, task.args, task.name) == (("curl", "-H", "Accept:", "it's"), ("'", "admin:"), "a:")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_characters_of_many_bytes_before_it_make_no_difference(encoding: str) -> None:
    raw = "# é😀\r\napiVersion: v2\r\nactions: [{name: 'é', tasks: [{cmd: [é, a:, \"\\'\"]}]}]\r\n"

    (action,) = read(raw.encode(encoding), origin="c.yaml", rules=Rules()).actions

    assert (action.name, action.tasks[0].cmd) == ("é", ("é", "a:", "'"))


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        ("image: {}", "line 5, actions[0].tasks[0].image: expected a text, found a map"),
        (
            "args: [a",
            "line 6: not a YAML document: while parsing a flow sequence, did not find expected ',' or ']'",
        ),
        ("args: [a:?b]", "line 5: not a YAML document: while scanning a plain scalar, found unexpected ':'"),
        (r'args: ["\q"]', "line 5: not a YAML document: while parsing a quoted scalar, found unknown escape"),
        (
            "args: ['a' b:]",
            "line 5: not a YAML document: while parsing a flow sequence, did not find expected ','",
        ),
    ],
)
def test_what_else_is_wrong_with_such_a_file_is_said_with_its_line(last: str, problem: str) -> None:
    text = f'apiVersion: v2\nactions:\n- tasks:\n  - cmd: [Accept:, "\\\'"]\n    {last}\n'

    assert problem_of(text).startswith(f"c.yaml, {problem}")


@pytest.mark.parametrize("more", [b"#" * 50_000 + b"\xff", "\ue000".encode()])
def test_a_file_that_can_t_be_spelled_otherwise_is_refused_where_libyaml_refuses_it(more: bytes) -> None:
    assert problem_of(b"apiVersion: v2\nactions: [{tasks: [{cmd: [a:, b]}]}]\n# " + more).startswith(
        "c.yaml, line 2: not a YAML document: while scanning a plain scalar, found unexpected ':'"
    )


@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_any_word_may_end_with_a_colon(words: list[str]) -> None:
    words = [f"{word}:" for word in words]

    assert task_of(f"cmd: [{', '.join(words)}]").cmd == tuple(words)


@pytest.mark.parametrize(
    ("cmd", "words"),
    [
        ("[http://x/?a=b]", ("http://x/?a=b",)),
        (r'["a\/b"]', ("a/b",)),
        ("[what?, a]", ("what?", "a")),
    ],
)
def test_yaml_that_only_the_job_executor_refuses_is_read(cmd: str, words: tuple[str, ...]) -> None:
    assert task_of(f"cmd: {cmd}").cmd == words


@pytest.mark.timeout(10)
def test_very_many_such_words_are_read_or_refused_at_once() -> None:
    tasks = "\n".join(f"  - cmd: [curl, -H, Accept:, x{number}:, -{number % 9}:]" for number in range(20_000))

    assert "expands to more than" in problem_of(f"apiVersion: v2\nactions:\n- tasks:\n{tasks}")
    words = ", ".join(f"-{number}:" for number in range(90_000))
    assert "found unexpected ':'" in problem_of(f"apiVersion: v2\nactions: [{words}]")
