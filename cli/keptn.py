"""A Keptn that a command talks to: how it logs in there, and where the Bridge shows a sequence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from cli.ending import Unusable
from execution_plane.clock import Clock
from execution_plane.keptn.connecting import SettingNames, new_session, problem_with_certificates
from execution_plane.keptn.oauth import BearerToken, read_client
from execution_plane.keptn.transport import Credentials, Transport
from execution_plane.settings import base_url, without_login

if TYPE_CHECKING:
    import requests
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

TOKEN_VARIABLE = "KEPTN_API_TOKEN"  # noqa: S105 - its name


@dataclass(frozen=True)
class Token:
    """An API token that is given once, and where it was found."""

    text: str
    found_in: str

    def headers(self) -> Mapping[str, str]:
        """Keptn's own header."""
        return {"x-token": self.text}

    def renew(self) -> None:
        """There is no other."""


@dataclass(frozen=True)
class Login:
    """What is sent with each request, and the option by which errors name it."""

    credentials: Credentials
    name: str


class _File:
    """A file in the place of a secret of Secrets Manager."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: ARG002, N803 - as boto3 has it
        return {"SecretString": self._text}


def oauth_login(path: Path, ca_bundle: Path | None, clock: Clock) -> Login:
    """The login by an OAuth client in a file, as OauthSecretArn's secret has it.

    Raises SecretUnreadable if it holds none.
    """
    client = cast("SecretsManagerClient", _File(read_text(path, "--oauth-file")))
    read_client(client, str(path))
    session = new_session(str(ca_bundle) if ca_bundle else None)
    return Login(BearerToken(client, str(path), session, clock), f"--oauth-file {path}")


def connect(
    url: str, login: Login, ca_bundle: Path | None, clock: Clock, session: "requests.Session | None" = None
) -> Transport:
    """The way to a Keptn that the command line names. Raises Unusable; no request is made yet."""
    try:
        address = base_url(url)
    except ValueError as problem:
        raise Unusable(f"--url is {without_login(url)!r}: {problem}.") from None
    if ca_bundle and (trouble := problem_with_certificates(str(ca_bundle))):
        raise Unusable(f"--ca-bundle {ca_bundle}: {trouble}.")
    names = SettingNames("--url", login.name, "--ca-bundle", "HTTPS_PROXY", "")
    return Transport(
        address,
        login.credentials,
        clock,
        session=session,
        ca_bundle_path=str(ca_bundle) if ca_bundle else None,
        names=names,
    )


def bridge_link(api_url: str, project: str, context: str) -> str:
    """Where the Bridge of a Keptn shows a sequence; empty if its API is not where Keptn has it."""
    place = api_url.rstrip("/")
    if not place.endswith("/api"):
        return ""
    return f"{place.removesuffix('/api')}/bridge/project/{quote(project, safe='')}/sequence/{quote(context)}"


def read_text(path: Path, option: str) -> str:
    """The text of a file that an option names, without the mark that some editors put before it.

    Raises Unusable.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{option} {path} is no text in UTF-8.") from None
    except OSError as problem:
        raise Unusable(f"{option} {path} can't be read: {problem.strerror}.") from None
