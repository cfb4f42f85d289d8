"""A token endpoint that checks the grant, and a Keptn behind a proxy that wants its tokens."""

import base64
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from flask import Flask, Response, jsonify, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

from local.keptn.control_plane import Keptn
from local.keptn.gateway import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass
class Login:
    """What the token endpoint knows, may be told to do, and has seen."""

    client_id: str = "a client"
    client_secret: str = "s3cret+/="
    lifetime: int | None = 3600
    takes_basic: bool = True
    is_discoverable: bool = True
    refuses_with: str = ""
    status: int = 200
    """Of what it grants."""
    suffix: str = ""
    """Of each token."""
    grants_with: dict[str, Any] = field(default_factory=dict)
    """What is otherwise in what it grants."""
    valid: set[str] = field(default_factory=set)
    grants: list[dict[str, str]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    seen_by_keptn: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def app(self) -> Flask:
        """The token endpoint and its discovery document."""
        app = Flask("token-endpoint")
        app.post("/token")(self.token)
        app.get("/.well-known/openid-configuration")(self.configuration)
        return app

    def token(self) -> tuple[Response, int]:
        """Grant a token, or say what is wrong as RFC 6749, section 5.2 has it."""
        self.grants.append(dict(request.form))
        self.hosts.append(request.host)
        self.authorizations.append(request.headers.get("Authorization", ""))
        if request.mimetype != "application/x-www-form-urlencoded":
            return jsonify(error="invalid_request"), 400
        if request.form.get("grant_type") != "client_credentials":
            return jsonify(error="unsupported_grant_type"), 400
        if self._credentials() != (self.client_id, self.client_secret):
            return jsonify(error="invalid_client", error_description="unknown or expired client secret"), 401
        if self.refuses_with:
            return jsonify(error=self.refuses_with), 400
        token = f"token-{len(self.grants)}{self.suffix}"
        self.valid.add(token)
        granted: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "scope": "other"}
        if self.lifetime is not None:
            granted["expires_in"] = self.lifetime
        return jsonify(granted | self.grants_with), self.status

    def configuration(self) -> Response:
        """The discovery document."""
        return jsonify(token_endpoint=f"{self.url}/token" if self.is_discoverable else None)

    def _credentials(self) -> tuple[str, str]:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if self.takes_basic and scheme == "Basic":
            client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
            return unquote_plus(client_id), unquote_plus(secret)
        return request.form.get("client_id", ""), request.form.get("client_secret", "")

    def guard(self, keptn: "WSGIApplication") -> "WSGIApplication":
        """A proxy that lets only its own tokens through to Keptn."""

        def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            headers = {name: str(environ.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_TOKEN")}
            self.seen_by_keptn.append(headers)
            if headers["HTTP_AUTHORIZATION"].removeprefix("Bearer ") not in self.valid:
                start_response("401 Unauthorized", [("Content-Type", "text/plain")])
                return [b"no valid token"]
            environ["HTTP_X_TOKEN"] = "keptn-token"
            environ["PATH_INFO"] = f"{environ['SCRIPT_NAME']}{environ['PATH_INFO']}"
            environ["SCRIPT_NAME"] = ""
            return keptn(environ, start_response)

        return guarded


@contextmanager
def serving(
    login: Login, keptn: Keptn | None = None, certificate: ssl.SSLContext | None = None
) -> Iterator[Login]:
    """Serve the token endpoint and, below /api, Keptn; `login.url` is where."""
    app: Any = login.app()
    if keptn:
        app = DispatcherMiddleware(app, {"/api": login.guard(create_app(keptn))})
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet, ssl_context=certificate)
    login.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield login
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass
