"""AWS in memory, by moto."""

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader
from moto import mock_aws
from moto.core.models import MockAWS


def aws_in_memory() -> MockAWS:
    """A context manager: AWS, empty at its start.

    boto3 keeps its session: a new one reads the descriptions of services again, longer than most tests take.
    """
    return mock_aws(config={"core": {"reset_boto3_session": False}})


def share_descriptions() -> None:
    """Let all of boto3's sessions read each service's description once, also those of commands' own."""
    read = cache(lambda path: load_file(JSONFileLoader(), path))
    load_file = JSONFileLoader.load_file

    def shared(_: JSONFileLoader, path: str) -> Any:
        return read(path)

    JSONFileLoader.load_file = shared  # type: ignore[assignment,method-assign]
