"""Images for tests with real containers, which pull none."""

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]


def known(image: str) -> str:
    """An image, if Docker has it; else the test is skipped."""
    try:
        client = docker.from_env()
    except DockerException as problem:
        pytest.skip(f"no Docker answers: {problem}")
    try:
        client.images.get(image)
    except ImageNotFound:
        pytest.skip(f"Docker has no image {image}: docker pull {image}")
    finally:
        client.close()
    return image
