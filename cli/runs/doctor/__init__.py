"""Checks from the user's machine that everything which a plane needs is in order, one line each."""

from collections.abc import Callable, Iterator

from cli.runs.aws import Unusable
from cli.runs.doctor.account import check_concurrency, check_failure_queue, check_fargate, check_secrets
from cli.runs.doctor.finding import Finding, unknown
from cli.runs.doctor.keptn import check_keptn, check_registration
from cli.runs.doctor.network import check_container_network, check_network
from cli.runs.doctor.stack import check_images, check_ledger, check_schedule, check_settings, check_stack
from cli.runs.plane import Plane
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.transport import KeptnError
from execution_plane.settings import InvalidSetting

Check = Callable[[Plane], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("stack", check_stack),
    ("schedule", check_schedule),
    ("ledger", check_ledger),
    ("settings", check_settings),
    ("images", check_images),
    ("secrets", check_secrets),
    ("Keptn", check_keptn),
    ("registration", check_registration),
    ("concurrency", check_concurrency),
    ("failure queue", check_failure_queue),
    ("network", check_network),
    ("Fargate", check_fargate),
    ("containers' network", check_container_network),
)
"""What is checked, by subject; each needs what those above have found to be in order."""

__all__ = ["CHECKS", "Finding", "examine"]


def examine(plane: Plane) -> Iterator[Finding]:
    """All findings, one after the other; a check that can't be made is a finding too."""
    for subject, check in CHECKS:
        try:
            yield from check(plane)
        except (Unusable, KeptnError, SecretUnreadable, InvalidSetting) as problem:
            yield unknown(subject, f"could not be checked: {problem}")
