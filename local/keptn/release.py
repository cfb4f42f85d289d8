"""What differs between the Keptn releases that this control plane can pretend to be."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Refusal:
    """A whole answer that the gateway gives in place of a service."""

    status: int
    content_type: str
    body: str


def nginx_page(status: int, reason: str) -> Refusal:
    """One of nginx's own error pages."""
    title = f"{status} {reason}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Refusal(status, "text/html", body)


_UNAUTHENTICATED = Refusal(
    401, "text/plain", '{"code":401, "message":"unauthenticated or invalid credentials"}'
)
_TOO_MANY_REQUESTS = Refusal(429, "text/plain", '{"code":429, "message":"too many requests"}')


@dataclass(frozen=True)
class Release:
    """One Keptn release. The names of the fields say what it does; the defaults are 1.4's."""

    version: str
    resource_paths: tuple[str, ...] = ("resource-service",)
    has_sequence_execution: bool = True
    hides_future_events: bool = True
    """Whether a task with `triggeredAfter` is listed only once it is due (0.17, #8134)."""
    odd_results_fail: bool = True
    """Whether a missing or unknown result or status fails the task (0.19, #8612); before, it passed."""
    last_task_stays_current: bool = False
    """Whether a finished execution keeps its last task in `currentTask` (before #8808)."""
    can_validate_events: bool = True
    stores_subscriptions: bool = True
    """Whether the history has its events as the Go SDK hands them on, with a subscription (0.18)."""
    wants_git_credentials: bool = True
    """Whether creating a project takes a `gitCredentials` object."""
    unauthenticated: Refusal = _UNAUTHENTICATED
    auth_failed: Refusal = _TOO_MANY_REQUESTS
    """What the gateway makes of its auth subrequest answering anything but 2xx, 401 or 403."""


RELEASE_1_4 = Release("1.4.5")

RELEASE_0_18 = replace(
    RELEASE_1_4,
    version="0.18.2",
    resource_paths=("configuration-service", "resource-service"),
    odd_results_fail=False,
    last_task_stays_current=True,
    can_validate_events=False,
    wants_git_credentials=False,
    unauthenticated=nginx_page(401, "Authorization Required"),
    auth_failed=nginx_page(500, "Internal Server Error"),
)

RELEASE_0_16 = replace(
    RELEASE_0_18,
    version="0.16.1",
    resource_paths=("configuration-service",),
    has_sequence_execution=False,
    hides_future_events=False,
    stores_subscriptions=False,
)

RELEASE_1_0 = replace(RELEASE_1_4, version="1.0.0", auth_failed=nginx_page(500, "Internal Server Error"))
"""Between the two: a 401 as today's, every other failed auth subrequest a 500 (0.19 to 1.1)."""
