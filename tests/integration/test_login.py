"""OAuth against a real token endpoint, which checks the grant, and a Keptn that wants its tokens."""

import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from execution_plane import shared_clients
from execution_plane.clock import Deadline
from execution_plane.keptn.connecting import new_session
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.credentials import ApiToken, CombinedCredentials, SecretUnreadable
from execution_plane.keptn.events import Event
from execution_plane.keptn.oauth import BearerToken, LoginFailed, read_client
from execution_plane.keptn.transport import Credentials, KeptnError, KeptnUnauthorized, Transport
from execution_plane.settings import InvalidSetting, Settings
from local.keptn.control_plane import Keptn
from tests.support.clock import SimulatedClock
from tests.support.login import Login, serving

SECRET = "oauth"
LISTING = "sh.keptn.event.sayhello.triggered"


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def login(clock: SimulatedClock) -> Iterator[Login]:
    with serving(Login(), Keptn(clock)) as served:
        yield served


@pytest.fixture
def secrets(aws: None, login: Login) -> Any:
    """Secrets Manager, with the client's secret."""
    client = boto3.client("secretsmanager")
    client.create_secret(Name=SECRET, SecretString=secret(login))
    return client


def secret(login: Login, **changes: Any) -> str:
    known = {"clientId": login.client_id, "clientSecret": login.client_secret}
    return json.dumps(known | {"tokenUrl": f"{login.url}/token"} | changes)


@pytest.fixture
def bearer(secrets: Any, clock: SimulatedClock) -> BearerToken:
    return BearerToken(secrets, SECRET, new_session(None), clock)


@pytest.fixture
def keptn(login: Login, bearer: BearerToken, clock: SimulatedClock) -> ControlPlane:
    return client(login, bearer, clock)


def client(login: Login, credentials: Credentials, clock: SimulatedClock) -> ControlPlane:
    return ControlPlane(Transport(f"{login.url}/api", credentials, clock))


def test_one_token_serves_many_requests(keptn: ControlPlane, login: Login) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keptn.open_events(LISTING, {}), range(16)))

    assert [grant["grant_type"] for grant in login.grants] == ["client_credentials"]
    assert {seen["HTTP_AUTHORIZATION"] for seen in login.seen_by_keptn} == {"Bearer token-1"}


def test_a_token_is_renewed_a_minute_before_it_ends(
    keptn: ControlPlane, login: Login, clock: SimulatedClock
) -> None:
    keptn.open_events(LISTING, {})
    clock.advance(3539)
    keptn.open_events(LISTING, {})
    assert len(login.grants) == 1

    clock.advance(1)
    keptn.open_events(LISTING, {})

    assert len(login.grants) == 2


def test_a_token_without_an_end_serves_until_it_is_refused(
    keptn: ControlPlane, login: Login, clock: SimulatedClock
) -> None:
    login.lifetime = None
    keptn.open_events(LISTING, {})
    clock.advance(1_000_000)
    keptn.open_events(LISTING, {})
    assert len(login.grants) == 1

    login.valid.clear()
    keptn.open_events(LISTING, {})

    assert len(login.grants) == 2


def test_a_refused_token_is_renewed_once_and_no_more(keptn: ControlPlane, login: Login) -> None:
    keptn.open_events(LISTING, {})
    login.valid = Forgetful()

    with pytest.raises(KeptnUnauthorized):
        keptn.open_events(LISTING, {})

    assert len(login.grants) == 2
    assert len(login.seen_by_keptn) == 3


class Forgetful(set[str]):
    """Tokens that are never valid."""

    def add(self, _: str) -> None:
        pass


def test_the_api_token_goes_along_when_both_are_given(
    login: Login, secrets: Any, bearer: BearerToken, clock: SimulatedClock
) -> None:
    secrets.create_secret(Name="token", SecretString="keptn-token")

    client(login, CombinedCredentials(ApiToken(secrets, "token"), bearer), clock).open_events(LISTING, {})

    assert login.seen_by_keptn == [{"HTTP_AUTHORIZATION": "Bearer token-1", "HTTP_X_TOKEN": "keptn-token"}]


def test_a_netrc_does_not_get_the_better_of_what_the_plane_was_told(
    login: Login, bearer: BearerToken, clock: SimulatedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    login.takes_basic = False

    client(login, bearer, clock).open_events(LISTING, {})

    assert login.seen_by_keptn[0]["HTTP_AUTHORIZATION"] == "Bearer token-2"
    assert login.authorizations[-1] == ""


def test_an_access_token_that_no_header_can_have_is_named_and_not_told(
    keptn: ControlPlane, login: Login
) -> None:
    login.suffix = "\nX-Injected: yes"

    with pytest.raises(LoginFailed) as refused:
        keptn.open_events(LISTING, {})

    assert str(refused.value) == (
        f"POST {login.url}/token: 200 the token has a line break, or another character that no header can "
        "have; see OauthSecretArn"
    )
    assert login.seen_by_keptn == []


@pytest.mark.parametrize("token", ["", "  ", None, 7, ["a"]])
def test_an_access_token_that_is_none_is_not_sent(keptn: ControlPlane, login: Login, token: Any) -> None:
    login.grants_with = {"access_token": token}

    with pytest.raises(LoginFailed, match=r"access_token|missing_token") as refused:
        keptn.open_events(LISTING, {})

    assert str(refused.value).endswith("see OauthSecretArn")
    assert login.seen_by_keptn == []


def test_a_lifetime_may_be_a_text(keptn: ControlPlane, login: Login, clock: SimulatedClock) -> None:
    login.grants_with = {"expires_in": "3600"}
    for seconds in (0, 3539, 1):
        clock.advance(seconds)
        keptn.open_events(LISTING, {})

    assert len(login.grants) == 2


def test_a_login_that_is_refused_is_asked_for_once_and_then_after_a_pause(
    keptn: ControlPlane, login: Login, clock: SimulatedClock
) -> None:
    login.refuses_with = "unauthorized_client"
    for _ in range(20):
        with pytest.raises(KeptnError, match="unauthorized_client"):
            keptn.open_events(LISTING, {})
        clock.advance(1)

    assert len(login.grants) == 3


def test_an_expired_secret_is_named_and_nothing_is_sent(keptn: ControlPlane, login: Login) -> None:
    login.client_secret = "another"

    with pytest.raises(LoginFailed) as refused:
        keptn.open_events(LISTING, {})

    assert str(refused.value).endswith(
        "401 invalid_client: unknown or expired client secret; see OauthSecretArn"
    )
    assert refused.value.had_no_effect
    assert login.seen_by_keptn == []


def test_a_reply_that_could_not_log_in_may_be_sent_again(
    keptn: ControlPlane, login: Login, clock: SimulatedClock
) -> None:
    login.client_secret = "another"

    with pytest.raises(LoginFailed):
        keptn.send(Event({"type": "x"}), Deadline.after(clock, 60))

    assert login.seen_by_keptn == []


@pytest.mark.parametrize("reason", ["unauthorized_client", "invalid_scope"])
def test_a_client_that_is_refused_says_what_the_server_says(
    keptn: ControlPlane, login: Login, reason: str
) -> None:
    login.refuses_with = reason

    with pytest.raises(LoginFailed, match=reason):
        keptn.open_events(LISTING, {})

    assert len(login.grants) == 1


def test_a_rotated_secret_serves_without_a_deployment(
    keptn: ControlPlane, login: Login, secrets: Any
) -> None:
    keptn.open_events(LISTING, {})
    login.client_secret = "rotated"
    login.valid.clear()
    secrets.put_secret_value(SecretId=SECRET, SecretString=secret(login))

    keptn.open_events(LISTING, {})

    assert len(login.grants) == 2


def test_a_server_that_takes_the_secret_in_the_body_only_gets_it_there(
    keptn: ControlPlane, login: Login
) -> None:
    login.takes_basic = False

    keptn.open_events(LISTING, {})

    assert [grant.get("client_id") for grant in login.grants] == [None, "a client"]


@pytest.mark.parametrize("scopes", [["read", "write"], "read,write", "read write"])
def test_scopes_are_asked_for_and_others_may_be_granted(
    keptn: ControlPlane, login: Login, secrets: Any, scopes: Any
) -> None:
    secrets.put_secret_value(SecretId=SECRET, SecretString=secret(login, scopes=scopes))

    keptn.open_events(LISTING, {})

    assert login.grants[0]["scope"] == "read write"


def test_the_token_url_is_found_by_discovery(keptn: ControlPlane, login: Login, secrets: Any) -> None:
    discovery = f"{login.url}/.well-known/openid-configuration"
    secrets.put_secret_value(SecretId=SECRET, SecretString=secret(login, tokenUrl="", discoveryUrl=discovery))

    keptn.open_events(LISTING, {})

    assert len(login.grants) == 1


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/missing"])
def test_a_discovery_that_names_no_token_url_is_named(
    keptn: ControlPlane, login: Login, secrets: Any, path: str
) -> None:
    login.is_discoverable = False
    given = secret(login, tokenUrl="", discoveryUrl=f"{login.url}{path}")
    secrets.put_secret_value(SecretId=SECRET, SecretString=given)

    with pytest.raises(LoginFailed, match="names no token_endpoint; see discoveryUrl in OauthSecretArn"):
        keptn.open_events(LISTING, {})


def test_a_token_url_that_does_not_answer_is_named(keptn: ControlPlane, login: Login, secrets: Any) -> None:
    secrets.put_secret_value(SecretId=SECRET, SecretString=secret(login, tokenUrl="http://127.0.0.1:1/token"))

    with pytest.raises(LoginFailed, match=r"no connection \(.*\); check the URL in OauthSecretArn"):
        keptn.open_events(LISTING, {})


def test_the_token_is_asked_for_through_the_proxy(
    bearer: BearerToken, login: Login, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.put_secret_value(
        SecretId=SECRET, SecretString=secret(login, tokenUrl="http://login.example.com/token")
    )
    monkeypatch.setenv("http_proxy", login.url)

    assert bearer.headers() == {"Authorization": "Bearer token-1"}
    assert login.hosts == ["login.example.com"]


def test_a_proxy_that_wants_another_login_is_not_the_token_urls_fault(
    keptn: ControlPlane, login: Login, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.put_secret_value(
        SecretId=SECRET, SecretString=secret(login, tokenUrl="http://login.example.com/token")
    )
    monkeypatch.setenv("http_proxy", login.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    login.status = 407

    with pytest.raises(LoginFailed, match=r"407 .*; check HttpsProxy$"):
        keptn.open_events(LISTING, {})


def test_the_token_url_may_have_a_certificate_of_the_users_own_authority(
    secrets: Any, clock: SimulatedClock, tmp_path: Path
) -> None:
    ca, certificate = self_signed(tmp_path)
    with serving(Login(), certificate=certificate) as login:
        secrets.put_secret_value(SecretId=SECRET, SecretString=secret(login))

        trusting = BearerToken(secrets, SECRET, new_session(str(ca)), clock)
        assert trusting.headers() == {"Authorization": "Bearer token-1"}
        with pytest.raises(LoginFailed, match=r"no trusted TLS connection .*; see CaBundlePath"):
            BearerToken(secrets, SECRET, new_session(None), clock).headers()


def self_signed(place: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1: its file, and a server's context with it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begun = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        builder.not_valid_before(begun)
        .not_valid_after(begun.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName([address]), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca, private = place / "ca.pem", place / "key.pem"
    ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, private)
    return ca, context


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a token", "is no JSON object"),
        ("[]", "is no JSON object"),
        ('{"clientSecret": "s", "tokenUrl": "https://x"}', "has no clientId"),
        ('{"clientId": "c", "clientSecret": 1, "tokenUrl": "https://x"}', "has no clientSecret"),
        ('{"clientId": "c", "clientSecret": "s"}', "has neither tokenUrl nor discoveryUrl"),
        ('{"clientId": "c", "clientSecret": "s", "tokenUrl": "login"}', "has a tokenUrl or discoveryUrl"),
        ('{"clientId": "c", "clientSecret": "s", "tokenUrl": "https://x", "scopes": {}}', None),
        ('{"clientId": "c", "clientSecret": "s", "tokenUrl": "https://x", "scopes": [1]}', "has scopes"),
    ],
)
def test_a_secret_that_cannot_serve_is_named_in_one_sentence(
    aws: None, text: str, problem: str | None
) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name=SECRET, SecretString=text)
    if problem is None:
        assert read_client(secrets, SECRET).scopes == ()
        return

    with pytest.raises(SecretUnreadable) as unreadable:
        read_client(secrets, SECRET)

    assert str(unreadable.value).startswith(f"OauthSecretArn: the secret {SECRET} {problem}")
    assert str(unreadable.value).endswith(".")


def test_a_deployment_needs_one_kind_of_login() -> None:
    environ = {"KEPTN_API_URL": "https://keptn.example.com/api", "LEDGER_TABLE_NAME": "ledger"}

    with pytest.raises(InvalidSetting, match="KeptnApiTokenSecretArn is not set"):
        Settings.from_environment(environ)
    settings = Settings.from_environment(environ | {"OAUTH_SECRET_ARN": SECRET})
    assert (settings.token_secret, settings.oauth_secret) == (None, SECRET)


def test_the_parts_are_built_with_the_login_that_is_configured(
    login: Login, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_clients, "_clients", {})
    monkeypatch.setenv("KEPTN_API_URL", f"{login.url}/api")
    monkeypatch.setenv("LEDGER_TABLE_NAME", "ledger")
    monkeypatch.setenv("OAUTH_SECRET_ARN", SECRET)

    shared_clients.SharedClients.from_environment().control_plane.open_events(LISTING, {})

    assert len(login.grants) == 1


def test_a_plane_with_an_api_token_does_not_import_oauth() -> None:
    program = "import poller, sys; sys.exit('oauthlib' in sys.modules)"
    path = "layers/execution_plane:functions/poller:functions/worker"

    imported = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": path}, check=False)

    assert imported.returncode == 0
