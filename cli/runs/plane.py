"""A deployed plane, found by its stack: the ledger, the functions, the logs, and the Keptn that it polls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.runs.aws import Aws, Unusable, ask
from execution_plane.clock import Clock
from execution_plane.keptn.connecting import SettingNames
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.transport import Credentials, Transport
from execution_plane.ledger.table import Ledger
from execution_plane.settings import Allowlists, InvalidSetting, Settings, variable
from execution_plane.shared_clients import all_steps, credentials
from execution_plane.steps import Steps

HALF_A_SECOND = 0.5  # that a header's whole seconds leave out, on average


@dataclass(frozen=True)
class Stack:
    """A deployed stack: what its outputs name, and what it was deployed with."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> str:
        """The value of an output. Raises Unusable if the stack has none of that name."""
        if name not in self.outputs:
            raise Unusable(f"the stack {self.name} has no output {name}: is it a keptn-lambda-executor?")
        return self.outputs[name]

    @property
    def log_groups(self) -> Mapping[str, str]:
        """The log groups of its functions, by the function."""
        named = {
            name: self.outputs.get(f"{name.capitalize()}LogGroupName", "")
            for name in ("poller", "worker", "lifecycle")
        }
        return {name: group for name, group in named.items() if group}


def find_stack(aws: Aws, name: str) -> Stack:
    """The stack of this name. Raises Unusable, also if there is none."""
    if not name:
        raise Unusable("--stack is empty: give the plane's stack.")
    if found := look_for_stack(aws, name):
        return found
    raise Unusable(f"there is no stack {name} in {aws.region}: give --stack and --region.")


def look_for_stack(aws: Aws, name: str) -> Stack | None:
    """The stack of this name, if there is one. Raises Unusable."""
    try:
        (found,) = ask(lambda: aws.client("cloudformation").describe_stacks(StackName=name))["Stacks"]
    except Unusable as problem:
        if "does not exist" not in str(problem):
            raise
        return None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())}
    return Stack(found["StackName"], found["StackStatus"], outputs, parameters)


class Plane:
    """What the commands work with; each part is made when it is first wanted."""

    def __init__(self, aws: Aws, stack: Stack, clock: Clock, *, ca_bundle: Path | None = None) -> None:
        """`ca_bundle` is where this machine has the certificates of the parameter CaBundlePath."""
        self.aws = aws
        self.stack = stack
        self.clock = clock
        self._ca_bundle = ca_bundle

    @cached_property
    def ledger(self) -> Ledger:
        """Its runs."""
        return Ledger(self.aws.client("dynamodb"), self.stack.output("LedgerTableName"), self.clock)

    @cached_property
    def steps(self) -> Steps:
        """The steps that its runs wait for."""
        return all_steps(self.aws.client)

    @cached_property
    def allowlists(self) -> Allowlists:
        """What its job configs may use, by the stack's parameters. Raises Unusable."""
        try:
            return Allowlists.from_environment(
                {variable(name): value for name, value in self.stack.parameters.items()}
            )
        except InvalidSetting as problem:
            raise Unusable(f"the stack's parameters: {problem}") from None

    def environment(self, function: str) -> Mapping[str, str]:
        """What its function `Poller` or `Worker` is told by the template. Raises Unusable."""
        variables: Mapping[str, str] = (
            self.configuration(function).get("Environment", {}).get("Variables", {})
        )
        return variables

    def configuration(self, function: str) -> Mapping[str, Any]:
        """How its function `Poller` or `Worker` is configured. Raises Unusable."""
        name = self.stack.output(f"{function}FunctionName")
        found: Mapping[str, Any] = ask(
            lambda: self.aws.client("lambda").get_function_configuration(FunctionName=name)
        )
        return found

    def state_machine_arn(self, name: str) -> str:
        """Of a state machine in the plane's account and region. Raises Unusable."""
        partition = self.aws.client("stepfunctions").meta.partition
        account = self.environment("Worker").get("ACCOUNT_ID")
        return f"arn:{partition}:states:{self.aws.region}:{account}:stateMachine:{name}"

    @cached_property
    def keptn(self) -> ControlPlane:
        """The Keptn that it polls, with its own credentials. Raises Unusable."""
        return ControlPlane(self.transport)

    @property
    def api_url(self) -> str:
        """Where it finds Keptn's API. Raises Unusable."""
        return self._settings.api_url

    @cached_property
    def transport(self) -> Transport:
        """How this machine reaches that Keptn. Raises Unusable."""
        settings = self._settings
        return Transport(
            settings.api_url,
            self.credentials,
            self.clock,
            ca_bundle_path=settings.ca_bundle_path,
            names=SettingNames(
                login=settings.login, ca_bundle="--ca-bundle", proxy="HTTPS_PROXY", network=""
            ),
        )

    def keptn_skew(self) -> float:
        """Seconds by which Keptn's clock is ahead of this machine's, as exactly as its `Date` says: a second.

        0 where it says nothing. Raises Unusable, KeptnError and SecretUnreadable.
        """
        asked = self.clock.now()
        date = self.transport.get("/v1/metadata").date
        here = (asked + self.clock.now()) / 2
        try:
            return parsedate_to_datetime(date).timestamp() + HALF_A_SECOND - here
        except (ValueError, TypeError):
            return 0.0

    @cached_property
    def credentials(self) -> Credentials:
        """The plane's own for Keptn, as this user may read them. Raises Unusable."""
        return credentials(self._settings, self.clock, self.aws.client)

    @cached_property
    def _settings(self) -> Settings:
        # The function's path of a bundle is no path here, and a proxy is found in this machine's environment.
        environ = {**self.environment("Poller"), "CA_BUNDLE_PATH": str(self._ca_bundle or "")}
        try:
            return Settings.from_environment(environ)
        except InvalidSetting as problem:
            raise Unusable(f"the poller's settings: {problem}") from None
