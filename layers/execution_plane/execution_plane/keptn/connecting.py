"""The connections that requests go over: whom they trust, which answers are one, and what becomes of them.

Below HTTP, whoever reads an error has to mend a setting, so each names the one that it comes from.
"""

import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine, HTTPException, HTTPResponse, parse_headers
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)

_NOT_MADE = (InvalidHeader, InvalidSchema, InvalidURL, MissingSchema)
"""Of requests that never get as far as a connection."""
CONNECTIONS = 32
MOST_INTERIM = 100  # answers before the answer itself
LONGEST_RETRY_AFTER = 60.0  # seconds: a server that wants more is asked again all the same
LONGEST_CAUSE = 300  # characters
ENVIRONMENTS_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
"""The variables by which requests is told of certificates."""


@dataclass(frozen=True)
class SettingNames:
    """The names by which a user knows what was set, for errors to say which of it to mend."""

    url: str = "KeptnApiUrl"
    login: str = "KeptnApiTokenSecretArn"
    ca_bundle: str = "CaBundlePath"
    proxy: str = "HttpsProxy"
    network: str = "VpcSubnetIds, VpcSecurityGroupIds"
    """Of the way to the server; empty where nothing is set for it."""


PARAMETERS = SettingNames()
"""The template's."""


@dataclass(frozen=True)
class ConnectionFailure:
    """Why there is no answer, what to mend, and whether the request may have arrived all the same."""

    what: str
    advice: str
    may_have_arrived: bool = False


def new_session(ca_bundle_path: str | None) -> requests.Session:
    """A session that goes by the proxy in the environment and trusts the file's certificates besides.

    It logs in with what a request says: a .netrc of the user's does not get the better of that.
    """
    session = requests.Session()
    session.auth = _as_it_is
    adapter = _Adapter(ca_bundle_path)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def connection_failure(problem: Exception, url: str, names: SettingNames) -> ConnectionFailure:
    """What an error of requests' or urllib3's comes from, in a request to `url`.

    Only a connection that was never made is certain to have done nothing. That is not what requests' SSLError
    and ProxyError say: a connection that breaks once the request is sent gives them too.
    """
    if isinstance(problem, _BundleUnreadable):
        return ConnectionFailure(str(problem), "let the variable name another file, or unset it")
    if isinstance(problem, InvalidProxyURL):
        return ConnectionFailure("the proxy's URL can't be used", f"check {names.proxy}")
    reason, is_proxys = _reason(problem)
    if isinstance(reason, LocationValueError) or isinstance(problem, _NOT_MADE):
        # Without its text, which may have the user and password of a proxy.
        kind = type(reason).__name__
        return ConnectionFailure(
            f"the request can't be made ({kind})", f"check {names.url} and {names.proxy}"
        )
    if isinstance(reason, _NoTunnel):
        return ConnectionFailure(f"the proxy makes no connection ({reason.why})", f"check {names.proxy}")
    if is_proxys and isinstance(reason, ConnectTimeoutError | _NotSecured):
        return ConnectionFailure(f"no connection to the proxy ({_cause(reason)})", f"check {names.proxy}")
    if isinstance(reason, _NotSecured):
        return _tls_failure(reason.why, names)
    if isinstance(reason, ConnectTimeoutError):  # a NewConnectionError is one
        network = ", ".join(filter(None, (names.network, names.proxy)))
        return ConnectionFailure(
            f"no connection ({_cause(reason)})", f"check {names.url} and the route to it ({network})"
        )
    is_no_http = isinstance(reason, ProtocolError) and any(isinstance(x, BadStatusLine) for x in reason.args)
    hint = is_no_http and url.startswith("http:")
    advice = f"if the server speaks TLS there, {names.url} begins with https://" if hint else ""
    return ConnectionFailure(f"no answer ({_cause(reason)})", advice, may_have_arrived=True)


def retry_after(value: str | None, now: float) -> float:
    """Seconds for which a header Retry-After (RFC 9110, section 10.2.3) wants no other request.

    It has seconds, or a date; 0 if there is none, or none that can be read. `now` is in epoch seconds.
    """
    text = (value or "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _tls_failure(why: Exception, names: SettingNames) -> ConnectionFailure:
    if isinstance(why, ssl.SSLCertVerificationError):
        return ConnectionFailure(
            f"no trusted TLS connection ({why.verify_message})", f"see {names.ca_bundle}"
        )
    if isinstance(why, ssl.SSLError) and "ALERT" in (why.reason or ""):
        return ConnectionFailure(f"no TLS connection ({_words(why)})", f"check {names.url}")
    advice = f"does the server speak TLS there? If it does not, {names.url} begins with http://"
    return ConnectionFailure(f"no TLS connection ({_words(why)})", advice)


def _words(why: Exception) -> str:
    reason = why.reason if isinstance(why, ssl.SSLError) else None
    return reason.lower().replace("_", " ") if reason else str(why).rpartition(": ")[2][:LONGEST_CAUSE]


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Requests would else look for the host in a .netrc, and replace the header that is there."""
    return request


class _BundleUnreadable(requests.RequestException):
    """The environment names certificates that can't be read, so no request was sent."""


class _NotSecured(SSLError):
    """TLS was not agreed on, so no request was sent."""

    def __init__(self, why: Exception) -> None:
        super().__init__(why)
        wrapped = why.args[0] if isinstance(why, SSLError) and why.args else None
        self.why = wrapped if isinstance(wrapped, OSError) else why


class _NoTunnel(NewConnectionError):
    """The proxy did not connect to the server, so no request was sent."""

    def __init__(self, connection: HTTPSConnection, why: str) -> None:
        super().__init__(connection, why)
        self.why = why.rpartition(": ")[2]


class _Response(HTTPResponse):
    """Tells the answer from interim ones, of which Python's own knows but 100 (RFC 9110, section 15.2).

    What such an answer left unread would be taken for the next request's, so no connection is kept then.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            if status == requests.codes.switching_protocols:
                raise HTTPException("101, though nothing else was asked for than HTTP")
            parse_headers(self.fp)
        raise HTTPException(f"more than {MOST_INTERIM} interim answers")

    def begin(self) -> None:
        super().begin()
        if self.length == 0 and (self.chunked or self.headers.get("Content-Length", "0").strip() != "0"):
            self.will_close = True  # a body where there may be none


class Connection(HTTPConnection):
    """A connection without TLS."""

    response_class = _Response


class SecureConnection(HTTPSConnection):
    """Tells a connection that was never made from one that broke later.

    urllib3 gives the same errors for a handshake and for what follows it.
    """

    response_class = _Response

    def connect(self) -> None:
        """Connect, and agree on TLS. Raises what is ours of the two."""
        try:
            super().connect()
        except (OSError, SSLError) as problem:
            raise _NotSecured(problem) from problem

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except OSError as problem:
            raise _NoTunnel(self, str(problem)) from problem


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = SecureConnection


class _Adapter(HTTPAdapter):
    """Trusts what requests trusts and, besides, the certificates of one more file."""

    def __init__(self, ca_bundle_path: str | None) -> None:
        self._ca_bundle_path = ca_bundle_path
        self._usable: set[str] = set()
        super().__init__(pool_connections=2, pool_maxsize=CONNECTIONS, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **self._trust(kwargs))
        _use_own_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **self._trust(kwargs))
        _use_own_connections(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        is_asked = url.lower().startswith("https:") and isinstance(verify, str)
        if is_asked and verify not in self._usable and not Path(verify).is_dir():
            if trouble := problem_with_certificates(verify):
                raise _BundleUnreadable(f"{ENVIRONMENTS_BUNDLE} is {verify}: {trouble}")
            self._usable.add(verify)
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def _trust(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._ca_bundle_path:
            kwargs["ssl_context"] = ssl.create_default_context()
            kwargs["ssl_context"].load_verify_locations(self._ca_bundle_path)
        return kwargs


def problem_with_certificates(path: str) -> str:
    """Why a file can't be used for its certificates; empty if it can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "the file holds no certificates in PEM form"
    except OSError as problem:
        return f"the file can't be read ({problem.strerror})"
    return ""


def _use_own_connections(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _reason(problem: Exception) -> tuple[Exception, bool]:
    """What requests, urllib3's retries and its proxies have wrapped, and whether the proxy is to blame."""
    if isinstance(problem, _NotSecured):
        return problem, False
    inner = problem.args[0] if problem.args and isinstance(problem.args[0], Exception) else problem
    if isinstance(inner, MaxRetryError) and inner.reason:
        inner = inner.reason
    return (inner.original_error, True) if isinstance(inner, ProxyError) else (inner, False)


def _cause(reason: Exception) -> str:
    """The reason without the URL and object addresses that urllib3's texts carry."""
    if isinstance(reason, _NotSecured):
        return _words(reason.why)
    return f"{type(reason).__name__}: {str(reason).rpartition(': ')[2][:LONGEST_CAUSE]}"
