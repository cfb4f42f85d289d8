"""Tasks that are HTTP calls, over real sockets: the other side does as a test says."""

import json
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from execution_plane.clock import Clock, Deadline, SystemClock
from execution_plane.keptn.events import Outcome
from execution_plane.settings import Allowlists
from jobs.model import Env, HttpCall, Task
from runners.http.exchange import LARGEST_ANSWER, HttpExchange
from runners.http.runner import HttpRunner
from runs.work import TaskCancelled
from tests.support.certificates import certify
from tests.support.clock import SimulatedClock
from tests.support.http_target import PUBLIC, LedNetwork, TickingClock, answering
from tests.support.listener import Conversation, Listener, read_request
from tests.unit.runners.task_contexts import task_context

HOST = "hooks.example.com"
URL = f"http://{HOST}/notify"
SECRETS = {
    "hooks": {"token": "s3cr3t/t0ken"},
    "slack": {"url": f"http://{HOST}/services/T0/B1/xyz?key=1"},
}


class Target:
    """A host that tasks may call, and what it was sent."""

    def __init__(self, listener: Listener) -> None:
        self.network = LedNetwork(listener.port)
        self.requests: list[bytes] = []
        self._listener = listener
        self.answers(answering())

    @property
    def connections(self) -> int:
        return self._listener.connections

    def answers(self, *conversations: Conversation) -> None:
        """Answer as these say, one after the other; the last for ever."""
        left = list(conversations)

        def converse(connection: socket.socket) -> None:
            peeked = _Noting(connection, self.requests)
            (left.pop(0) if len(left) > 1 else left[0])(peeked)  # type: ignore[arg-type]

        self._listener.converse = converse

    def run(
        self,
        call: HttpCall,
        *env: Env,
        allowed: Sequence[str] = (HOST,),
        seconds: float = 20.0,
        clock: Clock | None = None,
        still_wanted: Callable[[], bool] = lambda: True,
        ca: Path | None = None,
        given: Sequence[str] = (),
        proxy_resolves: bool = False,
        **data: Any,
    ) -> Outcome:
        exchange = HttpExchange(
            self.network, ca_bundle_path=str(ca) if ca else None, proxy_resolves=proxy_resolves
        )
        runner = HttpRunner(lambda: Allowlists(tuple(allowed)), exchange, SECRETS.__getitem__)
        given_fields = frozenset({"name", "http", "env", *given})
        task = Task(0, name="Notify", http=call, env=env, given=given_fields)
        what = replace(
            task_context(**data),
            deadline=Deadline.after(clock or SystemClock(), seconds),
            still_wanted=still_wanted,
        )
        return runner.run(task, what)


class _Noting:
    """A connection that notes the request that was read from it."""

    def __init__(self, connection: socket.socket, requests: list[bytes]) -> None:
        self._connection = connection
        self._requests = requests
        self._index = len(requests)
        requests.append(b"")

    def recv(self, size: int) -> bytes:
        received = self._connection.recv(size)
        self._requests[self._index] += received
        return received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Listener(answering()) as listener:
        yield Target(listener)


def from_event(name: str, path: str, rendering: str = "") -> Env:
    return Env(name, path, "event", rendering)


TOKEN = Env("TOKEN", "hooks/token", "secretKey")


def test_a_call_is_sent_with_values_of_the_event_and_of_secrets(target: Target) -> None:
    target.answers(answering("202 Accepted", b"queued"))
    call = HttpCall(
        url=f"http://{HOST}/projects/$(KEPTN_PROJECT)?who=$(WHO)",
        method="PUT",
        headers={"Authorization": "Bearer $(TOKEN)", "X-Empty": ""},
        body='{"image": $(IMAGE)}',
    )

    outcome = target.run(
        *(call, TOKEN, from_event("IMAGE", "$.data.image", "json"), from_event("WHO", "$.data.who")),
        image='a"b',
        who="me & you",
    )

    (request,) = target.requests
    head, _, body = request.decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "PUT /projects/p?who=me%20%26%20you HTTP/1.1"
    assert {f"Host: {HOST}", "Authorization: Bearer s3cr3t/t0ken", "Content-Type: application/json"} < {
        *lines
    }
    assert json.loads(body) == {"image": 'a"b'}
    assert (outcome.result, outcome.status) == ("pass", "succeeded")
    assert outcome.message == (
        f"PUT http://{HOST}/projects/p?who=me%20%26%20you was answered with 202 Accepted:\nqueued"
    )


@pytest.mark.parametrize(
    ("call", "method"),
    [(HttpCall(URL), "GET"), (HttpCall(URL, body="x"), "POST"), (HttpCall(URL, "HEAD"), "HEAD")],
)
def test_a_body_makes_a_post_unless_the_method_is_given(target: Target, call: HttpCall, method: str) -> None:
    assert target.run(call).result == "pass"
    assert target.requests[0].startswith(f"{method} /notify HTTP/1.1\r\n".encode())


def test_a_header_of_the_tasks_own_goes_before_the_planes(target: Target) -> None:
    target.run(HttpCall(URL, headers={"content-type": "text/plain", "User-Agent": "mine"}, body="x"))

    lines = target.requests[0].split(b"\r\n")
    assert [line for line in lines if line.lower().startswith((b"content-type", b"user-agent"))] == [
        b"content-type: text/plain",
        b"User-Agent: mine",
    ]


@pytest.mark.parametrize(
    ("status", "statuses", "result"),
    [
        *(("204 No Content", (), "pass"), ("404 Not Found", (), "fail"), ("500 Oh", (), "fail")),
        *(("404 Not Found", ("200", "404"), "pass"), ("201 Created", ("200",), "fail")),
        *(("302 Found", ("3xx",), "pass"), ("503 Busy", ("2xx", "5xx"), "pass")),
    ],
)
def test_the_statuses_that_pass_are_those_listed_or_else_2xx(
    target: Target, status: str, statuses: tuple[str, ...], result: str
) -> None:
    target.answers(answering(status))

    outcome = target.run(HttpCall(URL, statuses=statuses))

    assert outcome.result == result
    assert f"was answered with {status}" in outcome.message
    if result == "fail":
        assert outcome.status == "errored"
        assert f"and what passes is {', '.join(statuses or ('2xx',))}" in outcome.message


def test_the_beginning_of_a_long_answer_is_in_the_message(target: Target) -> None:
    target.answers(answering(body=b"begin" + b"x" * 50_000))

    message = target.run(HttpCall(URL)).message

    assert "200 OK, with 50005 bytes, which begin with:\nbeginx" in message
    assert len(message) < 5000


@pytest.mark.parametrize("status", ["200 " + "y" * 60_000, "500 " + "y" * 60_000])
def test_a_long_reason_is_cut(target: Target, status: str) -> None:
    target.answers(answering(status))
    assert len(target.run(HttpCall(URL)).message) < 1000

    target.answers(answering(status, length=1))
    assert len(target.run(HttpCall(URL)).message) < 1000


def test_an_answer_that_is_no_text_is_not_shown(target: Target) -> None:
    target.answers(answering(body=b"\x89PNG\xff\0"))

    assert target.run(HttpCall(URL)).message.endswith("200 OK, with 6 bytes that are no text.")


@pytest.mark.parametrize(
    "echo", ["s3cr3t/t0ken", "s3cr3t%2Ft0ken", '{"token": "s3cr3t/t0ken"}', "x" * 4090 + "s3cr3t/t0ken"]
)
def test_a_secret_that_the_answer_repeats_is_masked(target: Target, echo: str) -> None:
    target.answers(answering("400 s3cr3t/t0ken", echo.encode(), ["Location: /s3cr3t/t0ken"]))

    message = target.run(HttpCall(f"{URL}?token=$(TOKEN)"), TOKEN).message

    assert "s3cr3t" not in message
    assert f"GET {URL}?token=***" in message


def test_a_url_can_be_a_secret_as_a_whole(target: Target) -> None:
    target.answers(answering("404 Not Found", b"no /services/T0/B1/xyz?key=1 here"))

    outcome = target.run(HttpCall("$(HOOK)", body="{}"), Env("HOOK", "slack/url", "secretKey"))

    assert target.requests[0].startswith(b"POST /services/T0/B1/xyz?key=1 HTTP/1.1\r\n")
    assert outcome.message.startswith("POST *** was answered with 404 Not Found")
    assert outcome.message.endswith("no *** here")


def test_an_event_can_not_lure_a_secret_into_a_call(target: Target) -> None:
    outcome = target.run(
        HttpCall(URL, body="$(TEXT)"), TOKEN, from_event("TEXT", "$.data.text"), text="$(TOKEN)"
    )

    assert "names a variable of the secret hooks" in outcome.message
    assert target.connections == 0


@pytest.mark.parametrize(
    "value", ["/../admin", "?x=1", "#x", "@127.0.0.1/", "a b", "%2e%2e", "é", "\r\nX: y"]
)
def test_a_value_changes_nothing_of_the_url_but_its_own_place(target: Target, value: str) -> None:
    target.run(HttpCall(f"{URL}/$(V)/end"), from_event("V", "$.data.v"), v=value)

    (line, *_) = target.requests[0].split(b"\r\n")
    assert line.startswith(b"GET /notify/")
    assert line.endswith(b"/end HTTP/1.1")
    assert line.count(b"/") == 4


@pytest.mark.parametrize("value", ["a\r\nX-Admin: yes", "a\nb", "a\0b", "snow\u2603"])
def test_a_value_that_no_header_may_have_is_refused(target: Target, value: str) -> None:
    outcome = target.run(HttpCall(URL, headers={"X-A": "$(V)"}), from_event("V", "$.data.v"), v=value)

    assert outcome.status == "errored"
    assert "header X-A has a line break" in outcome.message or "null character" in outcome.message
    assert target.connections == 0


def test_a_variable_that_there_is_not_is_named(target: Target) -> None:
    outcome = target.run(HttpCall(URL, body="$(TOEKN) and $$(this)"))

    assert "$(TOEKN) in body names no variable of the task" in outcome.message
    assert target.connections == 0


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        *(("http://other.example.com/", [HOST]), (f"http://{HOST}.evil.com/", [HOST]), (f"{URL}", [])),
        *((f"http://{HOST}:8080/", [HOST]), (f"http://{HOST}:8080/", [f"{HOST}:8443"])),
        *(("http://example.com/", ["*.example.com"]), ("http://evil-example.com/", ["*.example.com"])),
        *((f"http://{HOST}./", [HOST]), ("http://198.51.100.7/", [HOST])),
    ],
)
def test_a_host_that_is_not_allowed_is_not_even_looked_up(
    target: Target, url: str, allowed: list[str]
) -> None:
    outcome = target.run(HttpCall(url), allowed=allowed)

    assert outcome.status == "errored"
    assert f"(AllowedHosts: {', '.join(allowed) or 'there is none'})" in outcome.message
    assert (target.network.resolved, target.connections) == ([], 0)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        *((URL, [HOST.upper()]), (URL, ["*.example.com"]), ("http://a.b.example.com/", ["*.example.com"])),
        *((f"http://{HOST}:8080/", [f"{HOST}:8080"]), (f"http://{HOST}:443/", [HOST])),
    ],
)
def test_a_host_that_is_allowed_is_called(target: Target, url: str, allowed: list[str]) -> None:
    assert target.run(HttpCall(url), allowed=allowed).result == "pass"


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://{HOST}@169.254.169.254/", f"http://me:pw@{HOST}/", "ftp://x/", f"http://{HOST}\\@evil/"),
        *(f"http://{HOST}:0/", f"http://{HOST}:99999/", f"http://{HOST}/a b", "http://[::1]/", "http:///x"),
        "http://h\u00f6oks.example.com/",
    ],
)
def test_a_url_that_may_be_read_in_two_ways_is_refused(target: Target, url: str) -> None:
    outcome = target.run(HttpCall(url), allowed=[HOST, "169.254.169.254"])

    assert outcome.message.startswith("The HTTP call could not be made ready: http.url ")
    assert target.network.resolved == []


@pytest.mark.parametrize(
    "addresses",
    [
        *(["169.254.169.254"], ["169.254.170.2"], ["127.0.0.1"], ["0.0.0.0"], ["::1"], ["fe80::1%eth0"]),
        *(["fd00:ec2::254"], ["::ffff:169.254.169.254"], ["64:ff9b::a9fe:a9fe"], ["2002:a9fe:a9fe::1"]),
        *(["::ffff:0:a9fe:a9fe"], ["::ffff:0:127.0.0.1"], ["64:ff9b:1::a9fe:a9fe"], ["::a9fe:a9fe"]),
        *(["2600:1f18::5efe:a9fe:a9fe"], ["2600:1f18::200:5efe:a9fe:a9fe"], ["2001:0:1::5601:5601"]),
        *(["255.255.255.255"], ["224.0.0.1"], ["::"], [PUBLIC, "169.254.169.254"]),
    ],
)
def test_a_name_that_leads_to_a_forbidden_address_is_never_called(
    target: Target, addresses: list[str]
) -> None:
    target.network.addresses[HOST] = addresses

    outcome = target.run(HttpCall(URL))

    assert outcome.status == "errored"
    assert f"{HOST} is at {addresses[-1]}, which no task may call: it is " in outcome.message
    assert outcome.message.endswith("Nothing was sent.")
    assert target.network.opened == []


@pytest.mark.parametrize(
    "address", ["10.0.0.5", "192.168.1.1", "2600:1f18::5", "fd12:3456::1", "64:ff9b::c633:6407"]
)
def test_an_allowed_host_may_be_in_the_planes_own_network(target: Target, address: str) -> None:
    target.network.addresses[HOST] = [address]

    assert target.run(HttpCall(URL)).result == "pass"
    assert target.network.opened == [(address, 80)]


def test_a_name_is_resolved_once_so_that_a_second_answer_leads_nowhere(target: Target) -> None:
    answers = iter([[PUBLIC], ["169.254.169.254"]])
    target.network.resolve = lambda *_: next(answers)  # type: ignore[method-assign]

    assert target.run(HttpCall(URL)).result == "pass"
    assert target.network.opened == [(PUBLIC, 80)]


def test_a_redirect_to_a_forbidden_address_is_not_followed(target: Target) -> None:
    target.answers(answering("307 Temporary Redirect", headers=["Location: http://169.254.169.254/latest"]))

    outcome = target.run(HttpCall(URL, body="x"))

    assert outcome.status == "errored"
    assert "307 Temporary Redirect" in outcome.message
    assert "redirects are not followed, and it leads to http://169.254.169.254/latest" in outcome.message
    assert target.connections == 1


def drip(connection: socket.socket) -> None:
    """Answer one byte after the other, for ever."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")


def drip_headers(connection: socket.socket) -> None:
    """Never come to the end of the headers."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while connection.recv(1):
        pass


@pytest.mark.parametrize(
    ("slowness", "clock", "seconds"), [(drip, TickingClock(0.5), 20.0), (drip_headers, SystemClock(), 0.3)]
)
def test_an_answer_that_never_ends_is_given_up_at_the_deadline(
    target: Target, slowness: Conversation, clock: Clock, seconds: float
) -> None:
    target.answers(slowness)

    outcome = target.run(HttpCall(URL), clock=clock, seconds=seconds)

    assert outcome.status == "errored"
    assert f"GET {URL}: the answer had not come by the task's deadline." in outcome.message
    assert outcome.message.endswith("Whether it had an effect is not known.")
    assert target.connections == 1


def test_silence_is_given_up_at_the_deadline(target: Target) -> None:
    over = threading.Event()
    target.answers(lambda _: over.wait())

    outcome = target.run(HttpCall(URL), seconds=0.3)
    over.set()

    assert "the answer had not come by the task's deadline" in outcome.message


def test_a_name_that_nobody_resolves_is_given_up_at_the_deadline(target: Target) -> None:
    over = threading.Event()
    target.network.resolve = lambda *_: over.wait() and []  # type: ignore[method-assign, assignment]

    outcome = target.run(HttpCall(URL), seconds=0.3)
    over.set()

    assert "no connection was made by the task's deadline. Nothing was sent." in outcome.message


def test_a_minute_is_what_a_call_has_unless_the_task_says_otherwise(target: Target) -> None:
    target.answers(drip)
    ticks = TickingClock(0.5)
    target.run(HttpCall(URL), clock=ticks, seconds=900.0)
    assert 60 <= ticks.now() < 70

    longer = TickingClock(0.5)
    target.run(HttpCall(URL), clock=longer, seconds=100.0, given=["maxPollDuration"])
    assert 100 <= longer.now() < 110


def test_a_call_ends_when_its_run_is_no_longer_wanted(target: Target) -> None:
    target.answers(drip)

    with pytest.raises(TaskCancelled):
        target.run(HttpCall(URL), clock=TickingClock(0.5), still_wanted=lambda: False)


def send_100_megabytes(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _ in range(100):
        connection.sendall(bytes(1_048_576))


def send_for_ever_in_a_chunk(connection: socket.socket) -> None:
    """A chunk of a size below 0 is read to the end of the connection by Python's own client."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    while True:
        connection.sendall(bytes(1_048_576))


def send_endless_headers(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: " + b"y" * 60_000 + b"\r\n")


def send_endless_interim_answers(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")


TOO_LARGE = f"is over {LARGEST_ANSWER} bytes"


@pytest.mark.parametrize(
    ("flood", "reason"),
    [
        *((send_100_megabytes, TOO_LARGE), (send_for_ever_in_a_chunk, TOO_LARGE)),
        (send_endless_headers, "got more than 100 headers"),
        (send_endless_interim_answers, "more than 100 interim answers"),
    ],
)
def test_an_answer_over_the_limit_is_not_read_to_its_end(
    target: Target, flood: Conversation, reason: str
) -> None:
    target.answers(flood)

    message = target.run(HttpCall(URL)).message

    assert reason in message
    assert message.endswith("Whether it had an effect is not known.")


@pytest.mark.parametrize("interim", [b"103 Early Hints\r\nLink: </x>", b"102 Processing", b"100 Continue"])
def test_an_interim_answer_is_not_the_hosts_answer(target: Target, interim: bytes) -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 " + interim + b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntaken")

    target.answers(converse)

    outcome = target.run(HttpCall(URL, body="{}"))

    assert (outcome.result, target.connections) == ("pass", 1)
    assert outcome.message.endswith("200 OK:\ntaken")


def compressed(text: bytes, form: int) -> bytes:
    made = zlib.compressobj(wbits=form)
    return made.compress(text) + made.flush()


REASON = "Die Anfrage ist ungültig: 'stage' fehlt, 10 € fällig"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (compressed(REASON.encode(), 31), ["Content-Encoding: gzip"]),
        (compressed(REASON.encode(), 15), ["Content-Encoding: deflate"]),
        (compressed(REASON.encode(), -15), ["Content-Encoding: deflate"]),
        (compressed(REASON.encode("cp1252"), 31), ["Content-Encoding: gzip", "Content-Type: text/plain"]),
        (REASON.encode("cp1252"), ["Content-Type: text/plain; charset=windows-1252"]),
        (REASON.encode("cp1252"), ["Content-Type: text/plain"]),
        (REASON.encode("cp1252"), ["Content-Type: application/json; charset=utf-8"]),
        (REASON.encode("utf-16"), ['Content-Type: text/plain; charset="UTF-16"']),
        (REASON.encode(), ["Content-Type: text/plain; charset=nonsense"]),
        (REASON.encode(), ["Content-Encoding: gzip"]),
    ],
)
def test_a_hosts_reason_is_shown_however_it_is_encoded(
    target: Target, body: bytes, headers: list[str]
) -> None:
    target.answers(answering("422 Unprocessable", body, headers))

    assert target.run(HttpCall(URL)).message.endswith(f":\n{REASON}")


def test_a_secret_in_a_compressed_answer_is_masked(target: Target) -> None:
    target.answers(answering("400 Bad", compressed(b"not s3cr3t/t0ken", 31), ["Content-Encoding: gzip"]))

    message = target.run(HttpCall(f"{URL}?token=$(TOKEN)"), TOKEN).message

    assert message.endswith(":\nnot ***")


def test_an_answer_that_would_be_huge_is_not_decompressed_whole(target: Target) -> None:
    target.answers(
        answering(body=compressed(bytes(b"x" * 500_000_000), 31), headers=["Content-Encoding: gzip"])
    )

    assert len(target.run(HttpCall(URL)).message) < 5000


DATE = formatdate(SimulatedClock().now() + 31, usegmt=True)


@pytest.mark.parametrize(
    ("wishes", "least", "most"),
    [
        ([None], 0.5, 1.0),
        ([None, None, None], 3.5, 7.0),
        (["5"], 5.5, 6.0),
        ([DATE], 31.5, 32.0),
        (["5", "1", "2"], 11.5, 15.0),
        (["nonsense"], 0.5, 1.0),
    ],
)
def test_a_call_that_is_put_off_is_made_again_as_late_as_the_host_wants(
    target: Target, wishes: list[str | None], least: float, most: float
) -> None:
    put_off = [
        answering("429 Slow down", headers=[f"Retry-After: {wish}"] if wish else []) for wish in wishes
    ]
    target.answers(*put_off, answering(body=b"done"))
    clock = SimulatedClock()
    begun = clock.now()

    outcome = target.run(HttpCall(URL, body="{}"), clock=clock, seconds=60)

    assert outcome.message.endswith("200 OK:\ndone")
    assert least <= clock.now() - begun <= most
    assert target.connections == len(wishes) + 1


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("wish", ["100", formatdate(4_000_000_000, usegmt=True)])
def test_a_call_is_not_put_off_beyond_its_deadline(target: Target, wish: str, *, idempotent: bool) -> None:
    target.answers(answering("429 Slow down", headers=[f"Retry-After: {wish}"]))
    clock = SimulatedClock()
    begun = clock.now()

    outcome = target.run(HttpCall(URL, idempotent=idempotent), clock=clock, seconds=60)

    assert "was answered with 429 Slow down" in outcome.message
    assert (clock.now() - begun, target.connections) == (0, 1)


def test_a_host_that_puts_a_call_off_for_ever_is_named_at_the_deadline(target: Target) -> None:
    target.answers(answering("429 Slow down"))
    clock = SimulatedClock()

    outcome = target.run(HttpCall(URL), clock=clock, seconds=60)

    assert "was answered with 429 Slow down" in outcome.message
    assert 5 <= target.connections <= 10


def test_an_unavailable_host_that_names_a_time_is_asked_then_if_the_call_is_idempotent(
    target: Target,
) -> None:
    target.answers(answering("503 Down", headers=["Retry-After: 30"]), answering())
    clock = SimulatedClock()
    begun = clock.now()

    assert target.run(HttpCall(URL, idempotent=True), clock=clock, seconds=60).result == "pass"
    assert clock.now() - begun >= 30
    assert target.connections == 2


def test_a_call_that_is_put_off_ends_when_its_run_is_no_longer_wanted(target: Target) -> None:
    target.answers(answering("429 Slow down", headers=["Retry-After: 50"]))

    with pytest.raises(TaskCancelled):
        target.run(
            HttpCall(URL),
            clock=SimulatedClock(),
            seconds=60.0,
            still_wanted=lambda: target.connections == 0,
        )
    assert target.connections == 1


def test_a_cancelled_call_hangs_up_in_the_middle_of_its_waiting(target: Target) -> None:
    hung_up = threading.Event()

    def be_silent(connection: socket.socket) -> None:
        read_request(connection)
        connection.recv(1)  # returns once the other side is gone
        hung_up.set()

    target.answers(be_silent)

    with pytest.raises(TaskCancelled):
        target.run(HttpCall(URL), clock=TickingClock(4.0), seconds=60.0, still_wanted=lambda: False)
    assert hung_up.wait(5)


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def break_off(connection: socket.socket) -> None:
    answering(body=b"half", length=8)(connection)


def break_off_a_chunk(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf")


def talk_nonsense(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (reset, "the connection broke (Connection reset by peer)"),
        (break_off, "the answer 200 OK broke off (IncompleteRead(4 bytes read, 4 more expected))"),
        (break_off_a_chunk, "the answer 200 OK broke off (IncompleteRead"),
        (talk_nonsense, "the connection broke (SSH-2.0-OpenSSH_9.6"),
        (read_request, "the connection broke (Remote end closed connection without response)"),
    ],
)
def test_a_broken_answer_is_errored_and_the_call_is_not_sent_again(
    target: Target, trouble: Conversation, reason: str
) -> None:
    target.answers(trouble)

    outcome = target.run(HttpCall(URL, body="{}"))

    assert outcome.status == "errored"
    assert reason in outcome.message
    assert outcome.message.endswith("Whether it had an effect is not known.")
    assert target.connections == 1


def test_a_host_that_takes_no_connection_was_sent_nothing(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    target.network = LedNetwork(port)
    target.network.addresses[HOST] = [PUBLIC, "2001:db8::7"]

    message = target.run(HttpCall(URL)).message

    assert f"{HOST} takes no connection on port 80 ({PUBLIC}: Connection refused; 2001:db8::7: " in message
    assert message.endswith("Nothing was sent.")


def test_a_name_that_there_is_not_is_said(target: Target) -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    target.network.resolve = unknown  # type: ignore[method-assign]

    assert f"{HOST} can't be found (Name or service not known)" in target.run(HttpCall(URL)).message


@pytest.mark.parametrize("trouble", [reset, answering("503 Busy"), answering("429 Slow down"), break_off])
def test_an_idempotent_call_is_sent_again_until_it_is_answered(target: Target, trouble: Conversation) -> None:
    target.answers(trouble, trouble, answering(body=b"done"))
    clock = SimulatedClock()

    outcome = target.run(HttpCall(URL, "PUT", idempotent=True), clock=clock)

    assert outcome.message.endswith("200 OK:\ndone")
    assert target.connections == 3


def test_an_idempotent_call_is_given_up_after_three_more_tries(target: Target) -> None:
    target.answers(reset)

    assert target.run(HttpCall(URL, idempotent=True), clock=SimulatedClock()).status == "errored"
    assert target.connections == 4


def test_an_idempotent_call_that_is_refused_is_not_sent_again(target: Target) -> None:
    target.answers(answering("403 Forbidden"))

    assert target.run(HttpCall(URL, idempotent=True)).status == "errored"
    assert target.connections == 1


def test_an_idempotent_call_is_not_sent_again_when_its_run_is_no_longer_wanted(target: Target) -> None:
    target.answers(reset)

    with pytest.raises(TaskCancelled):
        target.run(
            HttpCall(URL, idempotent=True),
            clock=TickingClock(4.0),
            seconds=600.0,
            given=["maxPollDuration"],
            still_wanted=lambda: target.connections == 0,
        )
    assert target.connections == 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CA of our own, and the key and certificate that it gave the host."""
    return certify(tmp_path_factory.mktemp("tls"), x509.DNSName(HOST))


def securely(certificate: Path, converse: Conversation) -> Conversation:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def converse_securely(connection: Any) -> None:
        with context.wrap_socket(connection._connection, server_side=True) as secured:
            converse(secured)

    return converse_securely


def test_a_host_proves_by_its_certificate_that_it_is_the_one_of_that_name(
    target: Target, authority: tuple[Path, Path]
) -> None:
    ca, certificate = authority
    target.answers(securely(certificate, answering(body=b"x" * 200_000)))

    outcome = target.run(HttpCall(f"https://{HOST}/"), ca=ca)

    assert outcome.result == "pass"
    assert "with 200000 bytes" in outcome.message
    assert target.network.opened == [(PUBLIC, 443)]


@pytest.mark.parametrize(("host", "is_trusted"), [(HOST, False), ("other.example.com", True)])
def test_a_certificate_that_is_not_trusted_or_not_the_hosts_is_sent_nothing(
    target: Target, authority: tuple[Path, Path], host: str, is_trusted: bool
) -> None:
    heard: list[bytes] = []
    target.answers(securely(authority[1], lambda connection: heard.append(connection.recv(1))))

    message = target.run(
        HttpCall(f"https://{host}/"), ca=authority[0] if is_trusted else None, allowed=["*.example.com"]
    ).message

    assert "no trusted TLS connection (" in message
    assert "see CaBundlePath" in message
    assert message.endswith("Nothing was sent.")
    assert heard in ([], [b""])


def test_a_proxy_is_asked_for_the_address_that_was_checked(
    target: Target, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, certificate = authority
    asked: list[bytes] = []

    def proxy(connection: Any) -> None:
        asked.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        securely(certificate, answering(body=b"through"))(connection)

    target.answers(proxy)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:p%40ss@proxy.example.com:3128")

    outcome = target.run(HttpCall(f"https://{HOST}/"), ca=ca)

    assert outcome.message.endswith("through")
    assert asked[0].startswith(f"CONNECT {PUBLIC}:443 HTTP/1.".encode())
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked[0]
    assert target.network.resolved == [HOST, "proxy.example.com"]


def test_a_proxy_that_lets_nothing_through_is_said(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    target.answers(answering("403 Forbidden"))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")

    message = target.run(HttpCall(f"https://{HOST}/")).message

    assert "the proxy makes no connection (403 Forbidden); check HttpsProxy. Nothing was sent." in message


def test_a_proxy_that_resolves_names_is_asked_for_the_host_by_name_and_nobody_else_is(
    target: Target, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, certificate = authority
    asked: list[bytes] = []

    def proxy(connection: Any) -> None:
        asked.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Connection established\r\n\r\n")
        securely(certificate, answering(body=b"through"))(connection)

    target.answers(proxy)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")

    outcome = target.run(HttpCall(f"https://{HOST}/"), ca=ca, proxy_resolves=True)

    assert outcome.message.endswith("through")
    assert asked[0].startswith(f"CONNECT {HOST}:443 HTTP/1.".encode())
    assert target.network.resolved == ["proxy.example.com"]


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "https://127.0.0.1/"])
def test_a_forbidden_address_itself_is_not_asked_of_a_proxy_that_resolves_names(
    target: Target, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")

    message = target.run(HttpCall(url), allowed=["169.254.169.254", "127.0.0.1"], proxy_resolves=True).message

    assert "which no task may call" in message
    assert target.connections == 0


@pytest.mark.parametrize("url", [f"http://{HOST}/", f"https://{HOST}/"])
def test_without_a_proxy_on_the_way_an_address_is_checked_whoever_may_resolve_names(
    target: Target, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", HOST)
    target.network.addresses[HOST] = ["169.254.169.254"]

    assert "which no task may call" in target.run(HttpCall(url), proxy_resolves=True).message
    assert target.connections == 0


def test_a_forbidden_address_is_not_asked_of_a_proxy_either(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    target.network.addresses[HOST] = ["169.254.169.254"]

    assert "which no task may call" in target.run(HttpCall(f"https://{HOST}/")).message
    assert target.connections == 0


def test_a_call_is_in_the_log_without_its_secrets(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    target.run(HttpCall("$(HOOK)"), Env("HOOK", "slack/url", "secretKey"))

    (line,) = [vars(record) for record in caplog.records if record.message == "http call"]
    assert (line["method"], line["host"], line["result"]) == ("GET", HOST, "pass")
    assert "xyz" not in str(line)


def test_fields_without_a_meaning_are_named_in_one_log_line(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    target.run(HttpCall(URL), given=["cmd"])

    (line,) = [vars(record) for record in caplog.records if "meaning" in record.message]
    assert (line["fields"], line["kind"]) == ("cmd", "http")
