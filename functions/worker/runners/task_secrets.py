"""The secrets that a job config may name: those under one prefix of Secrets Manager or of SSM."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

MASK = "***"
SHORTEST_MASKED = 4  # characters
NAME = re.compile(r"[A-Za-z0-9_.@+=-]+(/[A-Za-z0-9_.@+=-]+)*")


class SecretUnusable(Exception):
    """A secret that can't be read, or holds no variables; the text says why, without its values."""


@dataclass(frozen=True)
class TaskSecret:
    """A secret's variables, and the `valueFrom` of each in the `secrets` of a container definition."""

    values: Mapping[str, str] = field(repr=False)
    references: Mapping[str, str]
    version: str
    """Another one whenever a value was changed."""
    arn: str = ""
    """Of the whole; empty for parameters, which have none together."""


class TaskSecrets:
    """Reads secrets anew for each task: one may have been rotated.

    A secret is one JSON object in Secrets Manager at `<prefix><name>`, or the parameters of SSM at
    `/<prefix><name>/<key>`. Each of its keys becomes a variable. Without a prefix there is none.
    """

    def __init__(self, store: str, prefix: str, client: Callable[[str], Any]) -> None:
        """`store` is secretsmanager or ssm; `client` makes a boto3 client of it when a secret is wanted."""
        self._find = self._object if store == "secretsmanager" else self._parameters
        self._prefix = prefix
        self._client = client

    def __call__(self, name: str) -> Mapping[str, str]:
        """A secret's variables. Raises KeyError if there is no such secret, SecretUnusable."""
        return self.find(name).values

    def find(self, name: str) -> TaskSecret:
        """A secret's variables and their references. Raises KeyError, SecretUnusable.

        The error names the secret as the store does, by which whoever reads it finds it there.
        """
        if not self._prefix or not NAME.fullmatch(name):
            raise KeyError(name)
        full_name = self._prefix + name
        try:
            found = self._find(full_name)
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            raise SecretUnusable(f"the secret {full_name} can't be read ({code})") from None
        except BotoCoreError as problem:
            raise SecretUnusable(f"the secret {full_name} can't be read: {problem}") from None
        if found is None:
            raise KeyError(full_name)
        return found

    def _object(self, full_name: str) -> TaskSecret | None:
        client: SecretsManagerClient = self._client("secretsmanager")
        try:
            answer = client.get_secret_value(SecretId=full_name)
        except client.exceptions.ResourceNotFoundException:
            return None
        try:
            content = json.loads(answer.get("SecretString", ""))
        except ValueError:
            content = None
        if not isinstance(content, dict) or any(isinstance(value, dict | list) for value in content.values()):
            raise SecretUnusable(
                f"the secret {full_name} is not a JSON object of texts, as in "
                '{"USER": "...", "PASSWORD": "..."}'
            )
        values = {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()
        }
        references = {key: f"{answer['ARN']}:{key}::" for key in values}
        return TaskSecret(values, references, answer["VersionId"], answer["ARN"])

    def _parameters(self, full_name: str) -> TaskSecret | None:
        client: SSMClient = self._client("ssm")
        pages = client.get_paginator("get_parameters_by_path").paginate(
            Path=f"/{full_name}", WithDecryption=True
        )
        found = [parameter for page in pages for parameter in page["Parameters"]]
        if not found:
            return None
        keys = [parameter["Name"].rpartition("/")[2] for parameter in found]
        return TaskSecret(
            {key: parameter["Value"] for key, parameter in zip(keys, found, strict=True)},
            {key: parameter["ARN"] for key, parameter in zip(keys, found, strict=True)},
            " ".join(sorted(f"{parameter['Name']}:{parameter['Version']}" for parameter in found)),
        )


def masked(text: str, secrets: Mapping[str, str]) -> str:
    """The text with every value of the secrets, and every line of a value, replaced by `***`.

    They are found as they are, without the blanks around them, and as JSON writes them. What is shorter than
    SHORTEST_MASKED stays: it would be found in words that have nothing to do with them.
    """
    pieces = {
        form
        for value in secrets.values()
        for part in (value, *value.splitlines())
        for piece in (part, part.strip())
        for form in (piece, json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1])
    }
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece.strip()) >= SHORTEST_MASKED:
            text = text.replace(piece, MASK)
    return text


def masked_data(value: Any, secrets: Mapping[str, str]) -> Any:
    """The same for every text and every number in a JSON value."""
    if not secrets:
        return value
    match value:
        case str():
            return masked(value, secrets)
        case dict():
            return {masked(key, secrets): masked_data(each, secrets) for key, each in value.items()}
        case list():
            return [masked_data(each, secrets) for each in value]
        case bool() | None:
            return value
    written = json.dumps(value)
    shown = masked(written, secrets)
    return value if shown == written else shown
