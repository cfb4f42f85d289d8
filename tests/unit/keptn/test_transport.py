"""What the gateway and the network do, over real HTTP, and the name that each failure gets."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from execution_plane.clock import Deadline, SystemClock
from execution_plane.keptn import transport
from execution_plane.keptn.circuit_breaker import FIRST_PAUSE
from execution_plane.keptn.connecting import SettingNames, retry_after
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
    KeptnPaused,
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
from tests.support.listener import Listener, read_request

TOKEN = "a-very-secret-token"
PATH = "/controlPlane/v1/event/triggered/sh.keptn.event.sayhello.triggered"
REF = EventRef(
    "event", "sh.keptn.event.sayhello.triggered", "08735340-6f9e-4b32-97ff-3b6c292bc509", "p", "s", "v"
)
CLOCK = SystemClock()
NOON = datetime(2026, 10, 21, 7, 28, tzinfo=UTC).timestamp()


class Tokens:
    """Credentials with a token that may be replaced by the next one."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.renewed = 0

    def headers(self) -> Mapping[str, str]:
        return {"x-token": self._tokens[0]}

    def replace(self, token: str) -> None:
        """Let this be the token once it is read again."""
        self._tokens.append(token)

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
        (
            Answer(200, '{"events": ' + "[" * 100_000, "application/json"),
            KeptnIncomprehensible,
            "is not JSON",
            False,
        ),
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


def test_a_token_that_stays_wrong_is_not_sent_again(server: KeptnServer) -> None:
    tokens = Tokens("wrong")
    rule = server.faults.add(Answer(401))

    with pytest.raises(KeptnUnauthorized):
        Transport(server.url, tokens, CLOCK).get(PATH)

    assert (rule.seen, tokens.renewed) == (1, 1)


def test_a_refused_login_is_asked_about_once_after_a_pause_that_grows(server: KeptnServer) -> None:
    clock, tokens = SimulatedClock(), Tokens("wrong")
    rule = server.faults.add(Answer(401, "<html>", headers=(("X", "y"),)))
    http = Transport(server.url, tokens, clock)
    asked_at = []

    for second in range(200):
        for _ in range(6):
            before = rule.seen
            with pytest.raises(KeptnRefused, match="401 Fault; check KeptnApiTokenSecretArn"):
                http.get(PATH)
            if rule.seen > before:
                asked_at.append(second)
        clock.advance(1)

    assert asked_at == [0, 5, 15, 35, 75, 115, 155, 195]


def test_a_secret_that_was_changed_ends_the_pause_and_the_old_token_is_sent_no_more(
    server: KeptnServer,
) -> None:
    clock, tokens = SimulatedClock(), Tokens("wrong")
    http = Transport(server.url, tokens, clock)
    server.faults.add(Answer(401), times=1)
    with pytest.raises(KeptnUnauthorized):
        http.get(PATH)
    tokens.replace(TOKEN)
    with pytest.raises(KeptnPaused):
        http.get(PATH)
    rule = server.faults.add(Answer(401), times=0)

    clock.advance(FIRST_PAUSE)

    assert [http.get(PATH).body["events"] for _ in range(3)] == [[], [], []]
    assert rule.seen == 3


def test_of_requests_side_by_side_that_are_refused_one_reads_the_secret_again(server: KeptnServer) -> None:
    together = threading.Barrier(6)

    class ReadTogether(Tokens):
        def headers(self) -> Mapping[str, str]:
            if not self.renewed and not together.broken:
                with suppress(threading.BrokenBarrierError):
                    together.wait(0.5)
                together.abort()
            return super().headers()

    tokens = ReadTogether("old", "stays wrong", "never read")
    server.faults.add(Answer(401))
    http = Transport(server.url, tokens, SimulatedClock())

    def ask(_: int) -> type[Exception] | None:
        try:
            http.get(PATH)
        except KeptnError as refused:
            return type(refused)
        return None

    with ThreadPoolExecutor(6) as pool:
        assert None not in pool.map(ask, range(6))
    assert tokens.renewed == 1


def test_a_gateway_that_turns_requests_away_while_the_login_is_refused_is_not_the_cause_that_is_named(
    server: KeptnServer,
) -> None:
    clock = SimulatedClock()
    http = Transport(server.url, Tokens("wrong"), clock)
    server.faults.add(Answer(401), times=1)
    with pytest.raises(KeptnUnauthorized):
        http.get(PATH)
    clock.advance(FIRST_PAUSE)
    server.faults.add(Answer(429, '{"code":429, "message":"too many requests"}', "text/plain"))

    with pytest.raises(KeptnBusy, match=r"429 too many requests, after GET .*: 401 .*; check KeptnApiToken"):
        http.get(PATH)


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_asked_for_is_kept(server: KeptnServer, status: int) -> None:
    clock = SimulatedClock()
    http = Transport(server.url, Tokens(TOKEN), clock)
    rule = server.faults.add(Answer(status, headers=(("Retry-After", "7"),)), times=1)

    with pytest.raises(KeptnError):
        http.get(PATH)
    clock.advance(6.9)
    with pytest.raises(KeptnPaused, match=f"not sent, after GET {PATH}: {status} Fault") as paused:
        http.post("/v1/event", {})
    assert paused.value.had_no_effect
    assert rule.seen == 1
    clock.advance(0.1)

    assert http.get(PATH).body["events"] == []


def test_a_pause_that_is_unreasonably_long_is_cut_to_a_minute(server: KeptnServer) -> None:
    clock = SimulatedClock()
    http = Transport(server.url, Tokens(TOKEN), clock)
    server.faults.add(Answer(429, headers=(("Retry-After", "86400"),)), times=1)

    with pytest.raises(KeptnBusy):
        http.get(PATH)
    clock.advance(60)

    assert http.get(PATH).body["events"] == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("9" * 400, 999_999_999.0)),
        *((None, 0.0), ("", 0.0), ("-5", 0.0), ("1.5", 0.0), ("soon", 0.0), ("\u0663", 0.0)),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        *(("Wed, 99 Oct 2026 07:28:30 GMT", 0.0), ("Wed, 21 Oct 0000 07:28:30 GMT", 0.0)),
    ],
)
def test_a_wish_to_be_left_alone_is_in_seconds_or_a_date(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOON) == seconds


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    "interim",
    [
        *(EARLY_HINTS, b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        *(b"HTTP/1.1 199 Whatever\r\n\r\n", EARLY_HINTS * 3 + b"HTTP/1.1 100 \r\n\r\n"),
    ],
)
def test_an_interim_answer_is_none_and_each_request_has_its_own_answer_on_a_kept_connection(
    interim: bytes,
) -> None:
    numbers = count()

    def converse(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(interim)
            body = json.dumps({"number": next(numbers)}).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with Listener(converse) as listener:
        http = Transport(f"http://127.0.0.1:{listener.port}/api", Tokens(TOKEN), CLOCK)
        answers = [http.get(PATH).body["number"] for _ in range(3)]
        answers.append(http.post("/v1/event", {}).body["number"])
        http._session.close()

    assert answers == [0, 1, 2, 3]
    assert listener.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    ],
)
def test_what_never_becomes_an_answer_may_have_had_an_effect(answer: bytes) -> None:
    with (
        raw_server(lambda connection, _: connection.sendall(answer)) as url,
        pytest.raises(KeptnSilent) as failed,
    ):
        Transport(url, Tokens(TOKEN), CLOCK).post("/v1/event", {})

    assert not failed.value.had_no_effect


LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % (len(LATE) + 15),
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 53\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: nonsense\r\n\r\n",
    ],
)
def test_what_an_answer_left_unread_is_no_other_requests_answer(first: bytes) -> None:
    """The rest comes when the next request is under way, so that nobody can see it before."""

    def converse(connection: socket.socket) -> None:
        if listener.connections == 1:
            read_request(connection)
            connection.sendall(first)
            if b"nonsense" in first:
                return
            read_request(connection)
            connection.sendall(LATE + b'{"whose": "GET"}'[:15])
        else:
            read_request(connection)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"whose": "POST"}')

    with Listener(converse) as listener:
        http = Transport(f"http://127.0.0.1:{listener.port}/api", Tokens(TOKEN), CLOCK)
        with suppress(KeptnError):
            http.get(PATH)
        assert http.post("/v1/event", {}).body == {"whose": "POST"}
        http._session.close()


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
