"""Checks from the user's machine that everything which a plane needs is in order, one line each."""

from collections.abc import Callable, Iterator, Sequence

from cli.runs.aws import Missing, Unusable
from cli.runs.doctor.account import check_concurrency, check_failure_queue, check_fargate, check_secrets
from cli.runs.doctor.finding import Finding, problem, unknown
from cli.runs.doctor.keptn import check_keptn, check_registration
from cli.runs.doctor.machines import check_state_machines
from cli.runs.doctor.network import check_container_network, check_network
from cli.runs.doctor.polls import SUBJECT, check_polls
from cli.runs.doctor.stack import (
    check_functions,
    check_images,
    check_ledger,
    check_schedule,
    check_settings,
    check_stack,
    check_timers,
)
from cli.runs.plane import Plane
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.transport import KeptnError
from execution_plane.settings import InvalidSetting

Check = Callable[[Plane], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("stack", check_stack),
    ("functions", check_functions),
    ("schedule", check_schedule),
    ("timers", check_timers),
    ("polls", check_polls),
    ("ledger", check_ledger),
    ("settings", check_settings),
    ("images", check_images),
    ("machines", check_state_machines),
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

__all__ = ["CHECKS", "Finding", "examine", "is_in_order"]


def examine(plane: Plane) -> Iterator[Finding]:
    """All findings, one after the other; a check that can't be made is a finding too."""
    gone: set[str] = set()
    for subject, check in CHECKS:
        try:
            yield from check(plane)
        except Missing as missing:
            what = str(missing).partition(": ")[2]  # whichever call it was
            if what not in gone:
                yield problem(subject, f"{missing}: {_way_back(plane)}")
            gone.add(what)
        except (Unusable, KeptnError, SecretUnreadable, InvalidSetting) as wrong:
            yield unknown(subject, f"could not be checked: {wrong}")


def is_in_order(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong, and the plane was seen to poll."""
    polls = any(each.subject == SUBJECT and each.is_fine for each in findings)
    return polls and not any(each.is_problem for each in findings)


def _way_back(plane: Plane) -> str:
    """What to do about a part of the stack that somebody has deleted."""
    ledger = plane.stack.outputs.get("LedgerTableName", "the table's name")
    return (
        "it was deleted by hand. No deployment brings it back, since CloudFormation sees no difference: "
        f"restore it by its name, or delete the stack and deploy it again with LedgerTableName={ledger}."
    )
