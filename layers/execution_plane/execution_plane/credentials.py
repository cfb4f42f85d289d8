"""The API token, from Secrets Manager."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


class SecretUnreadable(Exception):
    """The secret with the API token can't be used; the text says why and what to do, without its value."""


class ApiToken:
    """Keptn's `x-token`, read when it is first needed and again after it was refused: it may have been
    rotated.
    """

    def __init__(self, client: "SecretsManagerClient", secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id
        self._token: str | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The header that Keptn's gateway checks. Raises SecretUnreadable."""
        with self._lock:
            if self._token is None:
                self._token = self._read()
            return {"x-token": self._token}

    def renew(self) -> None:
        """Read the secret again at the next request."""
        with self._lock:
            self._token = None

    def _read(self) -> str:
        try:
            token = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "").strip()
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            raise SecretUnreadable(
                f"KeptnApiTokenSecretArn: the secret {self._secret_id} can't be read ({code}): "
                "check that it exists in this region and that its key's policy lets the functions decrypt it."
            ) from None
        except BotoCoreError as problem:
            raise SecretUnreadable(
                f"KeptnApiTokenSecretArn: Secrets Manager can't be reached ({problem}): "
                "check the functions' network."
            ) from None
        if not token or not token.isascii() or not token.isprintable():
            raise SecretUnreadable(
                f"KeptnApiTokenSecretArn: the secret {self._secret_id} holds no token: "
                "its value must be the API token as plain text."
            )
        return token
