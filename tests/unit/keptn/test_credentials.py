"""The API token: read when it is needed, and a clear word when it can't be."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from execution_plane.keptn.credentials import ApiToken, SecretUnreadable


@pytest.fixture
def secrets(aws: None) -> Any:
    return boto3.client("secretsmanager")


def test_the_token_is_read_when_it_is_first_needed_and_then_kept(secrets: Any) -> None:
    token = ApiToken(secrets, "token")
    secrets.create_secret(Name="token", SecretString=" first\n")

    assert token.headers() == {"x-token": "first"}
    secrets.put_secret_value(SecretId="token", SecretString="second")
    assert token.headers() == {"x-token": "first"}


def test_a_refused_token_is_read_again(secrets: Any) -> None:
    secrets.create_secret(Name="token", SecretString="first")
    token = ApiToken(secrets, "token")
    token.headers()
    secrets.put_secret_value(SecretId="token", SecretString="second")

    token.renew()

    assert token.headers() == {"x-token": "second"}


def test_the_only_text_of_a_json_object_is_the_token(secrets: Any) -> None:
    """Secrets Manager's console makes one of a key and its value."""
    secrets.create_secret(Name="token", SecretString='{"keptn-api-token": "first\\n"}')

    assert ApiToken(secrets, "token").headers() == {"x-token": "first"}


@pytest.mark.parametrize("text", ["123456", "true", '"quoted"', "[1]", "{not json"])
def test_a_token_that_happens_to_be_json_but_no_object_is_taken_as_it_is(secrets: Any, text: str) -> None:
    secrets.create_secret(Name="token", SecretString=text)

    assert ApiToken(secrets, "token").headers() == {"x-token": text}


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": '{"user": "secret-value", "token": "secret-value"}'},
        {"SecretString": '{"token": {"value": "secret-value"}}'},
        {"SecretString": '{"token": 7}'},
        {"SecretString": '{"token": ""}'},
        {"SecretString": "{}"},
        {"SecretString": "  \n"},
        {"SecretBinary": b"secret-value"},
        {"SecretString": "secret-value\nwith a second line"},
        {"SecretString": "secret-välue"},
        {"SecretString": "secret-value\x00"},
    ],
)
def test_a_secret_that_is_no_token_is_named_but_not_told(secrets: Any, value: dict[str, Any]) -> None:
    secrets.create_secret(Name="token", **value)

    assert "plain text" in problem_of(ApiToken(secrets, "token"))


def test_a_secret_that_is_not_there_is_named(secrets: Any) -> None:
    assert "ResourceNotFoundException" in problem_of(ApiToken(secrets, "token"))


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure", "InternalServiceError"])
def test_a_secret_that_may_not_be_read_is_named(secrets: Any, code: str) -> None:
    with Stubber(secrets) as stubber:
        stubber.add_client_error("get_secret_value", code)

        assert code in problem_of(ApiToken(secrets, "token"))


def test_a_secrets_manager_out_of_reach_is_named() -> None:
    class Unreachable:
        def get_secret_value(self, **_: Any) -> Any:
            raise ConnectTimeoutError(endpoint_url="https://secretsmanager")

    assert "network" in problem_of(ApiToken(Unreachable(), "token"))  # type: ignore[arg-type]


def problem_of(token: ApiToken) -> str:
    """The one sentence about a secret, which names the parameter and never the value."""
    with pytest.raises(SecretUnreadable) as problem:
        token.headers()
    text = str(problem.value)
    assert text.startswith("KeptnApiTokenSecretArn: ")
    assert text.endswith(".")
    assert "\n" not in text
    assert "secret-v" not in text
    return text
