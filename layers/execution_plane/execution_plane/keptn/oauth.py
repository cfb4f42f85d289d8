"""Login by OAuth 2 client credentials (RFC 6749, section 4.4), for a Keptn behind a proxy that wants a token.

Imported only where it is configured: oauthlib is not needed otherwise.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from execution_plane.clock import Clock
from execution_plane.keptn.connecting import SettingNames, connection_failure
from execution_plane.keptn.credentials import SecretUnreadable, read_secret
from execution_plane.keptn.transport import MESSAGE_LENGTH, UNFIT, KeptnRefused, fits_a_header

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

PARAMETER = "OauthSecretArn"
NAMES = SettingNames(url=f"the URL in {PARAMETER}", login=PARAMETER)
EARLY = 60.0  # seconds before its end at which a token is renewed
SECONDS = 10.0  # to wait for the token URL, and between two bytes


class LoginFailed(KeptnRefused):
    """No access token was to be had, so the request that wanted it was not sent; the text has no secret."""


@dataclass(frozen=True)
class OauthClient:
    """What the secret holds."""

    client_id: str
    client_secret: str
    token_url: str
    discovery_url: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class _AccessToken:
    text: str
    renew_at: float | None
    """In epoch seconds; None if the server names no end, and only a 401 can tell."""


class BearerToken:
    """The header with an access token, which is asked for when it is first needed, and again before it ends.

    The secret is read each time, so that a rotated one serves without a deployment. Safe for threads.
    """

    def __init__(
        self, client: "SecretsManagerClient", secret_id: str, session: requests.Session, clock: Clock
    ) -> None:
        """`session` brings the proxy and the certificate authorities that Keptn is reached with."""
        self._client = client
        self._secret_id = secret_id
        self._session = session
        self._clock = clock
        self._token: _AccessToken | None = None
        self._found: dict[str, str] = {}
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The header that authenticates a request. Raises SecretUnreadable and LoginFailed."""
        with self._lock:
            if self._token is None or self._is_ending(self._token):
                self._token = self._log_in(read_client(self._client, self._secret_id))
            return {"Authorization": f"Bearer {self._token.text}"}

    def renew(self) -> None:
        """Ask for another token at the next request: this one was refused."""
        with self._lock:
            self._token = None

    def _is_ending(self, token: _AccessToken) -> bool:
        return token.renew_at is not None and self._clock.now() >= token.renew_at

    def _log_in(self, client: OauthClient) -> _AccessToken:
        token_url = client.token_url or self._discover(client.discovery_url)
        oauth = BackendApplicationClient(client.client_id)
        body = oauth.prepare_request_body(scope=list(client.scopes) or None)
        # RFC 6749, section 2.3.1: both are form-encoded before they are put into the header.
        basic = (quote_plus(client.client_id), quote_plus(client.client_secret))
        asked_at = self._clock.now()
        response = self._send("POST", token_url, body, basic)
        if response.status_code in (400, 401) and "invalid_client" in response.text:
            # Some servers take the secret in the body only; Go's library, the distributor's, tries both too.
            body = oauth.prepare_request_body(
                scope=list(client.scopes) or None,
                include_client_id=True,
                client_secret=client.client_secret,
            )
            response = self._send("POST", token_url, body, None)
        answer = _read(oauth, client, token_url, response)
        text = answer["access_token"]
        if not isinstance(text, str) or not text.strip():
            said = "the answer's access_token is no text, or empty"
            raise LoginFailed("POST", token_url, said, response.status_code, f"see {PARAMETER}")
        if not fits_a_header(text):
            raise LoginFailed("POST", token_url, UNFIT, response.status_code, f"see {PARAMETER}")
        if answer.get("expires_in") is None:
            return _AccessToken(text, None)
        lifetime = float(answer["expires_in"])  # a text, by some servers
        return _AccessToken(text, asked_at + max(lifetime - EARLY, lifetime / 2))

    def _discover(self, url: str) -> str:
        """The token URL that an OpenID configuration names; read once."""
        if url not in self._found:
            response = self._send("GET", url, None, None)
            try:
                token_url = response.json()["token_endpoint"]
            except (ValueError, KeyError, TypeError):
                token_url = ""
            if not response.ok or not is_url(token_url):
                raise LoginFailed(
                    "GET", url, f"the answer names no token_endpoint; see discoveryUrl in {PARAMETER}",
                    response.status_code,
                )  # fmt: skip
            self._found[url] = token_url
        return self._found[url]

    def _send(
        self, method: str, url: str, body: str | None, basic: tuple[str, str] | None
    ) -> requests.Response:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            response = self._session.request(
                method, url, data=body, headers=headers, auth=basic, timeout=SECONDS, allow_redirects=False
            )
        except requests.RequestException as problem:
            failure = connection_failure(problem, url, NAMES)
            raise LoginFailed(
                method, url, failure.what, advice=failure.advice or f"see {PARAMETER}"
            ) from None
        if response.status_code == requests.codes.proxy_authentication_required:
            raise LoginFailed(method, url, response.reason, response.status_code, f"check {NAMES.proxy}")
        return response


def read_client(client: "SecretsManagerClient", secret_id: str) -> OauthClient:
    """The OAuth client of a secret. Raises SecretUnreadable."""
    text = read_secret(client, PARAMETER, secret_id)
    try:
        given: Any = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _unreadable(
            secret_id, 'is no JSON object: expected {"clientId": "...", "clientSecret": "...", …}'
        )
    for name in ("clientId", "clientSecret"):
        if not isinstance(given.get(name), str) or not given[name]:
            raise _unreadable(secret_id, f"has no {name}: add it as a text")
    urls = [given.get(name) or "" for name in ("tokenUrl", "discoveryUrl")]
    if not any(urls):
        raise _unreadable(secret_id, "has neither tokenUrl nor discoveryUrl: add one of them")
    if not all(url == "" or is_url(url) for url in urls):
        raise _unreadable(
            secret_id, "has a tokenUrl or discoveryUrl that is no URL: it must begin with https://"
        )
    scopes = given.get("scopes") or []
    if isinstance(scopes, str):
        scopes = scopes.replace(",", " ").split()
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise _unreadable(secret_id, 'has scopes that are no list of texts: write them as ["..."]')
    return OauthClient(given["clientId"], given["clientSecret"], urls[0], urls[1], tuple(scopes))


def is_url(value: object) -> bool:
    """Whether it is the URL of something on the web."""
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _unreadable(secret_id: str, what: str) -> SecretUnreadable:
    return SecretUnreadable(f"{PARAMETER}: the secret {secret_id} {what}.")


def _read(
    oauth: BackendApplicationClient, client: OauthClient, url: str, response: requests.Response
) -> Mapping[str, Any]:
    """The token in an answer. Raises LoginFailed, with what the server says is wrong."""
    try:
        # Without the scopes asked for: a server may grant others, which oauthlib takes for a failure.
        answer: Mapping[str, Any] = oauth.parse_request_body_response(response.text)
    except OAuth2Error as problem:
        said = ": ".join(part for part in (problem.error, problem.description) if part)
        if not response.ok and problem.error == "missing_token":
            said = response.reason
        said = said.replace(client.client_secret, "***")[:MESSAGE_LENGTH]
        raise LoginFailed("POST", url, f"{said}; see {PARAMETER}", response.status_code) from None
    except (ValueError, TypeError, AttributeError):
        said = f"the answer can't be understood; see {PARAMETER}"
        raise LoginFailed("POST", url, said, response.status_code) from None
    return answer
