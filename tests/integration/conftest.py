"""Fixtures of tests with real containers."""

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]

from local.job_demo import IMAGE


@pytest.fixture(scope="session")
def docker_image() -> str:
    """An image that Docker has; skips where no Docker answers, or it has not."""
    try:
        client = docker.from_env()
    except DockerException as problem:
        pytest.skip(f"no Docker answers: {problem}")
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        pytest.skip(f"Docker has no image {IMAGE}: docker pull {IMAGE}")
    finally:
        client.close()
    return IMAGE
