"""AWS on this machine, by MiniStack: stacks are made, schedules tick, functions are real processes.

It listens on the loopback only, and what it starts finds AWS nowhere else.
"""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Self

import boto3
import requests
from botocore.config import Config

from tests.support.waiting import until

ADMINISTRATOR = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
TERMINAL_SIZE = {"COLUMNS", "LINES"}  # what runs tests side by side sets both; a user has a terminal
START_SECONDS = 60
NOWHERE = "http://127.0.0.1:9"  # nobody listens there


class Emulator:
    """A context manager: an account with nothing in it, for as long as the context lasts."""

    def __init__(
        self, python: Path, scratch: Path, *, enforces_iam: bool = False, has_docker: bool = False
    ) -> None:
        """`python` has MiniStack installed; what it writes goes to `scratch`.

        Without Docker, containers are said to run until they are stopped, and do nothing.
        """
        self._python = python
        self._scratch = scratch
        self._enforces_iam = enforces_iam
        self._docker = {} if has_docker else {"DOCKER_HOST": NOWHERE.replace("http", "tcp")}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.log = scratch / "ministack.log"

    @property
    def url(self) -> str:
        """Where all of AWS's services answer."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._scratch.mkdir(parents=True, exist_ok=True)
        environment = (
            self.environment()
            | self._docker
            | {
                "https_proxy": NOWHERE,  # in small letters it goes before the template's
                "TMPDIR": str(self._scratch),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self._port),
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LAMBDA_EXECUTOR": "local",
                "AUTH": str(self._enforces_iam).lower(),
            }
        )
        with self.log.open("w") as output:
            self._process = subprocess.Popen(
                [str(self._python), "-m", "ministack"],
                env=environment,
                cwd=self._scratch,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if not until(self._answers, START_SECONDS):
            self.__exit__()
            raise RuntimeError(f"MiniStack does not answer: {self.log.read_text()}")
        return self

    def __exit__(self, *_: object) -> None:
        """End it with the functions that it runs."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def forget(self) -> None:
        """Have it forget everything, and remove its containers from Docker."""
        self._ask("POST", "reset").raise_for_status()

    def _answers(self) -> bool:
        try:
            return self._ask("GET", "health").ok
        except requests.RequestException:
            return False

    def _ask(self, method: str, what: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, f"{self.url}/_ministack/{what}", timeout=30)

    def environment(self) -> dict[str, str]:
        """This process's, but with this AWS and no other: by the variable, and without it by the file."""
        configuration = self._scratch / "aws.cfg"
        configuration.write_text(f"[default]\nendpoint_url = {self.url}\n")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name not in TERMINAL_SIZE
        }
        return {
            **kept,
            **ADMINISTRATOR,
            "PATH": os.environ["PATH"] + os.pathsep + "/usr/local/bin",  # where Python 3.13 may be
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": str(configuration),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str, region: str) -> Any:
        """A client of one of its services, with all rights."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region,
            endpoint_url=self.url,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=300, proxies={}),
            aws_access_key_id=ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
        )
