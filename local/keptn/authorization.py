"""Who may pass the gateway: nginx's auth subrequest, the API's own check, and its rate limiter."""

from flask import Request, Response

from local.keptn.answers import openapi_error, refusal
from local.keptn.control_plane import Keptn

_AUTH_REQUESTED = ("controlPlane", "mongodb-datastore", "secrets", "statistics")
_JSON_TYPES = ("application/json", "application/cloudevents+json")

RATE = 1.0
"""Requests per second and client."""
BURST = 2.0


class RateLimiter:
    """A token bucket per client address."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def allow(self, address: str, now: float) -> bool:
        """Take a token, if there is one."""
        tokens, at = self._buckets.get(address, (BURST, now))
        tokens = min(BURST, tokens + (now - at) * RATE)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - 1 if allowed else tokens, now)
        return allowed

    def reset(self, address: str) -> None:
        """Fill the bucket again."""
        self._buckets.pop(address, None)


class Authorization:
    """Decides on each request by where it goes; `None` lets it pass."""

    def __init__(self, keptn: Keptn, prefix: str) -> None:
        self._keptn = keptn
        self._prefix = prefix
        self._limiter = RateLimiter()
        self._auth_requested = {*_AUTH_REQUESTED, *keptn.release.resource_paths}

    def check(self, request: Request) -> Response | None:
        """The gateway's answer to a request that may not pass."""
        path = request.path
        if not path.startswith(f"{self._prefix}/"):
            return None
        service, _, rest = path.removeprefix(f"{self._prefix}/").partition("/")
        if service in self._auth_requested:
            return None if rest.endswith("swagger-ui/swagger.yaml") else self._auth_request(request)
        if request.routing_exception is not None:
            return None  # The API decides on paths and methods before it looks at the token.
        if rest == "auth":
            return self._direct_auth(request)
        return self._api_check(request)

    def _auth_request(self, request: Request) -> Response | None:
        release = self._keptn.release
        if self._subrequest_fails(request) or not self._limiter.allow(self._address(request), self._now()):
            return refusal(release.auth_failed)
        if request.headers.get("x-token") != self._keptn.token:
            return refusal(release.unauthenticated)
        self._limiter.reset(self._address(request))
        return None

    def _direct_auth(self, request: Request) -> Response | None:
        if not self._limiter.allow(self._address(request), self._now()):
            return Response("Too Many Requests", 429, content_type="text/plain; charset=utf-8")
        refused = self._api_check(request)
        if refused is None:
            self._limiter.reset(self._address(request))
        return refused

    def _api_check(self, request: Request) -> Response | None:
        token = request.headers.get("x-token")
        if token == self._keptn.token:
            return None
        reason = "incorrect api key auth" if token else "unauthenticated for invalid credentials"
        return openapi_error(401, reason)

    @staticmethod
    def _subrequest_fails(request: Request) -> bool:
        """The subrequest has this request's headers, and go-openapi checks them against `/auth`."""
        if request.content_length:
            return request.mimetype not in _JSON_TYPES
        accept = request.headers.get("Accept")
        return accept not in (None, "", "*/*") and not request.accept_mimetypes.accept_json

    @staticmethod
    def _address(request: Request) -> str:
        forwarded = request.headers.get("X-Forwarded-For", "")
        return forwarded.partition(",")[0].strip() or request.remote_addr or ""

    def _now(self) -> float:
        return self._keptn.clock.now()
