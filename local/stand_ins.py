"""A Keptn control plane and AWS, for functions that the SAM CLI runs in containers: `make stand-ins`."""

import contextlib
import json
import logging
import socket
import threading
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any, Self

import boto3
import docker  # type: ignore[import-untyped]
import requests
from docker.errors import DockerException  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer

from local.aws import POLLER, WORKER, create_queue, create_secret, create_table
from local.keptn.server import KeptnServer

KEPTN_PORT = 8090  # as in samconfig.toml
AWS_PORT = 5050  # as in local/sam-environment.json
HOST = "host.docker.internal"  # this machine, as containers see it

PROJECT, STAGE, SERVICE, SEQUENCE = "my-first-project", "dev", "service1", "sequence1"
EVENT_TYPE = "sh.keptn.event.sayhello.triggered"
SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata:
  name: shipyard
spec:
  stages:
    - name: dev
      sequences:
        - name: sequence1
          tasks:
            - name: sayhello
"""


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
    """A context manager: a control plane with one project, and AWS with a plane's table, secret and queue."""

    def __init__(self, keptn_port: int = 0, aws_port: int = 0) -> None:
        """Port 0 takes a free one."""
        self.address = gateway()
        self.keptn = KeptnServer(host=self.address, port=keptn_port)
        self._aws = ThreadedMotoServer(self.address, aws_port, verbose=False)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.keptn)
        self._aws.start()
        self._stack.callback(self._aws.stop)
        # What moto has made lives as long as the process.
        requests.post(f"http://{self.address}:{self.aws_port}/moto-api/reset", timeout=5).raise_for_status()
        create_table(self.client("dynamodb"))
        create_secret(self.client("secretsmanager"), self.keptn.token)
        create_queue(self.client("sqs"))
        self.keptn.keptn.create_project(PROJECT, SHIPYARD, (SERVICE,))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def aws_port(self) -> int:
        """Where AWS listens."""
        return int(self._aws.get_host_and_port()[1])

    def client(self, service: str) -> Any:
        """A client of the AWS that this serves."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=f"http://{self.address}:{self.aws_port}",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def trigger(self, location: str) -> str:
        """Trigger the sequence; gives the id of the sayhello task that it opens."""
        keptn, known = self.keptn.keptn, {event["id"] for event in self.keptn.keptn.open_events(EVENT_TYPE)}
        keptn.trigger(PROJECT, STAGE, SERVICE, SEQUENCE, {"sayhello": {"location": location}})
        keptn.settle()
        return next(str(event["id"]) for event in keptn.open_events(EVENT_TYPE) if event["id"] not in known)


def main() -> None:
    """Serve until interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # moto's server logs every request
    with StandIns(KEPTN_PORT, AWS_PORT) as stand_ins:
        payload = {"schema": 1, "event_id": stand_ins.trigger("APAC"), "type": EVENT_TYPE, "project": PROJECT}
        options = "--config-env local"
        print(f"""\
Keptn's API is at {stand_ins.keptn.url}, its bridge at {stand_ins.keptn.origin}/bridge, and a task is open.
After `sam build --config-env local`, in another terminal:

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
