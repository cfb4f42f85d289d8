"""What the tests ask of the SAM CLI, and of the containers that it runs."""

import contextlib
import json
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import docker  # type: ignore[import-untyped]
from botocore.config import Config

from cli.template import read_template
from local.stand_ins import HOST, StandIns
from tests.support.waiting import until

REGION = "us-east-1"
START_SECONDS = 120
LOG = logging.getLogger(__name__)  # pytest shows it of a test that fails


@dataclass(frozen=True)
class Sam:
    """The SAM CLI with a built application, whose functions find the stand-ins."""

    command: str
    template: Path
    scratch: Path
    stand_ins: StandIns
    architecture: str
    options: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """`sam local invoke`: what the function answers."""
        command = [self.command, "local", "invoke", function, *self._arguments(port=0), "--event", "-"]

        def ask() -> str:
            done = subprocess.run(
                command,
                input=json.dumps(event),
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            LOG.warning(done.stderr)
            return done.stdout if done.returncode == 0 else ""

        return answer_to(ask)

    @contextlib.contextmanager
    def start_lambda(self) -> "Iterator[LocalLambda]":
        """`sam local start-lambda`, for as long as the context lasts."""
        address = self.stand_ins.address
        with socket.create_server((address, 0)) as free:
            port = free.getsockname()[1]
        log = self.scratch / f"start-lambda-{port}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [
                    *(self.command, "local", "start-lambda", *self._arguments(port)),
                    *("--host", address, "--port", str(port), "--warm-containers", "LAZY"),
                ],
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            assert until(lambda: process.poll() is not None or listens(address, port)), log.read_text()
            assert process.poll() is None, log.read_text()
            yield LocalLambda(f"http://{address}:{port}")
        finally:
            process.terminate()
            process.wait(START_SECONDS)
            LOG.warning(log.read_text())

    def _arguments(self, port: int) -> list[str]:
        """What every way to run a function needs. `port` is where functions find Lambda."""
        variables = self.scratch / f"environment-{port}.json"
        endpoints = {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.stand_ins.aws_port}",
            "AWS_ENDPOINT_URL_LAMBDA": f"http://{HOST}:{port}",
        }
        variables.write_text(json.dumps({"Parameters": endpoints}))
        parameters = {
            "Architecture": self.architecture,
            "KeptnApiUrl": f"http://{HOST}:{self.stand_ins.keptn.port}/api",
            "PollIntervalSeconds": "0",
            "PollIntervalBusySeconds": "0",
            **self.parameters,
        }
        return [
            *("--template", str(self.template), "--region", REGION, "--env-vars", str(variables)),
            *("--add-host", f"{HOST}:host-gateway", *self.options),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())),
        ]


@dataclass(frozen=True)
class LocalLambda:
    """The endpoint of `sam local start-lambda`."""

    url: str

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function and wait; what it answers."""
        client = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name=REGION,
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )

        def ask() -> str:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            return answer["Payload"].read().decode()

        return answer_to(ask)


def answer_to(ask: Callable[[], str]) -> Any:
    """What a function answers, which is the last line of what the SAM CLI gives.

    Where it gives nothing, it is asked once more, for it loses an invocation now and then (aws-sam-cli issue
    3714). Nothing of ours hides behind that: what hangs by our fault hangs again, and a task that has begun
    does not begin again.
    """
    lines = ask().splitlines() or ask().splitlines()
    assert lines, "the SAM CLI gave no answer; its output says why"
    answer = json.loads(lines[-1])
    assert not isinstance(answer, dict) or "errorMessage" not in answer, answer
    return answer


def environment() -> dict[str, str]:
    """This process's environment without what the template declares, for the SAM CLI would pass that on, and
    without AWS's credentials, with which it would ask AWS whose they are.
    """
    template = read_template()
    left_out = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"}
    left_out |= set(template["Globals"]["Function"]["Environment"]["Variables"])
    for resource in template["Resources"].values():
        left_out |= set(resource["Properties"].get("Environment", {}).get("Variables", {}))
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


def kill_containers(function: str) -> int:
    """Kill the containers that run a function; how many there were."""
    running = [
        container
        for container in docker.from_env().containers.list()
        if f"AWS_LAMBDA_FUNCTION_NAME={function}" in container.attrs["Config"]["Env"]
    ]
    for container in running:
        container.kill()
    return len(running)


def listens(address: str, port: int) -> bool:
    """Whether somebody answers there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False
