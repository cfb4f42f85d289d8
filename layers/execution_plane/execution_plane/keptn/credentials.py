"""What makes a request ours: the API token, from Secrets Manager, and what else a login takes."""

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.keptn.transport import UNFIT, Credentials, fits_a_header

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

PARAMETER = "KeptnApiTokenSecretArn"


class SecretUnreadable(Exception):
    """A secret can't be used; the text says why and what to do, without its value."""


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
        token = _only_text(read_secret(self._client, PARAMETER, self._secret_id).strip())
        if not token:
            raise self._unreadable(
                "holds no token: put Keptn's API token there as its value, in plain text or as the only "
                "value of a JSON object; the next tick reads it again"
            )
        if not fits_a_header(token):
            raise self._unreadable(f"holds no plain text: {UNFIT}")
        return token

    def _unreadable(self, what: str) -> SecretUnreadable:
        return SecretUnreadable(f"{PARAMETER}: the secret {self._secret_id} {what}.")


def _only_text(secret: str) -> str:
    """A secret's text, or the one text of a JSON object, which the console makes of a key and its value.

    Empty for any other object: which of its values is the token?
    """
    try:
        content = json.loads(secret)
    except ValueError:
        return secret
    if not isinstance(content, dict):
        return secret
    texts = list(content.values())
    return texts[0].strip() if len(texts) == 1 and isinstance(texts[0], str) else ""


class CombinedCredentials:
    """Several credentials at once, as the distributor sends them when it has both."""

    def __init__(self, *parts: Credentials) -> None:
        self._parts = parts

    def headers(self) -> Mapping[str, str]:
        """All their headers. Raises what they raise."""
        return {name: value for part in self._parts for name, value in part.headers().items()}

    def renew(self) -> None:
        """Nobody says which of them was refused, so all are renewed."""
        for part in self._parts:
            part.renew()


def read_secret(client: "SecretsManagerClient", parameter: str, secret_id: str) -> str:
    """The text of the secret that a template parameter names. Raises SecretUnreadable."""
    try:
        return client.get_secret_value(SecretId=secret_id).get("SecretString", "")
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        raise SecretUnreadable(
            f"{parameter}: the secret {secret_id} can't be read ({code}). Check that it exists in this "
            "region, that it has a value, and that its key's policy lets the functions decrypt it."
        ) from None
    except BotoCoreError as problem:
        raise SecretUnreadable(
            f"{parameter}: Secrets Manager can't be reached ({problem}): check the functions' network "
            "(VpcSubnetIds, HttpsProxy, NoProxy)."
        ) from None
