"""The gateway: one WSGI application that serves what Keptn's nginx makes public."""

import re
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, g, request
from markupsafe import escape
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from local.keptn.answers import Panic, gin_not_found, openapi, openapi_error, refusal
from local.keptn.authorization import Authorization
from local.keptn.bridge import Bridge
from local.keptn.control_plane import Keptn
from local.keptn.front import SLEEP, Front
from local.keptn.release import nginx_page
from local.keptn.routes.api import ApiRoutes
from local.keptn.routes.datastore import DatastoreRoutes
from local.keptn.routes.projects import ProjectRoutes
from local.keptn.routes.resources import ResourceRoutes
from local.keptn.routes.shipyard import ShipyardRoutes
from local.keptn.routes.uniform import UniformRoutes

_DENIED_RESOURCES = re.compile(
    r"/v1/project(/[^/]+(/stage(/[^/]+(/service(/[^/]+)?)?)?)?)?|/v1/project/[^/]+/service/[^/]+/resource.*"
)

_rules: dict[tuple[str, tuple[str, ...]], Map] = {}
"""By prefix and resource services: to compile them takes as long as all else of a short test."""


_PATIENCE = 60.0
"""Seconds that nginx waits for a service."""


class Gateway(Flask):
    """A Flask application that handles one request at a time: all state is behind Keptn's one lock.

    With `rules` of an earlier one it has those, and only its views are new.
    """

    def __init__(self, keptn: Keptn, sleep: Callable[[float], object], rules: Map | None = None) -> None:
        super().__init__("local.keptn", template_folder="templates", static_folder=None)
        self._keptn = keptn
        self._sleep = sleep
        self._has_rules = rules is not None
        self.url_map = self.url_map if rules is None else rules
        self.url_map.strict_slashes = True
        self.url_map.merge_slashes = False
        self.config["PROPAGATE_EXCEPTIONS"] = True

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        *arguments: Any,
        **options: Any,
    ) -> None:
        """Add a rule with its view."""
        if self._has_rules and endpoint and view_func:
            self.view_functions[endpoint] = view_func
        else:
            super().add_url_rule(rule, endpoint, view_func, *arguments, **options)

    def full_dispatch_request(self) -> Response:
        """Dispatch under the lock; the answer comes at `g.answered_at`, if that is set."""
        with self._keptn.lock:
            response = super().full_dispatch_request()
            wait = g.get("answered_at", 0.0) - self._keptn.clock.now()
        if wait > 0:
            request.environ.get(SLEEP, self._sleep)(min(wait, _PATIENCE))
        return response if wait <= _PATIENCE else refusal(nginx_page(504, "Gateway Time-out"))


def create_app(keptn: Keptn, prefix: str = "/api", sleep: Callable[[float], object] | None = None) -> Flask:
    """The gateway in front of a control plane; `sleep` waits where a fault rule wants a delay.

    Raises ConnectionDropped from its WSGI call where a fault rule wants no answer.
    """
    sleep = sleep or keptn.clock.sleep
    made_for = (prefix, keptn.release.resource_paths)
    app = Gateway(keptn, sleep, _rules.get(made_for))
    app.register_blueprint(ApiRoutes(keptn).blueprint(), url_prefix=f"{prefix}/v1")
    for routes in (ShipyardRoutes(keptn), ProjectRoutes(keptn), UniformRoutes(keptn)):
        app.register_blueprint(routes.blueprint(), url_prefix=f"{prefix}/controlPlane/v1")
    app.register_blueprint(DatastoreRoutes(keptn).blueprint(), url_prefix=f"{prefix}/mongodb-datastore")
    for service in keptn.release.resource_paths:
        app.register_blueprint(ResourceRoutes(keptn).blueprint(service), url_prefix=f"{prefix}/{service}/v1")
    app.register_blueprint(Bridge(keptn).blueprint(), url_prefix="/bridge")
    authorization = Authorization(keptn, prefix)

    built_with_gin = {"controlPlane", "secrets", *keptn.release.resource_paths}

    @app.before_request
    def guard() -> Response | None:
        return _denied(prefix) or authorization.check(request) or _no_head(prefix, built_with_gin)

    @app.errorhandler(HTTPException)
    def no_route(error: HTTPException) -> Response:
        return _no_route(error, prefix, built_with_gin)

    @app.errorhandler(Panic)
    def panicked(_: Panic) -> Response:
        return Response("", 500)

    @app.get("/nginx-health", endpoint="health")
    def health() -> Response:
        return Response("OK", content_type="text/plain")

    _rules[made_for] = app.url_map
    app.wsgi_app = Front(app.wsgi_app, keptn, sleep)  # type: ignore[method-assign]
    return app


def _denied(prefix: str) -> Response | None:
    """What nginx does not let through, whoever asks."""
    path = request.path.removeprefix(prefix)
    read_only = request.method in ("GET", "HEAD", "OPTIONS")
    service, _, rest = path.lstrip("/").partition("/")
    if (
        (path.startswith("/controlPlane/v1/log") and request.method == "DELETE")
        or (path == "/mongodb-datastore/event" and not read_only)
        or path == "/mongodb-datastore/health"
        or (service == "resource-service" and _DENIED_RESOURCES.fullmatch(f"/{rest}"))
    ):
        return refusal(nginx_page(403, "Forbidden"))
    return None


def _no_head(prefix: str, built_with_gin: set[str]) -> Response | None:
    """Gin serves HEAD only where there is a route for it, as nowhere here."""
    is_gins = request.path.removeprefix(f"{prefix}/").partition("/")[0] in built_with_gin
    return gin_not_found() if is_gins and request.method == "HEAD" else None


def _without_slash(path: str) -> Response | None:
    """Gin's redirect to the same path without its last slash, if there is a route for that.

    nginx does not translate it: the location lacks the gateway's part.
    """
    if not path.endswith("/"):
        return None
    routes = current_app.create_url_adapter(request)
    if routes is None or not routes.test(request.path[:-1], request.method):
        return None
    query = request.query_string.decode()
    location = f"/{path[:-1]}?{query}" if query else f"/{path[:-1]}"
    if request.method != "GET":
        return Response("", 307, {"Location": location})
    page = f'<a href="{escape(location)}">Moved Permanently</a>.\n\n'
    return Response(page, 301, {"Location": location}, content_type="text/html; charset=utf-8")


def _no_route(error: HTTPException, prefix: str, built_with_gin: set[str]) -> Response:
    path = request.path.removeprefix(prefix)
    service, _, rest = path.lstrip("/").partition("/")
    if not request.path.startswith(f"{prefix}/"):
        return refusal(nginx_page(404, "Not Found"))
    if service in built_with_gin:
        return (_without_slash(rest) if service == "controlPlane" else None) or gin_not_found()
    below = f"/{rest}" if service == "mongodb-datastore" else path
    if isinstance(error, MethodNotAllowed):
        allowed = [each for each in error.valid_methods or () if each not in ("HEAD", "OPTIONS")]
        message = f"method {request.method} is not allowed, but [{','.join(allowed)}] are"
        return openapi({"code": 405, "message": message}, 405, {"Allow": ",".join(allowed)})
    if isinstance(error, NotFound):
        return openapi_error(404, f"path {below} was not found")
    return openapi_error(error.code or 500, error.description or "")
