import json
from typing import Any

import boto3
import pytest

from runners.task_secrets import SecretUnusable, TaskSecrets, masked, masked_data


@pytest.fixture
def secrets(aws: None) -> TaskSecrets:
    return TaskSecrets("secretsmanager", "keptn/", client)


def client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


def create(name: str, value: Any) -> str:
    arn: str = boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
    return arn


def test_a_changed_secret_has_another_version(secrets: TaskSecrets) -> None:
    create("keptn/load", {"USER": "u"})
    first = secrets.find("load").version
    assert secrets.find("load").version == first

    client("secretsmanager").put_secret_value(SecretId="keptn/load", SecretString='{"USER": "v"}')

    assert secrets.find("load").version != first


def test_a_changed_parameter_makes_another_version(aws: None) -> None:
    ssm, secrets = client("ssm"), TaskSecrets("ssm", "keptn/", client)
    ssm.put_parameter(Name="/keptn/load/USER", Value="u", Type="SecureString")
    first = secrets.find("load").version

    ssm.put_parameter(Name="/keptn/load/USER", Value="v", Type="SecureString", Overwrite=True)

    assert secrets.find("load").version != first


def test_each_key_of_a_secret_becomes_a_variable(secrets: TaskSecrets) -> None:
    create("keptn/load", {"USER": "u", "PASSWORD": "p", "PORT": 5432})

    assert secrets("load") == {"USER": "u", "PASSWORD": "p", "PORT": "5432"}


def test_ecs_is_told_where_each_key_is(secrets: TaskSecrets) -> None:
    arn = create("keptn/load", {"USER": "u"})

    assert secrets.find("load").references == {"USER": f"{arn}:USER::"}


def test_in_ssm_the_parameters_below_the_name_are_a_secret(aws: None) -> None:
    ssm = boto3.client("ssm")
    for key in [f"K{number:02}" for number in range(23)]:
        ssm.put_parameter(Name=f"/keptn/load/{key}", Value=key.lower(), Type="SecureString")

    found = TaskSecrets("ssm", "keptn/", client).find("load")

    assert len(found.values) == 23
    assert found.values["K07"] == "k07"
    assert found.references["K07"].endswith(":parameter/keptn/load/K07")


@pytest.mark.parametrize("name", ["nobody", "", "../other", "a b", "/load", "load/"])
def test_a_secret_that_is_not_there_is_a_key_error(secrets: TaskSecrets, name: str) -> None:
    create("keptn/load", {"USER": "u"})

    with pytest.raises(KeyError):
        secrets(name)


def test_the_error_names_the_secret_as_the_store_does(secrets: TaskSecrets) -> None:
    with pytest.raises(KeyError, match="'keptn/nobody'"):
        secrets("nobody")


def test_in_ssm_a_secret_without_parameters_is_a_key_error(aws: None) -> None:
    with pytest.raises(KeyError):
        TaskSecrets("ssm", "keptn/", client)("load")


def test_without_a_prefix_no_secret_can_be_named(aws: None) -> None:
    create("load", {"USER": "u"})

    with pytest.raises(KeyError):
        TaskSecrets("secretsmanager", "", client)("load")


@pytest.mark.parametrize("value", ["a token", ["a"], {"nested": {"a": "b"}}])
def test_what_is_no_object_of_texts_is_refused_without_its_value(secrets: TaskSecrets, value: Any) -> None:
    create("keptn/load", value)

    with pytest.raises(SecretUnusable, match="keptn/load is not a JSON object") as refused:
        secrets("load")

    assert "token" not in str(refused.value)


def test_a_secret_does_not_show_its_values(secrets: TaskSecrets) -> None:
    create("keptn/load", {"PASSWORD": "hunter22"})

    assert "hunter22" not in repr(secrets.find("load"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the password is hunter22!", "the password is ***!"),
        ("hunter2 hunter22", "hunter2 ***"),
        ("-----BEGIN\nMIIabc\n-----END", "***"),
        ("line: MIIabc", "line: ***"),
        ("abc", "abc"),
        ("PHRASE=[correct horse! ]", "PHRASE=[***]"),
        ("PHRASE=[correct horse!]", "PHRASE=[***]"),
        ("user: it is indented", "*** it is ***"),
        ("a b c", "a b c"),
    ],
)
def test_secrets_are_masked_whole_and_line_by_line(text: str, expected: str) -> None:
    secrets = {"PASSWORD": "hunter22", "KEY": "-----BEGIN\nMIIabc\n-----END", "SHORT": "abc"}
    secrets |= {"PHRASE": "correct horse! ", "LINES": "  indented\n\tuser:\n", "BLANKS": "   b   "}

    assert masked(text, secrets) == expected


@pytest.mark.parametrize("escape", [True, False])
def test_a_secret_is_masked_as_json_writes_it(escape: bool) -> None:
    secrets = {"PASSWORD": 'pass"word\\é'}
    line = json.dumps({"password": secrets["PASSWORD"]}, ensure_ascii=escape)

    assert masked(line, secrets) == '{"password": "***"}'


def test_a_secret_is_masked_in_every_part_of_data() -> None:
    secrets = {"PIN": "4711", "PASSWORD": "hunter22"}
    data = {"hunter22": ["with hunter22", 4711, 3, 1.5, True, None]}

    assert masked_data(data, secrets) == {"***": ["with ***", "***", 3, 1.5, True, None]}
