"""Stacks that serve a local Keptn, and what becomes of its tasks."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.example import LOCATION, PROJECT, SERVICE, STAGE
from local.keptn.server import KeptnServer
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.application import this_architecture
from tests.support.waiting import until

TYPES = "sh.keptn.event.sayhello.triggered,sh.keptn.event.hold.triggered"
TICKS_SECONDS = 150
"""In which a plane's first tick has come, and what was open then is done."""


@contextmanager
def serving(shipyard: str, job_config: str) -> Iterator[KeptnServer]:
    """A control plane with the example's project, which has a job config."""
    with KeptnServer() as running:
        running.keptn.create_project(PROJECT, shipyard, (SERVICE,))
        running.keptn.add_resource(PROJECT, "job/config.yaml", job_config.encode())
        yield running


def parameters(keptn: KeptnServer, location: str | None = None, **more: str) -> dict[str, str]:
    """The parameters of a plane for a location, or for all events; it polls each other second."""
    match = {"MatchProperty": LOCATION, "MatchValue": location} if location else {}
    return {
        "Architecture": this_architecture(),
        "KeptnApiUrl": keptn.url,
        "EventTypes": TYPES,
        "PollIntervalSeconds": "2",
        **match,
        **more,
    }


def deploy(sam: SamCli, name: str, region: str, given: Mapping[str, str], token: str) -> Stack:
    """Deploy a plane, and put the token into its secret if it has one."""
    stack = Stack(sam, name, region)
    stack.deploy(given)
    if secret := stack.outputs().get("ApiTokenSecretArn"):
        stack.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=token)
    let_timers_be_set(stack)
    return stack


def let_timers_be_set(stack: Stack) -> None:
    """The emulator takes SendMessageBatch for an action of its own, which AWS holds to sqs:SendMessage (AWS
    service authorization reference, "Actions defined by Amazon SQS").
    """
    statement = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": "*"}
    _, role = stack.resources()["PollerRole"]
    stack.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="timers",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


class Sequence:
    """A sequence of the local Keptn's, with one task."""

    def __init__(self, keptn: KeptnServer, name: str, data: Mapping[str, Any]) -> None:
        """Trigger it."""
        self._keptn = keptn.keptn
        self.context = self._keptn.trigger(PROJECT, STAGE, SERVICE, name, dict(data))
        self._keptn.settle()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The task's events of a kind, oldest first."""
        found = self._keptn.events(self.context)
        return [each for each in found if each["type"].count(".") == 4 and each["type"].endswith(f".{kind}")]

    def counts(self) -> tuple[int, int]:
        """How many started and finished events Keptn counted for the task; none while the sequence waits."""
        triggered = self.events("triggered")
        return self._keptn.counts(triggered[0]["id"]) if triggered else (0, 0)

    def comes_to(self, starts: int, finishes: int, seconds: float = TICKS_SECONDS) -> bool:
        """Whether Keptn comes to count so many in time."""
        return until(lambda: self.counts() == (starts, finishes), seconds)
