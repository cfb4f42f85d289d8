"""What both functions ask Keptn and AWS with, made once per execution environment."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
from botocore.config import Config

from execution_plane import containers, executions
from execution_plane.clock import Clock, SystemClock
from execution_plane.keptn.connecting import CONNECTIONS, SettingNames, new_session
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.credentials import ApiToken, CombinedCredentials
from execution_plane.keptn.transport import Credentials, Transport
from execution_plane.ledger.notes import Notes
from execution_plane.ledger.table import Ledger
from execution_plane.settings import Settings
from execution_plane.steps import StepChange, Steps

AWS_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=CONNECTIONS,
)


CHANGES: Mapping[str, Callable[[Mapping[str, Any]], StepChange]] = {
    "aws.ecs": containers.read_change,
    "aws.states": executions.read_change,
}
"""What reads an event's detail, by the service that EventBridge says it is of."""


@dataclass(frozen=True)
class SharedClients:
    """What a handler works with."""

    clock: Clock
    control_plane: ControlPlane
    ledger: Ledger
    notes: Notes

    @classmethod
    def from_environment(cls) -> "SharedClients":
        """Read the settings and build the clients. Raises InvalidSetting; no request is made yet."""
        settings, clock = Settings.from_environment(), SystemClock()
        transport = Transport(
            settings.api_url,
            credentials(settings, clock, aws_client),
            clock,
            ca_bundle_path=settings.ca_bundle_path,
            names=SettingNames(login=settings.login),
        )
        dynamodb, table = aws_client("dynamodb"), settings.ledger_table
        return cls(
            clock,
            ControlPlane(transport),
            Ledger(dynamodb, table, clock),
            Notes(dynamodb, table),
        )


def credentials(settings: Settings, clock: Clock, client: Callable[[str], Any]) -> Credentials:
    """What authenticates requests to Keptn; `client` makes a boto3 client by a service's name."""
    parts: list[Credentials] = []
    if settings.token_secret:
        parts.append(ApiToken(client("secretsmanager"), settings.token_secret))
    if settings.oauth_secret:
        from execution_plane.keptn.oauth import BearerToken  # with what it imports, only where it is used

        session = new_session(settings.ca_bundle_path)
        parts.append(BearerToken(client("secretsmanager"), settings.oauth_secret, session, clock))
    return parts[0] if len(parts) == 1 else CombinedCredentials(*parts)


def all_steps(client: Callable[[str], Any], *, probes: bool = False) -> Steps:
    """The steps of every kind; `client` makes a boto3 client by a service's name, when a run waits.

    Who `probes` asks again and again, in case that an event was lost.
    """
    return Steps(
        {
            containers.KIND: containers.Containers(partial(client, "ecs")),
            executions.KIND: executions.Executions(partial(client, "stepfunctions"), probes=probes),
        }
    )


_clients: dict[str, Any] = {}
_clients_lock = threading.Lock()


def aws_client(service: str) -> Any:
    """A client of an AWS service, made when it is first wanted: an idle tick needs only two."""
    with _clients_lock:  # making a client is not safe for threads, using one is
        if service not in _clients:
            _clients[service] = boto3.client(service, config=AWS_CONFIG)  # type: ignore[call-overload]
        return _clients[service]
