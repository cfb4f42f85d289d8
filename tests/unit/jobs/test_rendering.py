"""How a value of an event becomes a variable's text, value by value."""

import json
from typing import Any

import pytest
import yaml

from jobs.environment import render
from jobs.event_time import EventTime
from jobs.go_json import go_json
from jobs.go_yaml import go_yaml


@pytest.mark.parametrize(
    ("value", "text", "as_json", "as_yaml"),
    [
        ("sockshop", "sockshop", '"sockshop"', "sockshop\n"),
        ("", "", '""', '""\n'),
        ("007", "007", '"007"', '"007"\n'),
        ("true", "true", '"true"', '"true"\n'),
        ("no", "no", '"no"', '"no"\n'),
        ("~", "~", '"~"', '"~"\n'),
        ("12:30", "12:30", '"12:30"', '"12:30"\n'),
        ("2001-12-14", "2001-12-14", '"2001-12-14"', '"2001-12-14"\n'),
        ("a: b", "a: b", '"a: b"', "'a: b'\n"),
        ("two\nlines\n", "two\nlines\n", '"two\\nlines\\n"', "|\n  two\n  lines\n"),
        ("é", "é", '"é"', "é\n"),
        ("...", "...", '"..."', "'...'\n"),
        ("x...", "x...", '"x..."', "x...\n"),
        (3, "3", "3", "3\n"),
        (1.5, "1.5", "1.5", "1.5\n"),
        (-0.5, "-0.5", "-0.5", "-0.5\n"),
        (100000, "100000", "100000", "100000\n"),
        (999999, "999999", "999999", "999999\n"),
        (999999.5, "999999.5", "999999.5", "999999.5\n"),
        (1000000, "1e+06", "1000000", "1e+06\n"),
        (1000000.5, "1.0000005e+06", "1000000.5", "1.0000005e+06\n"),
        (1234567, "1.234567e+06", "1234567", "1.234567e+06\n"),
        (1e20, "1e+20", "100000000000000000000", "1e+20\n"),
        (1e21, "1e+21", "1e+21", "1e+21\n"),
        (12345678901234567890, "1.2345678901234567e+19", "12345678901234567000", "1.2345678901234567e+19\n"),
        (0.0001, "0.0001", "0.0001", "0.0001\n"),
        (0.00001, "1e-05", "0.00001", "1e-05\n"),
        (0.000001, "1e-06", "0.000001", "1e-06\n"),
        (0.0000001, "1e-07", "1e-7", "1e-07\n"),
        (1e-20, "1e-20", "1e-20", "1e-20\n"),
        (0, "0", "0", "0\n"),
        (True, "true", "true", "true\n"),
        (False, "false", "false", "false\n"),
        (None, "<nil>", "null", "null\n"),
        ([], "[]", "[]", "[]\n"),
        (["a", "b c", 3], "[a b c 3]", '["a","b c",3]', "- a\n- b c\n- 3\n"),
        (
            [{"k": "v"}, {"k": "w", "j": None}],
            "[map[k:v] map[j:<nil> k:w]]",
            '[{"k":"v"},{"j":null,"k":"w"}]',
            "- k: v\n- j: null\n  k: w\n",
        ),
        ([["a"], [1.5]], "[[a] [1.5]]", '[["a"],[1.5]]', "- - a\n- - 1.5\n"),
        ({}, "{}", "{}", "{}\n"),
        ({"b": 1000000, "a": [1]}, '{"a":[1],"b":1000000}', '{"a":[1],"b":1000000}', "a:\n- 1\nb: 1e+06\n"),
        ({"m": {"o": {"p": "q"}}}, *['{"m":{"o":{"p":"q"}}}'] * 2, "m:\n  o:\n    p: q\n"),
    ],
)
def test_a_value_is_rendered_as_go_renders_it(value: Any, text: str, as_json: str, as_yaml: str) -> None:
    assert render(value, "") == text
    assert render(value, "json") == as_json
    assert render(value, "yaml") == as_yaml


@pytest.mark.parametrize(
    ("written", "text", "as_json"),
    [
        ("2021-05-13T07:46:09.546Z", "2021-05-13 07:46:09.546 +0000 UTC", "2021-05-13T07:46:09.546Z"),
        ("2021-05-13T07:46:09Z", "2021-05-13 07:46:09 +0000 UTC", "2021-05-13T07:46:09Z"),
        ("2021-05-13T07:46:09.500000000Z", "2021-05-13 07:46:09.5 +0000 UTC", "2021-05-13T07:46:09.5Z"),
        (
            "2021-05-13T07:46:09.123456789Z",
            "2021-05-13 07:46:09.123456789 +0000 UTC",
            "2021-05-13T07:46:09.123456789Z",
        ),
        ("2021-05-13T07:46:09.000Z", "2021-05-13 07:46:09 +0000 UTC", "2021-05-13T07:46:09Z"),
        ("2021-05-13T07:46:09+02:00", "2021-05-13 07:46:09 +0200 +0200", "2021-05-13T07:46:09+02:00"),
        ("2021-05-13T07:46:09+00:00", "2021-05-13 07:46:09 +0000 UTC", "2021-05-13T07:46:09Z"),
        (None, "0001-01-01 00:00:00 +0000 UTC", "0001-01-01T00:00:00Z"),
    ],
)
def test_the_events_time_is_rendered_as_a_go_time(written: str | None, text: str, as_json: str) -> None:
    time = EventTime.parse(written)
    assert render(time, "") == text
    assert render(time, "json") == f'"{as_json}"'
    assert render(time, "yaml") == f"{as_json}\n"


@pytest.mark.parametrize("name", ["json", "JSON", "Json"])
def test_the_rendering_is_named_in_any_case(name: str) -> None:
    assert render("x", name) == '"x"'


@pytest.mark.parametrize("name", ["", "text", "toml"])
def test_an_unknown_rendering_is_the_default_one(name: str) -> None:
    assert render([1, 2], name) == "[1 2]"


def test_json_escapes_what_go_escapes() -> None:
    assert go_json({"<>&": '"\\/\n\r\t\b\x1f\x7f\u2028\u2029é'}) == (
        '{"\\u003c\\u003e\\u0026":"\\"\\\\/\\n\\r\\t\\u0008\\u001f\x7f\\u2028\\u2029é"}'
    )
    assert go_json("\ud800") == '"\\ufffd"'


def test_json_sorts_keys_bytewise() -> None:
    assert go_json({"b": 1, "é": 2, "B": 3, "a10": 4, "a2": 5}) == '{"B":3,"a10":4,"a2":5,"b":1,"é":2}'


def test_yaml_sorts_keys() -> None:
    lines = go_yaml(dict.fromkeys(["b", "a10", "a2", "A", "10", "2"], "x")).splitlines()

    assert [line.removesuffix(": x") for line in lines] == ['"10"', '"2"', "A", "a10", "a2", "b"]


def test_yaml_quotes_keys_as_it_quotes_texts() -> None:
    assert go_yaml({"yes": "on", "1": "1", "a": "b # c"}) == '"1": "1"\na: \'b # c\'\n"yes": "on"\n'


@pytest.mark.parametrize("text", ["a\u2028", "\u2029", "a\n\u2028", "a \u2028", "a\u2028b", "\ue000"])
def test_a_text_with_unicodes_line_ends_is_read_back_as_it_was(text: str) -> None:
    assert yaml.safe_load(go_yaml({"k": [text, text]})) == {"k": [text, text]}


def test_json_reads_back_as_what_it_was() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "c\u2028"}], "d": {"e": []}, "f": 1e300}
    assert json.loads(go_json(value)) == value
