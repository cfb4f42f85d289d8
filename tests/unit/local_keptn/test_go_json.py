"""What Go says of a body that it can't read (go1.20's encoding/json)."""

from typing import Any

import pytest

from local.keptn import go_json


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "EOF"),
        (" \n", "EOF"),
        ("{", "unexpected EOF"),
        ('{"a": "b', "unexpected EOF"),
        ('{"a"', "unexpected EOF"),
        ("[1,", "unexpected EOF"),
        ("tru", "unexpected EOF"),
        ("abort", "invalid character 'a' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ('{"a": Infinity}', "invalid character 'I' looking for beginning of value"),
        ("-Infinity", "invalid character 'I' in numeric literal"),
        ("[-]", "invalid character ']' in numeric literal"),
        ("-", "unexpected EOF"),
        ("'x'", "invalid character '\\'' looking for beginning of value"),
        ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ("{state: 1}", "invalid character 's' looking for beginning of object key string"),
        ('{"a": 1,}', "invalid character '}' looking for beginning of object key string"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": [1] "b": 2}', "invalid character '\"' after object key:value pair"),
        ('{"a": [{"b": 1} 2]}', "invalid character '2' after array element"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
    ],
)
def test_malformed_json_is_named_in_gos_words(body: str, message: str) -> None:
    with pytest.raises(go_json.Unreadable) as refused:
        go_json.decode(body.encode())
    assert str(refused.value) == message


def test_what_follows_the_first_value_does_not_matter() -> None:
    assert go_json.decode(b'{"a": 1} and more') == {"a": 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "json: cannot unmarshal array into Go value of type models.Command"),
        ("x", "json: cannot unmarshal string into Go value of type models.Command"),
        (1.5, "json: cannot unmarshal number into Go value of type models.Command"),
        (True, "json: cannot unmarshal bool into Go value of type models.Command"),
        ({"stage": {}}, "json: cannot unmarshal object into Go struct field Command.stage of type string"),
    ],
)
def test_another_type_than_gos_is_named(value: Any, message: str) -> None:
    with pytest.raises(go_json.Unreadable) as refused:
        go_json.struct(value, "models.Command", {"stage": "string"})
    assert str(refused.value) == message


def test_in_a_struct_within_another_one_the_whole_way_to_a_field_is_named() -> None:
    with pytest.raises(go_json.Unreadable, match=r"field Entry\.logs\.message of type string$"):
        go_json.struct({"message": 1}, "models.Entry", {"message": "string"}, at="Request.logs")
    with pytest.raises(go_json.Unreadable, match=r"field Request\.logs of type models\.Entry$"):
        go_json.struct(1, "models.Entry", {"message": "string"}, at="Request.logs")


def test_null_leaves_everything_empty() -> None:
    assert go_json.struct(None, "models.Command", {"stage": "string"}) == {"stage": ""}
    assert go_json.struct({"stage": None}, "models.Command", {"stage": "string"}) == {"stage": ""}
