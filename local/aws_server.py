"""AWS over real HTTP, by moto: DynamoDB, Secrets Manager and SQS as the functions need them."""

import logging
import os
import socket
from typing import Any, Self

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"  # moto's


class AwsServer:
    """A context manager: AWS listens while inside, with nothing in it at first."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one."""
        self._host, self._port = host, port
        self._moto = ThreadedMotoServer(host, port, verbose=False)

    def __enter__(self) -> Self:
        """Start. Raises OSError if the port can't be had, on which moto would wait for ever."""
        with socket.create_server((self._host, self._port)):
            pass
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            os.environ.pop(name, None)  # moto has clients too, which would look for the user's profile
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it logs every request
        self._moto.start()
        # What moto has made lives as long as the process.
        with requests.Session() as session:
            session.trust_env = False
            session.post(f"{self.url}/moto-api/reset", timeout=5).raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self._moto.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._moto.get_host_and_port()[1])

    @property
    def url(self) -> str:
        """What the AWS SDK takes as its endpoint."""
        return f"http://{self._host}:{self.port}"

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client of one of its services."""
        return local_client(service, self.url, region)


def local_client(service: str, endpoint_url: str, region: str) -> Any:
    """A client of an AWS service on this machine, whatever proxies the user has."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(proxies={}),
    )
