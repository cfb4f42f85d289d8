"""What people get wrong in the first hour: the first ERROR line says what to mend, in the page's words."""

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from cryptography import x509

import poller
from execution_plane import shared_clients
from execution_plane.settings import variable
from local.aws import create_table
from local.keptn.faults import Action, Answer, Redirect
from local.keptn.server import KeptnServer
from tests.conftest import TEMPLATE
from tests.integration.test_login import self_signed
from tests.support.certificates import certify
from tests.support.lambda_context import Context
from tests.support.listener import Listener
from tests.support.login import Login, serving
from tests.support.world import SAYHELLO, SHIPYARD

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")
PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
TOKEN = "the-secret-token"


def documented() -> list[str]:
    """What `reason` has, row by row."""
    _, _, table = PAGE.partition("| `reason` has |")
    return re.findall(r"^\| `(.+?)` \|", table.split("\n\n")[0], re.MULTILINE)


def is_in(row: str, text: str) -> bool:
    """Whether a text has the row's words, in which an ellipsis stands for anything."""
    return re.search(".*".join(map(re.escape, row.split("…"))), text) is not None


@dataclass
class Plane:
    """A deployed plane as a user set it up, registered and steered by the Bridge as it is by default."""

    server: KeptnServer
    patch: pytest.MonkeyPatch
    place: Path
    ended: ExitStack

    def set(self, parameter: str, value: str) -> None:
        """Deploy with another value."""
        self.patch.setenv(variable(parameter), value)

    def put_token(self, text: str) -> None:
        boto3.client("secretsmanager").put_secret_value(SecretId="token", SecretString=text)

    def keptn_answers(self, answer: Action) -> None:
        self.server.faults.add(answer)

    def log_in_by_oauth(self, secret: object) -> None:
        boto3.client("secretsmanager").create_secret(Name="oauth", SecretString=json.dumps(secret))
        self.set("OauthSecretArn", "oauth")
        self.set("KeptnApiTokenSecretArn", "")

    def listen(self, answer: bytes) -> int:
        """A port at which each connection gets this answer."""

        def converse(connection: socket.socket) -> None:
            connection.recv(65_536)
            connection.sendall(answer)

        return self.ended.enter_context(Listener(converse)).port

    def serve_login(self, login: Login, **options: Any) -> str:
        """A token endpoint; its URL."""
        return self.ended.enter_context(serving(login, **options)).url


@pytest.fixture
def plane(dynamodb: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Plane]:
    create_table(dynamodb, "ledger", TEMPLATE)
    boto3.client("secretsmanager").create_secret(Name="token", SecretString=TOKEN)
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shared_clients, "_clients", {})
    with KeptnServer(token=TOKEN) as server, ExitStack() as ended:
        server.keptn.create_project("podtato", SHIPYARD, ("head",))
        made = Plane(server, monkeypatch, tmp_path, ended)
        for parameter, value in {
            "KeptnApiUrl": server.url,
            "KeptnApiTokenSecretArn": "token",
            "LedgerTableName": "ledger",
            "EventTypes": SAYHELLO,
            "PollIntervalSeconds": "0",
            "WorkerFunctionName": "worker",
            "PlaneSource": "keptn-lambda-executor/1/eu-west-1/apac",
        }.items():
            made.set(parameter, value)
        poller.build.cache_clear()
        yield made
        poller.build.cache_clear()


def no_scheme(plane: Plane) -> None:
    plane.set("KeptnApiUrl", "keptn.example.com/api")


def no_such_host(plane: Plane) -> None:
    plane.set("KeptnApiUrl", "https://keptn.invalid/api")


def no_such_port(plane: Plane) -> None:
    plane.set("KeptnApiUrl", "http://127.0.0.1:9/api")


def tls_to_a_port_without(plane: Plane) -> None:
    port = plane.listen(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    plane.set("KeptnApiUrl", f"https://127.0.0.1:{port}/api")


def plain_text_to_a_port_with_tls(plane: Plane) -> None:
    port = plane.listen(bytes([0x15, 3, 3, 0, 2, 2, 80]))
    plane.set("KeptnApiUrl", f"http://127.0.0.1:{port}/api")


def a_certificate_that_nobody_trusts(plane: Plane) -> None:
    _, certificate = self_signed(plane.place)
    plane.set("KeptnApiUrl", f"{plane.serve_login(Login(), certificate=certificate)}/api")


def a_certificate_that_does_not_name_its_authoritys_key(plane: Plane) -> None:
    create_context = ssl.create_default_context

    def create_strict_context(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = create_context(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as in Python 3.13, on which the functions run
        return context

    plane.patch.setattr(ssl, "create_default_context", create_strict_context)
    ca, server = certify(plane.place, x509.IPAddress(ip_address("127.0.0.1")), names_authority=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    plane.set("CaBundlePath", str(ca))
    plane.set("KeptnApiUrl", f"{plane.serve_login(Login(), certificate=context)}/api")


def certificates_of_the_environment_that_are_not_there(plane: Plane) -> None:
    plane.patch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    plane.set("KeptnApiUrl", "https://127.0.0.1:9/api")


def no_such_proxy(plane: Plane) -> None:
    plane.set("HttpsProxy", "http://127.0.0.1:9")
    plane.set("KeptnApiUrl", "https://keptn.example.com/api")


def a_proxy_that_wants_a_password(plane: Plane) -> None:
    port = plane.listen(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    plane.set("HttpsProxy", f"http://127.0.0.1:{port}")
    plane.set("KeptnApiUrl", "https://keptn.example.com/api")


def another_keptns_token(plane: Plane) -> None:
    plane.put_token("another")


def an_access_token_that_the_proxy_does_not_take(plane: Plane) -> None:
    login = Login()
    login.valid = type("Never", (set,), {"add": lambda *_: None})()
    url = plane.serve_login(login, keptn=plane.server.keptn)
    client = {"clientId": login.client_id, "clientSecret": login.client_secret}
    plane.log_in_by_oauth({**client, "tokenUrl": f"{url}/token"})
    plane.set("KeptnApiUrl", f"{url}/api")


def a_login_that_may_not(plane: Plane) -> None:
    plane.keptn_answers(Answer(403))


def no_api_in_the_url(plane: Plane) -> None:
    plane.set("KeptnApiUrl", plane.server.origin)


def a_page_for_people(plane: Plane) -> None:
    plane.set("KeptnApiUrl", plane.server.origin)
    plane.keptn_answers(Answer(200, "<html>Sign in</html>", "text/html"))


def another_api(plane: Plane) -> None:
    plane.keptn_answers(Answer(404, "<html>default backend</html>"))


def a_page_for_people_below_api(plane: Plane) -> None:
    plane.keptn_answers(Answer(200, "<html>Sign in</html>", "text/html"))


def a_redirect(plane: Plane) -> None:
    plane.keptn_answers(Redirect("https://keptn.example.com/api"))


def a_keptn_that_is_down(plane: Plane) -> None:
    plane.keptn_answers(Answer(503))


def a_keptn_that_asks_for_a_pause(plane: Plane) -> None:
    plane.keptn_answers(Answer(429, headers=(("Retry-After", "30"),)))


def no_such_secret(plane: Plane) -> None:
    plane.set("KeptnApiTokenSecretArn", "nowhere")


def a_secret_of_keys_and_values(plane: Plane) -> None:
    plane.put_token(json.dumps({"url": "https://keptn.example.com", "token": TOKEN}))


def a_token_with_a_line_break(plane: Plane) -> None:
    plane.put_token(f"{TOKEN}\nand more")


def an_oauth_secret_that_is_no_json(plane: Plane) -> None:
    plane.log_in_by_oauth(TOKEN)


def an_oauth_client_that_is_not_known(plane: Plane) -> None:
    url = plane.serve_login(Login())
    plane.log_in_by_oauth({"clientId": "somebody", "clientSecret": TOKEN, "tokenUrl": f"{url}/token"})


def a_token_url_at_which_nobody_answers(plane: Plane) -> None:
    plane.log_in_by_oauth({"clientId": "a", "clientSecret": TOKEN, "tokenUrl": "http://127.0.0.1:9/token"})


def a_uniform_api_that_the_token_may_not_use(plane: Plane) -> None:
    plane.server.faults.add(Answer(403), "/uniform/")


def no_table(plane: Plane) -> None:
    plane.set("LedgerTableName", "nowhere")


def no_way_to_aws(plane: Plane) -> None:
    plane.patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    plane.patch.setattr(
        shared_clients,
        "AWS_CONFIG",
        shared_clients.AWS_CONFIG.merge(Config(retries={"total_max_attempts": 1})),
    )


MISTAKES: list[tuple[Callable[[Plane], None], str]] = [
    (no_scheme, "KeptnApiUrl is '…': it must begin with https://"),
    (no_such_host, "no connection (…); check KeptnApiUrl and the route to it (VpcSubnetIds, …"),
    (no_such_port, "no connection (…); check KeptnApiUrl and the route to it (VpcSubnetIds, …"),
    (tls_to_a_port_without, "no TLS connection (…); does the server speak TLS there? If it does not, …"),
    (plain_text_to_a_port_with_tls, "KeptnApiUrl begins with https://"),
    (a_certificate_that_nobody_trusts, "no trusted TLS connection (…); see CaBundlePath"),
    (
        a_certificate_that_does_not_name_its_authoritys_key,
        "(Missing Authority Key Identifier); see CaBundlePath",
    ),
    (certificates_of_the_environment_that_are_not_there, "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is …"),
    (no_such_proxy, "no connection to the proxy (…); check HttpsProxy"),
    (a_proxy_that_wants_a_password, "the proxy makes no connection (…); check HttpsProxy"),
    (another_keptns_token, "401 …; check the secret … (KeptnApiTokenSecretArn)"),
    (an_access_token_that_the_proxy_does_not_take, "401 …; check the secret … (OauthSecretArn)"),
    (a_login_that_may_not, "403 …, and what a proxy before Keptn allows"),
    (no_api_in_the_url, "KeptnApiUrl should end in /api"),
    (a_page_for_people, "KeptnApiUrl should end in /api"),
    (another_api, "is KeptnApiUrl Keptn's API, as it is reached from here?"),
    (a_page_for_people_below_api, "is KeptnApiUrl Keptn's API, as it is reached from here?"),
    (a_redirect, "redirected to …; set KeptnApiUrl to the place itself"),
    (a_keptn_that_is_down, ": 503 …"),
    (no_such_secret, "KeptnApiTokenSecretArn: the secret … can't be read (…)"),
    (a_secret_of_keys_and_values, "holds no token: put Keptn's API token there"),
    (a_token_with_a_line_break, "holds no plain text: the token has a line break"),
    (an_oauth_secret_that_is_no_json, "OauthSecretArn: the secret … is no JSON object"),
    (an_oauth_client_that_is_not_known, "401 invalid_client…; see OauthSecretArn"),
    (a_token_url_at_which_nobody_answers, "check the URL in OauthSecretArn"),
    (a_uniform_api_that_the_token_may_not_use, "no task is taken until Keptn says which subscriptions …"),
    (no_way_to_aws, "DynamoDB: …; check the functions' network (VpcSubnetIds, HttpsProxy, NoProxy)"),
    (no_table, "DynamoDB: An error occurred (…"),
]


PAUSES: list[tuple[Callable[[Plane], None], str]] = [
    (another_keptns_token, "not sent, after GET …: 401 …"),
    (a_keptn_that_asks_for_a_pause, "not sent, after GET …: 429 …"),
]
"""What lets a poll fail without a request, once the poll before it was answered so."""


@pytest.mark.parametrize(("make", "words"), MISTAKES, ids=[make.__name__ for make, _ in MISTAKES])
def test_the_first_error_says_what_to_mend_in_the_pages_words(
    plane: Plane, caplog: pytest.LogCaptureFixture, make: Callable[[Plane], None], words: str
) -> None:
    make(plane)

    with pytest.raises(Exception, match=r"\w"):
        poller.handler({}, Context())

    line = next(vars(each) for each in caplog.records if each.levelname == "ERROR")
    assert line["message"] == "slot failed"
    (row,) = [row for row in documented() if is_in(words, row)]
    assert is_in(row, line["reason"]), line["reason"]
    assert TOKEN not in "".join(str(vars(each)) for each in caplog.records)


@pytest.mark.parametrize(("make", "words"), PAUSES, ids=[make.__name__ for make, _ in PAUSES])
def test_while_nothing_is_sent_the_error_says_after_which_answer(
    plane: Plane, caplog: pytest.LogCaptureFixture, make: Callable[[Plane], None], words: str
) -> None:
    make(plane)
    for _ in range(2):
        caplog.clear()
        with pytest.raises(Exception, match=r"\w"):
            poller.handler({}, Context())

    line = next(vars(each) for each in caplog.records if each.levelname == "ERROR")
    assert is_in(words, line["reason"]), line["reason"]


def test_every_row_of_the_page_is_a_mistake_that_is_made_here() -> None:
    made = {row for row in documented() for _, words in (*MISTAKES, *PAUSES) if is_in(words, row)}

    assert len(documented()) > 20
    assert set(documented()) - made == set()


def test_a_plane_without_a_mistake_ticks(plane: Plane) -> None:
    assert poller.handler({}, Context())["polls_failed"] == 0


def test_the_secret_may_be_the_consoles_json_of_one_key_and_its_value(plane: Plane) -> None:
    plane.put_token(json.dumps({"keptn-api-token": TOKEN}))

    assert poller.handler({}, Context())["polls_failed"] == 0
