"""The SAM CLI as a user has it, in the directory of an application."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.planefile import configuration
from tests.deploy.emulator import Emulator

SECONDS = 240
TICK = (Path(__file__).parents[2] / "events" / "tick.json").read_text()


@dataclass(frozen=True)
class SamCli:
    """Commands of the SAM CLI, for the account of an emulator."""

    command: Path
    application: Path
    aws: Emulator

    def __call__(self, *arguments: str, **variables: str) -> str:
        """Run a command, with more variables; what it says. Raises Refused if it fails."""
        done = subprocess.run(
            [str(self.command), *arguments],
            cwd=self.application,
            env=self.aws.environment() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout


class Refused(Exception):
    """A command of the SAM CLI failed; the text is what it said."""


class Stack:
    """A stack as a user keeps it: by a configuration file of the SAM CLI."""

    def __init__(self, sam: SamCli, name: str, region: str) -> None:
        self._sam = sam
        self.name = name
        self.region = region
        self._options = ("--config-file", str(sam.application / f"samconfig-{name}.toml"))

    def deploy(self, parameters: Mapping[str, str]) -> str:
        """Write the parameters into the configuration file, and `sam deploy`. Raises Refused."""
        Path(self._options[1]).write_text(configuration(self.name, self.region, parameters))
        return self._sam("deploy", *self._options)

    def delete(self) -> str:
        """`sam delete`. Raises Refused."""
        return self._sam("delete", *self._options, "--no-prompts")

    def remove(self) -> None:
        """Delete it without the SAM CLI, which asks half a minute later whether it is gone."""
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=self.name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS}
        )

    def tick(self) -> None:
        """Send the next tick as the schedule does, but now: the poller sets its timers."""
        self.client("sqs").send_message(QueueUrl=self.outputs()["TimerQueueUrl"], MessageBody=TICK)

    @property
    def source(self) -> str:
        """Of its events in Keptn."""
        return self.outputs()["PlaneSource"]

    def outputs(self) -> dict[str, str]:
        """The outputs by their keys."""
        (found,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}

    def parameters(self) -> dict[str, str]:
        """The parameters' values as CloudFormation has them."""
        (found,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}

    def resources(self) -> dict[str, tuple[str, str]]:
        """The status and physical id of each resource, by its logical id; also of one that was deleted."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: (each["ResourceStatus"], each["PhysicalResourceId"])
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
        }

    def client(self, service: str) -> Any:
        """A client of a service in the stack's region."""
        return self._sam.aws.client(service, self.region)
