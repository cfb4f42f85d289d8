"""A Keptn control plane and AWS, for functions that the SAM CLI runs in containers: `make stand-ins`."""

import contextlib
import json
import socket
import sys
import threading
import tomllib
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]

from cli.template import read_template
from local.aws import POLLER, TIMERS, WORKER, create_queue, create_secret, create_table
from local.aws_server import ACCOUNT, AwsServer
from local.example import EVENT_TYPE, PROJECT, SEQUENCE, SERVICE, SHIPYARD, STAGE
from local.keptn.server import KeptnServer
from local.stack import Stack

KEPTN_PORT = 8090  # as in local/samconfig.toml
AWS_PORT = 5050  # as in local/sam-environment.json
SAM_CONFIG = Path(__file__).parent / "samconfig.toml"
ALLOWLISTS = "Allowlists"  # by its logical id, as `sam local` has all names
HOST = "host.docker.internal"  # this machine, as containers see it


def allowlists() -> str:
    """What tasks may use by local/samconfig.toml, as the stack's parameter would say it."""
    given = tomllib.loads(SAM_CONFIG.read_text())["default"]["global"]["parameters"]["parameter_overrides"]
    stack = Stack("local", "us-east-1", ACCOUNT, parameters=given, resources={})
    return stack.resolve(read_template()["Resources"][ALLOWLISTS]["Properties"]["Value"])


def gateway() -> str:
    """The address on which this machine is reached by its containers, and by nobody outside.

    That is Docker's bridge on Linux. Docker Desktop leads its containers to 127.0.0.1.
    """
    with contextlib.suppress(DockerException, KeyError, IndexError, OSError):
        network = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
        address = network.get("Gateway") or str(ip_network(network["Subnet"])[1])
        with socket.create_server((address, 0)):
            return str(address)
    return "127.0.0.1"


class StandIns:
    """A context manager: a control plane with one project, and AWS with a plane's table, secret, queues."""

    def __init__(self, keptn_port: int = 0, aws_port: int = 0) -> None:
        """Port 0 takes a free one."""
        self.address = gateway()
        self.keptn = KeptnServer(host=self.address, port=keptn_port)
        self._aws = AwsServer(self.address, aws_port)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            begun.enter_context(self.keptn)
            begun.enter_context(self._aws)
            self._stack = begun.pop_all()
        create_table(self.client("dynamodb"))
        create_secret(self.client("secretsmanager"), self.keptn.token)
        create_queue(self.client("sqs"))
        create_queue(self.client("sqs"), TIMERS)
        self.client("ssm").put_parameter(Name=ALLOWLISTS, Value=allowlists(), Type="String")
        self.keptn.keptn.create_project(PROJECT, SHIPYARD, (SERVICE,))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def aws_port(self) -> int:
        """Where AWS listens."""
        return self._aws.port

    def client(self, service: str) -> Any:
        """A client of the AWS that this serves."""
        return self._aws.client(service)

    def trigger(self, location: str) -> str:
        """Trigger the sequence; gives the id of the sayhello task that it opens."""
        keptn, known = self.keptn.keptn, {event["id"] for event in self.keptn.keptn.open_events(EVENT_TYPE)}
        service = keptn.free_service(PROJECT, STAGE, SERVICE)
        keptn.trigger(PROJECT, STAGE, service, SEQUENCE, {"sayhello": {"location": location}})
        keptn.settle()
        return next(str(event["id"]) for event in keptn.open_events(EVENT_TYPE) if event["id"] not in known)


def main() -> None:
    """Serve until interrupted."""
    try:
        serve()
    except OSError as problem:
        sys.exit(f"stand-ins: {problem}; they need the ports {KEPTN_PORT} and {AWS_PORT} of {gateway()}.")


def serve() -> None:
    """Serve what `sam local` is told of, and say how to go on. Raises OSError if a port is taken."""
    with StandIns(KEPTN_PORT, AWS_PORT) as stand_ins:
        payload = {"schema": 1, "event_id": stand_ins.trigger("APAC"), "type": EVENT_TYPE, "project": PROJECT}
        options = "--config-file local/samconfig.toml"
        print(f"""\
Keptn's API is at {stand_ins.keptn.url}, its bridge at {stand_ins.keptn.origin}/bridge, and a task is open.
After `sam build --config-file local/samconfig.toml`, in another terminal:

The poller claims the task; it can't invoke the worker, which is for you to do.
  sam local invoke {POLLER} {options} --event events/tick.json
  echo '{json.dumps(payload)}' | sam local invoke {WORKER} {options} --event -

Or let the poller invoke the worker:
  sam local start-lambda {options} --host {stand_ins.address}
  aws lambda invoke --endpoint-url http://{stand_ins.address}:3001 --function-name {POLLER} tick-report.json

Ctrl-C ends it.""")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
