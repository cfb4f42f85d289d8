"""The JSONPath dialect of existing job configs, row by row."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_plane import jsonpath
from execution_plane.jsonpath import InvalidJsonPath, JsonPathError

EVENT: Mapping[str, Any] = {
    "id": "f2b878d3",
    "data": {
        "project": "sockshop",
        "build-id": "b1",
        "count": 3,
        "nothing": None,
        "flag": True,
        "first": 1,
        "list": ["a", "b", "c"],
        "steps": [{"k": "v", "n": 1}, {"k": "w", "n": 2}, {"z": 1}],
        "by_number": {"3": "three", "1e+06": "a million"},
    },
}


def value_at(path: str) -> object:
    return jsonpath.compile(path).evaluate(EVENT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.data.project", "sockshop"),
        ("data.project", "sockshop"),
        ("   $.data.project", "sockshop"),
        ("$.data.project // as Keptn has it", "sockshop"),
        ("$.data.project//", "sockshop"),
        ("$.data // c\n.project", "sockshop"),
        ("/* c */ $./* d */data/**/.project", "sockshop"),
        ("$.data.project /* c", "sockshop"),
        ("$ /* // */ .data.project", "sockshop"),
        ("-`1_0`", -10),
        ("1_0.2_5e0_1", 102.5),
        ("''", ""),
        ("$.data.list[0_1]", "b"),
        ('-("3")', -3),
        ('$["data"]["project"]', "sockshop"),
        ("$.data[`project`]", "sockshop"),
        ('$.data["build-id"]', "b1"),
        ("$.data.list['0']", "a"),
        ("$.data.list[1]", "b"),
        ("$.data.list[1.9]", "b"),
        ("$.data.list[$.data.first]", "b"),
        ("$.data.by_number[3]", "three"),
        ("$.data.by_number[1000000]", "a million"),
        ("$.data.nothing", None),
        ("$", EVENT),
        ('$["d\\x61t\\u0061"].project', "sockshop"),
        ("($.data.project)", "sockshop"),
        ("-$.data.count", -3),
        ('"text"', "text"),
        ("1e3", 1000),
        ("true", True),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: object) -> None:
    assert value_at(path) == value
    assert not jsonpath.compile(path).is_list


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ('$.data.project == "sockshop"', True),
        ('$.data.project != "sockshop"', False),
        ('$.data.count == "3"', False),
        ("$.data.count == 3", True),
        ("$.data.flag == 1", False),
        ("$.data.flag == true", True),
        ('($.data.project == "sockshop") == true', True),
        ('$.data.list == $["data"].list', True),
        ("$.data.list == $.data.steps", False),
        ("$.data.nothing == null", True),
    ],
)
def test_comparisons_convert_nothing(path: str, value: bool) -> None:
    assert value_at(path) is value


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.data.list[0:2]", ["a", "b"]),
        ("$.data.list[-1:]", ["c"]),
        ("$.data.list[0:-1]", []),
        ("$.data.list[:]", ["a", "b", "c"]),
        ("$.data.list[::2]", ["a", "c"]),
        ("$.data.list[::-1]", ["c", "b", "a"]),
        ("$.data.list[0,1]", ["a", "b"]),
        ("$.data.list[0,9]", ["a"]),
        ('$.data["project","missing","build-id"]', ["sockshop", "b1"]),
        ("$.data.list[*]", ["a", "b", "c"]),
        ("$.data.by_number.*", ["three", "a million"]),
        ("$..k", ["v", "w"]),
        ('$.data.steps..["k"]', ["v", "w"]),
        ('$.data.steps[?(@.k=="v")]', [{"k": "v", "n": 1}]),
        ("$.data.steps[?(@.k=='v')].n", [1]),
        ("$.data.steps[?(@.n)].k", ["v", "w"]),
        ("$.data.steps[*].k", ["v", "w"]),
        ("$.data.missing[*]", []),
        ("$.data.project[*]", []),
    ],
)
def test_wildcards_slices_filters_and_unions_give_lists(path: str, values: list[object]) -> None:
    assert jsonpath.compile(path).is_list
    assert value_at(path) == values


def test_a_wildcard_on_a_map_keeps_the_maps_order() -> None:
    assert jsonpath.compile("$.*").evaluate({"b": 1, "a": 2}) == [1, 2]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.data.missing", "unknown key missing"),
        ("$.data.Project", "unknown key Project"),
        (
            "$.data.project.deep",
            "unsupported value type string for select, expected map[string]interface{} or []interface{}",
        ),
        (
            "$.data.project[0]",
            "unsupported value type string for select, expected map[string]interface{} or []interface{}",
        ),
        (
            "$.data.nothing.deep",
            "unsupported value type <nil> for select, expected map[string]interface{} or []interface{}",
        ),
        ("$.data.list[5]", "index 5 out of bounds"),
        ("$.data.list[-1]", "index -1 out of bounds"),
        (
            "$.data.list.k",
            "could not select value, invalid key: expected number but got k (string)",
        ),
        ("data.project.deep", "unknown parameter data.project.deep"),
        ("-$.data.project", "unexpected sockshop(string) expected number"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_the_go_library_says(path: str, message: str) -> None:
    with pytest.raises(JsonPathError) as caught:
        value_at(path)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("$.data['project']", 8),
        ("$.data.build-id", 13),
        ("$.data.count / 2", 14),
        ("1__0", 2),
        ("1_", 2),
        ("1._0", 3),
        ("1_e1", 2),
        ("// only a comment", 18),
        ("/*/ $.data.count", 17),
        ('-"v"', 2),
        ("-`3 `", 2),
        ('$[-"v"]', 4),
        ("--true", 3),
        ('-("1" == "w")', 2),
        ('-"1e999"', 2),
        ("{.data.project}", 1),
        ("#", 1),
        ("", 1),
        ("$.data.", 8),
        ("$.data.count + 1", 14),
        ("$.data.count - 1", 14),
        ("$.data.count < 1", 14),
        ("$.data.count > 1", 14),
        ("$.data.steps[?(@.k=='vw')]", 21),
        ("$.data.flag && true", 13),
        ("length($.data.list)", 7),
        ("$.data.list[]", 13),
        ("$.data.list[0", 14),
        ("$.data.list[0:1,2]", 16),
        ("$..[0:1]", 6),
        ('$.data["open', 8),
        ('$.data["\\q"]', 9),
        ('$.data["\\ud800"]', 9),
        ("$.data.list.0", 12),
        ("($.data", 8),
        ("1e999", 1),
    ],
)
def test_a_text_that_is_no_path_is_refused_with_its_place(path: str, position: int) -> None:
    with pytest.raises(InvalidJsonPath) as caught:
        jsonpath.compile(path)
    assert (caught.value.path, caught.value.position) == (path, position)
    assert caught.value.reason


def test_the_refusal_of_single_quotes_says_what_to_write() -> None:
    with pytest.raises(InvalidJsonPath, match="use double quotes"):
        jsonpath.compile("$.data['project']")


@pytest.mark.parametrize("path", ["(" * 5000 + "1", "-" * 5000 + "1", "$" + "[$" * 2000, "$" + ".a" * 50_000])
def test_an_endless_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidJsonPath):
        jsonpath.compile(path)


def test_deeply_nested_data_is_searched_without_overflow() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert len(value_of_list("$..*", nested)) == 100_000
    assert jsonpath.compile("$.a == $.b").evaluate({"a": nested, "b": [nested]}) is False
    with pytest.raises(JsonPathError, match="nested too deeply"):
        jsonpath.compile("$.map[$.list]").evaluate({"map": {}, "list": nested})


def test_a_search_that_multiplies_is_stopped() -> None:
    level: dict[str, Any] = {}
    for _ in range(12):
        level = {"a": level, "b": level, "c": level}
    with pytest.raises(JsonPathError, match="touches more than"):
        jsonpath.compile("$..*").evaluate(level)


def value_of_list(path: str, root: object) -> list[object]:
    value = jsonpath.compile(path).evaluate(root)
    assert isinstance(value, list)
    return value


WORDS = st.sampled_from(
    [
        "$",
        "@",
        ".",
        "..",
        "[",
        "]",
        "*",
        "?(",
        "(",
        ")",
        ",",
        ":",
        "==",
        "!=",
        "-",
        "a",
        "b",
        '"a"',
        "'a'",
        "`a`",
        "0",
        "1",
        "-1",
        "1.5",
        "true",
        " ",
        "$.a",
        "$.a.b",
        "[*]",
        "[0:2]",
        '[?(@.a=="b")]',
        "#",
        "{",
        "\\",
        "é",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab1", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1", max_size=1), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(st.lists(WORDS, max_size=8).map("".join) | st.text(max_size=20), JSON)
def test_whatever_the_path_and_the_data_only_our_errors_are_raised(path: str, root: object) -> None:
    try:
        compiled = jsonpath.compile(path)
        value = compiled.evaluate(root)
    except (InvalidJsonPath, JsonPathError):
        return
    assert not compiled.is_list or isinstance(value, list)
