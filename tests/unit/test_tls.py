"""TLS: whoever the machine does not trust is refused, unless a CA bundle vouches for it."""

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from execution_plane.clock import SystemClock
from execution_plane.transport import KeptnUnreachable, Transport

CLOCK = SystemClock()


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
    place = tmp_path_factory.mktemp("tls")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's own CA")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    ca = (
        certificate(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    served = (
        certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keptn")]), key.public_key())
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (place / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (place / "server.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + served.public_bytes(serialization.Encoding.PEM)
    )
    return place / "ca.pem", place / "server.pem"


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
