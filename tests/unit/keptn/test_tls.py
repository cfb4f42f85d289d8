"""TLS: whoever the machine does not trust is refused, unless a CA bundle vouches for it."""

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn import transport
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.look import Look, Standing
from execution_plane.keptn.transport import KeptnError, KeptnSilent, KeptnUnreachable, Transport
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.runs import Run
from tests.support.certificates import certify
from tests.support.clock import SimulatedClock
from tests.support.listener import Conversation, Listener, read_request
from tests.support.memory_ledger import MemoryLedger

CLOCK = SystemClock()
REF = EventRef("event", "sh.keptn.event.sayhello.triggered", "context", "project", "stage", "service")


class NoToken:
    def headers(self) -> Mapping[str, str]:
        return {"x-token": "a-very-secret-token"}

    def renew(self) -> None:
        pass


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers every GET with an empty object."""

    def do_GET(self) -> None:
        self.server.asked.append(self.headers)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a CA of our own, and of a server's key and certificate that it signed for 127.0.0.1."""
    return certify(tmp_path_factory.mktemp("tls"), x509.IPAddress(ip_address("127.0.0.1")))


@pytest.fixture
def server(authority: tuple[Path, Path]) -> Iterator[http.server.ThreadingHTTPServer]:
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    listening.asked = []  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join(5)


def client(server: http.server.ThreadingHTTPServer, host: str = "127.0.0.1", **options: Any) -> Transport:
    return Transport(f"https://{host}:{server.server_address[1]}/api", NoToken(), CLOCK, **options)


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_token_is_sent(
    server: http.server.ThreadingHTTPServer,
) -> None:
    with pytest.raises(KeptnUnreachable, match=r"no trusted TLS connection .*CaBundlePath") as failed:
        client(server).get("/v1/metadata")

    assert failed.value.had_no_effect
    assert server.asked == []  # type: ignore[attr-defined]


def test_a_ca_bundle_vouches_for_it(
    server: http.server.ThreadingHTTPServer, authority: tuple[Path, Path]
) -> None:
    answer = client(server, ca_bundle_path=str(authority[0])).get("/v1/metadata")

    assert answer.body == {}
    (headers,) = server.asked  # type: ignore[attr-defined]
    assert headers["x-token"] == "a-very-secret-token"


def test_a_ca_bundle_does_not_vouch_for_another_host(
    server: http.server.ThreadingHTTPServer, authority: tuple[Path, Path]
) -> None:
    with pytest.raises(KeptnUnreachable, match="no trusted TLS connection"):
        client(server, "localhost", ca_bundle_path=str(authority[0])).get("/v1/metadata")

    assert server.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("switch", "value"),
    [("CURL_CA_BUNDLE", ""), ("REQUESTS_CA_BUNDLE", ""), ("PYTHONHTTPSVERIFY", "0"), ("SSL_VERIFY", "false")],
)
def test_no_variable_of_the_environment_turns_verification_off(
    server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, switch: str, value: str
) -> None:
    monkeypatch.setenv(switch, value)

    with pytest.raises(KeptnUnreachable):
        client(server).get("/v1/metadata")

    assert server.asked == []  # type: ignore[attr-defined]


def test_the_other_certificates_are_still_trusted_beside_the_bundle(authority: tuple[Path, Path]) -> None:
    http = Transport("https://keptn.example.com/api", NoToken(), CLOCK, ca_bundle_path=str(authority[0]))
    adapter = http._session.get_adapter("https://keptn.example.com")

    context = adapter.poolmanager.connection_pool_kw["ssl_context"]  # type: ignore[attr-defined]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert http._session.verify is True


@pytest.fixture
def listen() -> Iterator[Callable[[Conversation], int]]:
    """Let each connection be answered as a test says; gives the port."""
    with contextlib.ExitStack() as listeners:
        yield lambda converse: listeners.enter_context(Listener(converse)).port


PLAIN_TEXT = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
ALERT = bytes([0x15, 3, 3, 0, 2, 2, 80])


@pytest.mark.parametrize("answer", [PLAIN_TEXT, ALERT, b""], ids=["plain text", "alert", "nothing"])
def test_a_reply_that_was_read_before_tls_broke_is_not_sent_again(
    listen: Callable[[Conversation], int], authority: tuple[Path, Path], answer: bytes
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    requests: list[bytes] = []

    def converse(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            requests.append(read_request(secured))
            with socket.socket(fileno=secured.detach()) as below:
                below.sendall(answer)

    url = f"https://127.0.0.1:{listen(converse)}/api"
    http = Transport(url, NoToken(), CLOCK, ca_bundle_path=str(authority[0]))
    with pytest.raises(KeptnSilent) as failed:
        http.post("/v1/event", {"type": "sh.keptn.event.sayhello.finished"})
    assert not failed.value.had_no_effect
    assert len(requests) == 1

    ledger, clock = MemoryLedger(), SimulatedClock()
    run = ledger.create(Run.adopted(REF, "plane", clock.now(), Look(Standing.OPEN, starts=1)))
    reporting = ledger.move(run, run.reporting(clock.now()))
    replies = Replies(ControlPlane(http), ledger, clock, patient=True)  # type: ignore[arg-type]
    replies.finish(reporting, Deadline.after(clock, 60))

    assert len(requests) == 2


@pytest.mark.parametrize("answer", [PLAIN_TEXT, ALERT, b""], ids=["plain text", "alert", "nothing"])
def test_a_request_whose_handshake_fails_certainly_had_no_effect(
    listen: Callable[[Conversation], int], answer: bytes
) -> None:
    def converse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    http = Transport(f"https://127.0.0.1:{listen(converse)}/api", NoToken(), CLOCK)

    with pytest.raises(KeptnUnreachable, match=r"no TLS connection \(") as failed:
        http.post("/v1/event", {})

    assert failed.value.had_no_effect


def test_a_handshake_that_is_never_answered_certainly_had_no_effect(
    listen: Callable[[Conversation], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.1)
    over = threading.Event()
    http = Transport(f"https://127.0.0.1:{listen(lambda _: over.wait(5))}/api", NoToken(), CLOCK)

    with pytest.raises(KeptnUnreachable, match="does the server speak TLS there"):
        http.post("/v1/event", {})
    over.set()


def test_a_reply_that_a_proxy_read_before_it_hung_up_may_have_arrived(
    listen: Callable[[Conversation], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[bytes] = []
    port = listen(lambda connection: requests.append(read_request(connection)))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(KeptnSilent):
        Transport("http://keptn.example.com/api", NoToken(), CLOCK).post("/v1/event", {})

    assert len(requests) == 1


def test_a_server_that_speaks_no_tls_is_told_from_one_that_nobody_trusts(
    listen: Callable[[Conversation], int],
) -> None:
    def converse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(PLAIN_TEXT)

    with pytest.raises(KeptnUnreachable) as failed:
        Transport(f"https://127.0.0.1:{listen(converse)}/api", NoToken(), CLOCK).get("/v1/metadata")

    assert str(failed.value) == (
        "GET /v1/metadata: no TLS connection (wrong version number); does the server speak TLS there? If it "
        "does not, KeptnApiUrl begins with http://"
    )


@pytest.mark.parametrize(
    "answer",
    [
        ALERT,
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>400 The plain HTTP request was sent to HTTPS port</html>",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    ],
    ids=["alert", "hung up", "nginx", "go"],
)
def test_a_server_that_speaks_tls_is_not_to_be_spoken_to_in_plain_text(
    listen: Callable[[Conversation], int], answer: bytes
) -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with pytest.raises(KeptnError, match=r"KeptnApiUrl begins with https://$"):
        Transport(f"http://127.0.0.1:{listen(converse)}/api", NoToken(), CLOCK).get("/v1/metadata")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate at all"])
def test_certificates_of_the_environment_that_are_not_there_are_named(
    name: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, str(bundle))

    with pytest.raises(KeptnUnreachable, match=r"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is ") as failed:
        Transport("https://127.0.0.1:9/api", NoToken(), CLOCK).get("/v1/metadata")

    assert str(bundle) in str(failed.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:pass%23word@127.0.0.1:9",
        "http://user:password@proxy.invalid:3128",
        "http://user:password@[::1",
        "http://user:password@proxy:port",
        "ftp://user:password@proxy",
        "http://",
    ],
)
def test_a_proxy_that_is_not_there_is_named_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(KeptnUnreachable, match=r"HttpsProxy$") as failed:
        Transport(f"{scheme}://keptn.example.com/api", NoToken(), CLOCK).get("/v1/metadata")

    assert "pass" not in str(failed.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_login_is_named(
    listen: Callable[[Conversation], int], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv(f"{scheme}_proxy", f"http://user:password@127.0.0.1:{listen(converse)}")
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(
        KeptnError, match=r"407 Proxy Authentication Required\)?; check HttpsProxy$"
    ) as failed:
        Transport(f"{scheme}://keptn.example.com/api", NoToken(), CLOCK).get("/v1/metadata")

    assert failed.value.had_no_effect
    assert "password" not in str(failed.value)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b""], ids=["refused", "hung up"])
def test_a_tunnel_that_a_proxy_does_not_make_certainly_had_no_effect(
    listen: Callable[[Conversation], int], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    def converse(connection: socket.socket) -> None:
        assert read_request(connection).startswith(b"CONNECT keptn.example.com:443")
        connection.sendall(answer)

    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listen(converse)}")
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(KeptnUnreachable, match="no connection"):
        Transport("https://keptn.example.com/api", NoToken(), CLOCK).post("/v1/event", {})
