"""What the tests ask of the SAM CLI, and of the containers that it runs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import docker  # type: ignore[import-untyped]
from botocore.config import Config

from local.aws import read_template
from local.stand_ins import HOST, StandIns

REGION = "us-east-1"
START_SECONDS = 120


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
        done = subprocess.run(
            [self.command, "local", "invoke", function, *self._arguments(port=0), "--event", "-"],
            input=json.dumps(event),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert not isinstance(answer, dict) or "errorMessage" not in answer, done.stderr
        return answer

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
            yield LocalLambda(f"http://{address}:{port}", log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(START_SECONDS)

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
    log: Path

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function and wait; what it answers."""
        client = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name=REGION,
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, self.log.read_text()
        return json.loads(answer["Payload"].read())


def environment() -> dict[str, str]:
    """This process's environment without what the template declares, for the SAM CLI would pass that on."""
    template = read_template()
    declared = set(template["Globals"]["Function"]["Environment"]["Variables"])
    for resource in template["Resources"].values():
        declared |= set(resource["Properties"].get("Environment", {}).get("Variables", {}))
    kept = {name: value for name, value in os.environ.items() if name not in declared}
    return {**kept, "SAM_CLI_TELEMETRY": "0"}


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


def until(condition: Callable[[], bool], seconds: float = START_SECONDS, pause: float = 0.2) -> bool:
    """Whether the condition comes true in time. What is waited for are processes, on a real clock."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
