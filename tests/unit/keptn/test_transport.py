"""What the gateway and the network do, over real HTTP, and the name that each failure gets."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn import transport
from execution_plane.keptn.connecting import SettingNames
from execution_plane.keptn.control_plane import ControlPlane, NotSent, SendUncertain
from execution_plane.keptn.events import EventRef, started
from execution_plane.keptn.transport import (
    KeptnBroken,
    KeptnBusy,
    KeptnContentRefused,
    KeptnError,
    KeptnIncomprehensible,
    KeptnLacksEndpoint,
    KeptnNotAsked,
    KeptnNotFound,
    KeptnRedirected,
    KeptnRefused,
    KeptnSilent,
    KeptnUnauthorized,
    KeptnUnreachable,
    Transport,
)
from local.keptn.faults import Answer, Delay, DropConnection, HandleThenDrop, HugeBody, Redirect
from local.keptn.server import KeptnServer
from tests.support.clock import SimulatedClock

TOKEN = "a-very-secret-token"
PATH = "/controlPlane/v1/event/triggered/sh.keptn.event.sayhello.triggered"
REF = EventRef(
    "event", "sh.keptn.event.sayhello.triggered", "08735340-6f9e-4b32-97ff-3b6c292bc509", "p", "s", "v"
)
CLOCK = SystemClock()


class Tokens:
    """Credentials with a token that may be replaced by the next one."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.renewed = 0

    def headers(self) -> Mapping[str, str]:
        return {"x-token": self._tokens[0]}

    def renew(self) -> None:
        self.renewed += 1
        if len(self._tokens) > 1:
            del self._tokens[0]


@pytest.fixture(scope="module")
def shared() -> Iterator[KeptnServer]:
    with KeptnServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def server(shared: KeptnServer) -> Iterator[KeptnServer]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def http(server: KeptnServer) -> Transport:
    return Transport(server.url, Tokens(TOKEN), CLOCK)


def test_an_answer_is_its_json_and_keptns_own_time(http: Transport) -> None:
    answer = http.get(PATH, {"pageSize": "100000"})

    assert answer.body["events"] == []
    assert answer.date.endswith("GMT")


@pytest.mark.parametrize(
    ("answer", "kind", "message", "had_no_effect"),
    [
        (
            Answer(400, '{"code":400,"message":"bad"}', "application/json"),
            KeptnContentRefused,
            "400 bad",
            True,
        ),
        (Answer(401, '{"code":401, "message":"who?"}', "text/plain"), KeptnUnauthorized, "401 who?", True),
        (Answer(401, "<html>Authorization Required</html>"), KeptnUnauthorized, "401 Fault", True),
        (Answer(403, "<html>Forbidden</html>"), KeptnUnauthorized, "403 Fault", True),
        (Answer(404, '{"code":404,"message":"project not found"}'), KeptnNotFound, "project not found", True),
        (Answer(404, "404 page not found", "text/plain"), KeptnLacksEndpoint, "404 page not found", True),
        (Answer(404, '{"code":404,"message":"path /x was not found"}'), KeptnLacksEndpoint, "was not", True),
        (Answer(404, '{"message":"Not Found"}'), KeptnLacksEndpoint, "Not Found", True),
        (Answer(404, "<html>default backend</html>"), KeptnLacksEndpoint, "404 Fault", True),
        (Answer(405, '{"code":405,"message":"method GET is not allowed"}'), KeptnLacksEndpoint, "405", True),
        (Answer(413, "<html>Request Entity Too Large</html>"), KeptnContentRefused, "413 Fault", True),
        (Answer(415, '{"code":415,"message":"unsupported"}'), KeptnContentRefused, "unsupported", True),
        (Answer(422, '{"code":602,"message":"data is required"}'), KeptnContentRefused, "required", True),
        (Answer(418, "short and stout", "text/plain"), KeptnRefused, "418 short and stout", True),
        (
            Answer(429, '{"code":429, "message":"too many requests"}', "text/plain"),
            KeptnBusy,
            "too many",
            True,
        ),
        (Answer(429, "Too Many Requests", "text/plain"), KeptnBusy, "429 Too Many Requests", True),
        (Answer(500, '{"code":500,"message":"NATS"}', "application/json"), KeptnBroken, "500 NATS", False),
        (Answer(500, "<html>Internal Server Error</html>"), KeptnBroken, "500 Fault", False),
        (Answer(502, "<html>Bad Gateway</html>"), KeptnBroken, "502 Fault", False),
        (Answer(503, ""), KeptnBroken, "503 Fault", False),
        (Answer(504, "upstream request timeout", "text/plain"), KeptnBroken, "upstream", False),
        (Answer(200, "<html>Sign in</html>"), KeptnIncomprehensible, "is not JSON", False),
        (Answer(200, "", "application/json"), KeptnIncomprehensible, "no list of events", False),
        (Answer(200, '{"events": 7}', "application/json"), KeptnIncomprehensible, "no list of events", False),
        (Answer(200, "[" * 100_000, "application/json"), KeptnIncomprehensible, "is not JSON", False),
        (Answer(200, "\xff\xfe", "application/json"), KeptnIncomprehensible, "is not JSON", False),
        (Answer(301), KeptnRedirected, "redirected to nowhere", True),
        (Answer(304), KeptnRedirected, "304", True),
        (HugeBody(65 * 1024 * 1024), KeptnIncomprehensible, "over", False),
        (HugeBody(), KeptnIncomprehensible, "over", False),
        (HugeBody(status=500), KeptnIncomprehensible, "over", False),
        (DropConnection(), KeptnSilent, "no answer", False),
        (HandleThenDrop(), KeptnSilent, "no answer", False),
    ],
)
def test_every_failure_has_a_name(
    server: KeptnServer,
    http: Transport,
    answer: Any,
    kind: type[KeptnError],
    message: str,
    had_no_effect: bool,
) -> None:
    server.faults.add(answer)

    with pytest.raises(KeptnError) as failed:
        ControlPlane(http).open_events("sh.keptn.event.sayhello.triggered", {})

    assert type(failed.value) is kind
    assert message in str(failed.value)
    assert str(failed.value).startswith(f"GET {PATH}: ")
    assert failed.value.had_no_effect is had_no_effect
    assert len(str(failed.value)) < 600


def test_an_unknown_project_is_an_empty_list_and_an_unknown_path_is_not(server: KeptnServer) -> None:
    client = ControlPlane(Transport(server.url, Tokens(TOKEN), CLOCK))
    elsewhere = ControlPlane(Transport(f"{server.url}/v1", Tokens(TOKEN), CLOCK))

    assert client.open_events("sh.keptn.event.sayhello.triggered", {"project": "none"}).events == ()
    with pytest.raises(KeptnLacksEndpoint):
        elsewhere.open_events("sh.keptn.event.sayhello.triggered", {"project": "none"})


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(KeptnUnreachable, match="no connection"):
        Transport(f"http://127.0.0.1:{port}/api", Tokens(TOKEN), CLOCK).get(PATH)


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    with pytest.raises(KeptnUnreachable, match="no connection"):
        Transport("http://keptn.invalid/api", Tokens(TOKEN), CLOCK).get(PATH)


def test_an_answer_that_does_not_come_in_time_is_silence(
    server: KeptnServer, http: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults.add(Delay(2))

    with pytest.raises(KeptnSilent, match="no answer"):
        http.post("/v1/event", {}, seconds=0.1)


def test_an_answer_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.3)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"

    def trickle(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(head)
        while not ended.wait(0.05):
            connection.sendall(b" ")

    with raw_server(trickle) as url, pytest.raises(KeptnSilent, match="did not end in time"):
        Transport(url, Tokens(TOKEN), CLOCK).get(PATH)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_half_an_answer_is_silence(sent: bytes) -> None:
    with (
        raw_server(lambda connection, _: connection.sendall(sent)) as url,
        pytest.raises(KeptnSilent) as failed,
    ):
        Transport(url, Tokens(TOKEN), CLOCK).get(PATH)

    assert not failed.value.had_no_effect


def test_a_large_answer_is_read_whole(server: KeptnServer, http: Transport) -> None:
    body = json.dumps({"events": ["x" * 1000] * 10_000})
    server.faults.add(Answer(200, body, "application/json"))

    assert http.get(PATH).body == json.loads(body)


def test_a_redirect_is_never_followed_and_its_target_never_gets_the_token(
    server: KeptnServer, http: Transport
) -> None:
    asked: list[bytes] = []

    def note(connection: socket.socket, _: threading.Event) -> None:
        asked.append(connection.recv(65_536))

    with raw_server(note) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            server.faults.add(Redirect(f"{elsewhere}/login?next=x", status), times=1)
            with pytest.raises(KeptnRedirected, match=f"redirected to {elsewhere}/login; set KeptnApiUrl"):
                http.get(PATH)

    assert asked == []


@pytest.mark.parametrize("end", ["/keptn", "", "/api/v1"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "<html>default backend</html>"),
        Answer(405, "no"),
        Answer(200, "<html>Sign in</html>"),
        Redirect("/bridge"),
    ],
)
def test_an_answer_of_something_else_says_how_keptns_url_ends(
    server: KeptnServer, answer: Any, end: str
) -> None:
    server.faults.add(answer)
    where = server.url.removesuffix("/api") + end

    with pytest.raises(
        KeptnError, match=r"KeptnApiUrl should end in /api, as in https://keptn.example.com/api$"
    ):
        Transport(where, Tokens(TOKEN), CLOCK).get(PATH)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "check OauthSecretArn"),
        (403, "check OauthSecretArn, and what a proxy before Keptn allows"),
        (404, "is the address Keptn's API, as it is reached from here?"),
        (407, "check the proxy"),
    ],
)
def test_what_is_to_be_mended_is_called_by_the_name_that_the_user_knows(
    server: KeptnServer, status: int, advice: str
) -> None:
    server.faults.add(Answer(status))
    names = SettingNames(url="the address", login="OauthSecretArn", proxy="the proxy")

    with pytest.raises(KeptnError) as failed:
        Transport(server.url, Tokens(TOKEN), CLOCK, names=names).get(PATH)

    assert str(failed.value).endswith(f"; {advice}")


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Injected: yes", f"{TOKEN}\r", f"{TOKEN}\u00e4", f"{TOKEN}\0"])
def test_a_token_that_no_header_can_have_is_not_sent_and_not_told(server: KeptnServer, token: str) -> None:
    rule = server.faults.add(Answer(500))

    with pytest.raises(KeptnNotAsked, match=r"no header can have; check KeptnApiTokenSecretArn$") as failed:
        Transport(server.url, Tokens(token), CLOCK).post("/v1/event", {})

    assert failed.value.had_no_effect
    assert TOKEN not in str(failed.value) + repr(failed.value)
    assert rule.seen == 0


def test_a_rotated_token_is_read_again_once(server: KeptnServer) -> None:
    tokens = Tokens("old", TOKEN)

    assert Transport(server.url, tokens, CLOCK).get(PATH).body["events"] == []
    assert tokens.renewed == 1


def test_a_token_that_stays_wrong_is_tried_twice_and_no_more(server: KeptnServer) -> None:
    tokens = Tokens("wrong")
    rule = server.faults.add(Answer(401))

    with pytest.raises(KeptnUnauthorized):
        Transport(server.url, tokens, CLOCK).get(PATH)

    assert (rule.seen, tokens.renewed) == (2, 1)


def test_a_second_try_is_not_begun_when_the_time_of_both_is_over(server: KeptnServer) -> None:
    clock = SimulatedClock()

    class SlowlyRenewed(Tokens):
        def renew(self) -> None:
            clock.advance(9.5)
            super().renew()

    tokens = SlowlyRenewed("old", TOKEN)
    http = Transport(server.url, tokens, clock)

    with pytest.raises(KeptnUnauthorized):
        http.get(PATH, seconds=10)

    assert http.get(PATH, seconds=10).body["events"] == []
    assert tokens.renewed == 1


def test_a_403_is_not_tried_again(server: KeptnServer) -> None:
    tokens = Tokens(TOKEN)
    rule = server.faults.add(Answer(403))

    with pytest.raises(KeptnUnauthorized):
        Transport(server.url, tokens, CLOCK).get(PATH)

    assert (rule.seen, tokens.renewed) == (1, 0)


def test_a_rotated_token_does_not_send_a_reply_twice(server: KeptnServer) -> None:
    before = len(server.keptn.received)
    client = ControlPlane(Transport(server.url, Tokens("old", TOKEN), CLOCK))

    client.send(started(REF, "plane"), Deadline.after(CLOCK, 10))

    assert len(server.keptn.received) == before + 1


@pytest.mark.parametrize(
    "fault", [Answer(500), Answer(502), Answer(200, "<html>"), DropConnection(), Delay(5)]
)
def test_a_reply_whose_fate_is_unknown_is_uncertain(
    server: KeptnServer, http: Transport, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr("execution_plane.keptn.control_plane.REPLY_SECONDS", 0.3)
    monkeypatch.setattr("execution_plane.keptn.control_plane.LEAST_REPLY_SECONDS", 0.1)
    rule = server.faults.add(fault)

    with pytest.raises(SendUncertain):
        ControlPlane(http).send(started(REF, "plane"), Deadline.after(CLOCK, 10))

    assert rule.seen == 1


@pytest.mark.parametrize(
    "fault",
    [Answer(400), Answer(401), Answer(404), Answer(413), Answer(429), Redirect("http://elsewhere.invalid")],
)
def test_a_reply_that_was_turned_down_had_no_effect(
    server: KeptnServer, http: Transport, fault: Answer | Redirect
) -> None:
    server.faults.add(fault)

    with pytest.raises(KeptnError) as failed:
        ControlPlane(http).send(started(REF, "plane"), Deadline.after(CLOCK, 10))

    assert failed.value.had_no_effect


def test_a_reply_to_a_control_plane_that_is_down_had_no_effect() -> None:
    client = ControlPlane(Transport("http://127.0.0.1:9/api", Tokens(TOKEN), CLOCK))

    with pytest.raises(KeptnUnreachable) as failed:
        client.send(started(REF, "plane"), Deadline.after(CLOCK, 10))

    assert failed.value.had_no_effect


def test_a_reply_that_could_not_end_in_time_is_not_begun(server: KeptnServer, http: Transport) -> None:
    rule = server.faults.add(Answer(500))

    with pytest.raises(NotSent) as failed:
        ControlPlane(http).send(started(REF, "plane"), Deadline.after(CLOCK, 1.5))

    assert failed.value.had_no_effect
    assert rule.seen == 0


def test_a_connection_is_used_again_unless_it_was_idle_for_long() -> None:
    class Jumping(SystemClock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    clock = Jumping()
    connections: list[socket.socket] = []

    def answer_all(connection: socket.socket, _: threading.Event) -> None:
        connections.append(connection)
        while connection.recv(65_536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(answer_all) as url:
        http = Transport(url, Tokens(TOKEN), clock)
        http.get(PATH)
        http.get(PATH)
        assert len(connections) == 1

        clock.ahead = transport.IDLE_SECONDS + 1
        http.get(PATH)
        assert len(connections) == 2
        http._session.close()


def test_the_token_is_in_no_error(server: KeptnServer, http: Transport) -> None:
    faults: list[Any] = [Answer(401), Answer(500, "boom"), DropConnection(), Answer(200, "<html>")]
    for fault in [*faults, Redirect("http://elsewhere.invalid/?token=x")]:
        server.faults.clear()
        server.faults.add(fault)
        with pytest.raises(KeptnError) as failed:
            http.get(PATH)
        assert TOKEN not in str(failed.value) + repr(failed.value)
    with pytest.raises(KeptnError) as failed:
        Transport("http://127.0.0.1:9/api", Tokens(TOKEN), CLOCK).get(PATH)
    assert TOKEN not in str(failed.value) + repr(failed.value)


@contextmanager
def raw_server(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server of one's own making: `answer` gets each connection once a request's first bytes have come."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(0.5)
            with connection:
                try:
                    connection.recv(65_536, socket.MSG_PEEK)
                    answer(connection, ended)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)  # before its socket's number may be another listener's
        listener.close()
