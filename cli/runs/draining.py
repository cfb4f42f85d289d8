"""Draining a plane and resuming it, as the parameter Drain does, without a deployment."""

from typing import Any

from cli.runs.aws import ask
from cli.runs.plane import Plane

VARIABLE = "DRAIN"


def is_draining(plane: Plane) -> bool:
    """Whether the poller takes no new task. Raises Unusable."""
    return plane.environment("Poller").get(VARIABLE) == "true"


def set_draining(plane: Plane, *, draining: bool) -> bool:
    """Let the poller take no new task, or take them again; whether that is a change.

    The tick under way ends as it began. Raises Unusable, also if somebody else changes the function just now.
    """
    if is_draining(plane) == draining:
        return False
    found = plane.configuration("Poller")
    variables = {**found["Environment"]["Variables"], VARIABLE: "true" if draining else "false"}
    change: dict[str, Any] = {"FunctionName": found["FunctionName"], "Environment": {"Variables": variables}}
    if "RevisionId" in found:
        change["RevisionId"] = found["RevisionId"]
    ask(lambda: plane.aws.client("lambda").update_function_configuration(**change))
    return True
