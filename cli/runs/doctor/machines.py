"""The state machines that job configs may start."""

from collections.abc import Iterator
from functools import partial

from cli.runs.aws import Missing, ask
from cli.runs.doctor.finding import Finding, fine, problem
from cli.runs.plane import Plane


def check_state_machines(plane: Plane) -> Iterator[Finding]:
    """Whether each of AllowedStateMachines is there, and a STANDARD one."""
    client = plane.aws.client("stepfunctions")
    names = sorted(plane.allowlists.state_machines)
    if not names:
        yield fine("machines", "AllowedStateMachines is empty: no task starts an execution.")
    for name in names:
        arn = plane.state_machine_arn(name)
        try:
            found = ask(partial(client.describe_state_machine, stateMachineArn=arn))
        except Missing:
            yield problem("machines", f"{name} is not there: make it, or change AllowedStateMachines.")
            continue
        if found["type"] == "EXPRESS":
            yield problem("machines", f"{name} is an EXPRESS one, which the worker refuses: make it anew.")
        else:
            yield fine("machines", f"{name} is there.")
