"""AWS in memory, by moto."""

from moto import mock_aws
from moto.core.models import MockAWS


def aws_in_memory() -> MockAWS:
    """A context manager: AWS, empty at its start.

    boto3 keeps its session: a new one reads the descriptions of services again, longer than most tests take.
    """
    return mock_aws(config={"core": {"reset_boto3_session": False}})
