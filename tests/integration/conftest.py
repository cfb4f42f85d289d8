"""Fixtures of tests with real containers."""

import platform
from collections.abc import Iterator

import pytest
import requests
from moto.server import ThreadedMotoServer

from local.job_demo import IMAGE
from tests.support.docker_images import known

ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
INIT_IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"


@pytest.fixture(scope="session")
def docker_image() -> str:
    """An image that Docker has; skips where no Docker answers, or it has not."""
    return known(IMAGE)


@pytest.fixture(scope="session")
def init_image() -> str:
    """The image that makes a task's folder ready, in the same way."""
    return known(INIT_IMAGE)


@pytest.fixture
def aws_url() -> Iterator[str]:
    """AWS over HTTP, since a container can't see what is in this process; with nothing in it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    requests.post(f"{url}/moto-api/reset", timeout=10)
    yield url
    server.stop()
