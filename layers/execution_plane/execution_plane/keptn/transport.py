"""HTTP to Keptn's gateway: one pooled session, a limit on everything, and a name for each way to fail."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.circuit_breaker import CircuitBreaker
from execution_plane.keptn.connecting import (
    PARAMETERS,
    SettingNames,
    connection_failure,
    new_session,
    retry_after,
)
from execution_plane.keptn.long_list import LongList

CONNECT_SECONDS = 4.0
READ_SECONDS = 20.0  # between two bytes of an answer
ANSWER_SECONDS = 60.0  # for a whole answer
LARGEST_ANSWER = 64 * 1024 * 1024
LEAST_SECONDS = 1.0  # below which a second try is not begun
# After this a pooled connection may be dead: gateways close theirs, and a frozen Lambda sees no FIN.
IDLE_SECONDS = 20.0
MESSAGE_LENGTH = 300
UNFIT = "the token has a line break, or another character that no header can have"
SENT_IN_PLAIN = re.compile(rb"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server")
"""What nginx, and what servers in Go, say to a request without TLS where they speak it."""
REFUSES_A_LOGIN = (400, 401, 403)  # of the server that gives access tokens (RFC 6749, section 5.2)
NO_ROUTE = re.compile(r"path \S+ was not found")  # go-openapi's words


class KeptnError(Exception):
    """A request to Keptn failed. The text has the method, path, status and Keptn's message, never a token."""

    had_no_effect: ClassVar[bool] = False
    """Whether it is certain that Keptn did nothing, so that a POST may be sent again."""

    def __init__(
        self, method: str, path: str, message: str, status: int | None = None, advice: str = ""
    ) -> None:
        """`advice` names the setting to mend; `message` stays as it was said."""
        said = f"{f'{status} ' if status else ''}{message}"
        super().__init__(f"{method} {path}: {'; '.join(filter(None, (said, advice)))}")
        self.method, self.path, self.message, self.status = method, path, message, status


class KeptnUnreachable(KeptnError):
    """No connection was made."""

    had_no_effect = True


class KeptnSilent(KeptnError):
    """The request went out, and no whole answer came back in time."""


class KeptnBroken(KeptnError):
    """Keptn or a proxy before it answered 5xx."""


class KeptnIncomprehensible(KeptnError):
    """A 2xx answer that is no JSON, or is too large: most likely not from Keptn."""


class KeptnRefused(KeptnError):
    """Keptn or its gateway turned the request down before doing anything."""

    had_no_effect = True


class KeptnUnauthorized(KeptnRefused):
    """401 or 403: the credentials are not accepted here."""


class KeptnNotFound(KeptnRefused):
    """404 with Keptn's own JSON: the project, stage, service, resource or integration does not exist."""


class KeptnLacksEndpoint(KeptnRefused):
    """404 or 405 from a router: this Keptn has no such endpoint, or the base URL is wrong.

    Source: for a service that the gateway does not know, go-openapi's router answers, with JSON like
    Keptn's own.
    """


class KeptnContentRefused(KeptnRefused):
    """400, 413, 415 or 422: Keptn objects to what was sent; the same again is refused again."""


class KeptnBusy(KeptnRefused):
    """429: too many requests, or Keptn's auth service does not answer (docs/keptn-api.md, 1.3: the gateway
    says the same).
    """


class KeptnPaused(KeptnBusy):
    """Not sent: Keptn refused the login or wanted a pause, in the words that the text has."""


class KeptnNotAsked(KeptnRefused):
    """What the login gave can't stand in a header, so nothing was sent."""


class KeptnRedirected(KeptnRefused):
    """3xx: never followed, since the token would go to another place."""


class Credentials(Protocol):
    """What makes a request ours."""

    def headers(self) -> Mapping[str, str]:
        """The headers that authenticate a request."""
        ...

    def renew(self) -> None:
        """Forget what is cached: it was refused."""
        ...


@dataclass(frozen=True)
class Answer:
    """A 2xx answer: its JSON, and the server's own time (`Date`), where it gave one."""

    body: Any
    date: str


class Transport:
    """Sends requests to one base URL. Safe for threads."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        clock: Clock,
        *,
        session: requests.Session | None = None,
        ca_bundle_path: str | None = None,
        names: SettingNames = PARAMETERS,
    ) -> None:
        """`names` is what errors call the settings by."""
        self._names = names
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._session = session or new_session(ca_bundle_path)
        self._breaker = CircuitBreaker(clock)
        self._renewing = threading.Lock()
        self._used_at = clock.monotonic()
        self._lock = threading.Lock()

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float = READ_SECONDS
    ) -> Answer:
        """GET a JSON document, waiting at most `seconds` for the answer. Raises KeptnError."""
        return self._request("GET", path, params=params, seconds=seconds)

    def get_list(self, path: str, params: Mapping[str, str], name: str, keep: Callable[[Any], Any]) -> Answer:
        """GET a JSON document for a list in it, which may be long: of each element, as it arrives, no more is
        kept than what `keep` makes of it. The answer's body is None if there is no such list. Raises
        KeptnError.
        """
        return self._request("GET", path, params=params, reader=lambda: LongList(name, keep))

    def post(self, path: str, body: object, *, seconds: float = READ_SECONDS) -> Answer:
        """POST a JSON document, waiting at most `seconds` for the answer. Raises KeptnError."""
        return self._request("POST", path, body=body, seconds=seconds)

    def put(self, path: str, body: object = None, *, seconds: float = READ_SECONDS) -> Answer:
        """PUT a JSON document, waiting at most `seconds` for the answer. Raises KeptnError."""
        return self._request("PUT", path, body=body, seconds=seconds)

    def delete(self, path: str, *, seconds: float = READ_SECONDS) -> Answer:
        """DELETE a resource, waiting at most `seconds` for the answer. Raises KeptnError."""
        return self._request("DELETE", path, seconds=seconds)

    def redacted(self, text: str) -> str:
        """The text without the credentials that are in use."""
        for header in self._credentials.headers().values():
            text = text.replace(header.rpartition(" ")[2], "***")
        return text

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        seconds: float = READ_SECONDS,
        reader: Callable[[], LongList] | None = None,
    ) -> Answer:
        """Send once, and once more where the login was refused and is another by now: it may be rotated.

        Both together wait no longer than the first alone may. While Keptn wants no requests, none is sent.
        """
        if obstacle := self._breaker.obstacle():
            raise KeptnPaused(method, path, f"not sent, after {obstacle}")
        if asks_again := bool(self._breaker.refusal):
            self._credentials.renew()
        until, login = Deadline.after(self._clock, seconds), self._login(method, path)
        try:
            return self._once(method, path, params, body, login, seconds, reader)
        except KeptnUnauthorized as refused:
            if refused.status != requests.codes.unauthorized:
                raise
            if asks_again:
                self._breaker.refuse_login(str(refused))
                raise
            other = self._other_login(login, refused)
            if until.remaining() < LEAST_SECONDS:
                raise
        try:
            return self._once(method, path, params, body, other, until.remaining(), reader)
        except KeptnUnauthorized as refused:
            self._breaker.refuse_login(str(refused))
            raise

    def _other_login(self, login: Mapping[str, str], refused: KeptnUnauthorized) -> Mapping[str, str]:
        """What there is in place of a refused login, asked for once by all whose login it was.

        Raises `refused` if there is no other.
        """
        with self._renewing:
            if self._breaker.refusal:
                raise refused
            if self._login(refused.method, refused.path) == login:
                self._credentials.renew()
            other = self._login(refused.method, refused.path)
            if other == login:
                self._breaker.refuse_login(str(refused))
                raise refused
            return other

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: object,
        login: Mapping[str, str],
        seconds: float,
        reader: Callable[[], LongList] | None,
    ) -> Answer:
        headers = {"Accept": "application/json", **login}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._drop_idle_connections()
        try:
            response = self._session.request(
                method,
                self._base_url + path,
                params=params,
                data=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                stream=True,
            )
            with response:
                listed = reader() if reader and 200 <= response.status_code < 300 else None
                content = self._read(response, method, path, seconds, listed)
        except (requests.RequestException, HTTPError) as problem:
            failure = connection_failure(problem, self._base_url, self._names)
            kind = KeptnSilent if failure.may_have_arrived else KeptnUnreachable
            raise kind(method, path, failure.what, advice=failure.advice) from None
        if not 200 <= response.status_code < 300:
            raise self._heeded(self._problem(method, path, response, content), response)
        self._breaker.close()
        parse = listed.close if listed else lambda: _parsed(content)
        return Answer(self._parse(method, path, response, parse), response.headers.get("Date", ""))

    def _heeded(self, problem: KeptnError, response: requests.Response) -> KeptnError:
        """An answer's problem, once it is noted what the answer says of further requests."""
        pause = retry_after(response.headers.get("Retry-After"), self._clock.now())
        if isinstance(problem, KeptnBusy | KeptnBroken):
            if refusal := self._breaker.refusal:
                # The gateway turns so many away only because of our login: that is what is to be mended.
                said = f"{problem.status} {problem.message}, after {refusal}"
                return KeptnPaused(problem.method, problem.path, said) if problem.had_no_effect else problem
            if pause:
                self._breaker.wait(str(problem), pause)
        elif problem.status != requests.codes.unauthorized:
            self._breaker.close()
        return problem

    def _login(self, method: str, path: str) -> Mapping[str, str]:
        """The headers of the credentials. Raises KeptnNotAsked, and what the credentials raise."""
        try:
            headers = self._credentials.headers()
        except KeptnRefused as refused:  # by the server that gives access tokens
            if refused.status in REFUSES_A_LOGIN:
                self._breaker.refuse_login(str(refused))
            raise
        if not all(map(fits_a_header, headers.values())):
            raise KeptnNotAsked(method, path, f"not sent: {UNFIT}", advice=f"check {self._names.login}")
        return headers

    def _read(
        self, response: requests.Response, method: str, path: str, seconds: float, listed: LongList | None
    ) -> bytearray:
        """An answer's content, as far as it does not go into a list."""
        content, size = bytearray(), 0
        give_up = self._clock.monotonic() + min(ANSWER_SECONDS, 3 * seconds)
        # read1 gives what there is; requests' own iteration waits for whole chunks, however slowly they come.
        while chunk := response.raw.read1(65_536, decode_content=True):
            size += len(chunk)
            if listed:
                listed.feed(chunk)
            else:
                content += chunk
            if size > LARGEST_ANSWER:
                raise KeptnIncomprehensible(
                    method, path, f"the answer is over {LARGEST_ANSWER} bytes", response.status_code
                )
            if self._clock.monotonic() > give_up:
                raise KeptnSilent(method, path, "the answer did not end in time", response.status_code)
        return content

    def _problem(self, method: str, path: str, response: requests.Response, content: bytearray) -> KeptnError:
        """What an answer that is none of 2xx means."""
        status = response.status_code
        keptns_own, message = _message(content, response.reason or responses.get(status, ""))
        if status >= requests.codes.server_error:
            return KeptnBroken(method, path, message, status)
        if status < requests.codes.bad_request:
            target = response.headers.get("Location", "nowhere").partition("?")[0]
            advice = f"set {self._names.url} to the place itself" if self._is_api() else self._place_advice()
            return KeptnRedirected(method, path, f"redirected to {target}", status, advice)
        kinds: dict[int, type[KeptnRefused]] = {
            400: KeptnContentRefused,
            401: KeptnUnauthorized,
            403: KeptnUnauthorized,
            404: KeptnNotFound if keptns_own else KeptnLacksEndpoint,
            405: KeptnLacksEndpoint,
            413: KeptnContentRefused,
            415: KeptnContentRefused,
            422: KeptnContentRefused,
            429: KeptnBusy,
        }
        kind = kinds.get(status, KeptnRefused)
        return kind(method, path, message, status, self._advice(kind, status, content))

    def _advice(self, kind: type[KeptnRefused], status: int, content: bytearray) -> str:
        if SENT_IN_PLAIN.search(content):
            return f"{self._names.url} begins with https://"
        if status == requests.codes.proxy_authentication_required:
            return f"check {self._names.proxy}"
        if status == requests.codes.forbidden:
            return f"check {self._names.login}, and what a proxy before Keptn allows"
        if kind is KeptnUnauthorized:
            return f"check {self._names.login}"
        return self._place_advice() if kind is KeptnLacksEndpoint else ""

    def _place_advice(self) -> str:
        """For an answer that is not Keptn's API's."""
        if self._is_api():
            return f"is {self._names.url} Keptn's API, as it is reached from here?"
        return f"{self._names.url} should end in /api, as in https://keptn.example.com/api"

    def _is_api(self) -> bool:
        return urlsplit(self._base_url).path.endswith("/api")

    def _parse(self, method: str, path: str, response: requests.Response, parse: Callable[[], Any]) -> Any:
        try:
            return parse()
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "of no type")
            said = f"the answer ({kind}) is not JSON"
            raise KeptnIncomprehensible(
                method, path, said, response.status_code, self._place_advice()
            ) from None

    def _drop_idle_connections(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if now - self._used_at > IDLE_SECONDS:
                self._session.close()
            self._used_at = now


def fits_a_header(value: str) -> bool:
    """Whether a token can be sent; what can't stands in no error either."""
    return value.isascii() and value.isprintable()


def _parsed(content: bytearray) -> Any:
    if not content:
        return None
    text = content.decode()
    content.clear()  # it may be megabytes, and is not needed while as many are parsed
    return json.loads(text)


def _message(content: bytearray, reason: str) -> tuple[bool, str]:
    """Whether the body is one of Keptn's JSON errors, and its message; of HTML only the status line's
    words.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        text = content[:MESSAGE_LENGTH].decode("utf-8", "replace").strip()
        return False, reason if not text or text.startswith("<") else text.splitlines()[0]
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str):
        return False, reason
    # A router's answer has Keptn's form where go-openapi gives it, and no code where another gateway does.
    return "code" in body and not NO_ROUTE.fullmatch(message), message[:MESSAGE_LENGTH]
