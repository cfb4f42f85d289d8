"""AWS on a laptop: what the functions need of it, made as the template defines it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.template import read_template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

# `sam local` resolves a reference to a resource as its logical id.
TABLE = "LedgerTable"
SECRET = "ApiTokenSecret"
QUEUE = "FailureQueue"
TIMERS = "TimerQueue"
POLLER = "PollerFunction"
WORKER = "WorkerFunction"


def create_table(
    client: "DynamoDBClient", name: str = TABLE, template: Mapping[str, Any] | None = None
) -> None:
    """Create the ledger's table with the keys and the index with which it is deployed."""
    properties = (template or read_template())["Resources"]["LedgerTable"]["Properties"]
    parts = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=name, **{part: properties[part] for part in parts})


def create_secret(client: "SecretsManagerClient", token: str, name: str = SECRET) -> str:
    """Create the secret with Keptn's API token; gives its ARN."""
    return client.create_secret(Name=name, SecretString=token)["ARN"]


def create_queue(client: "SQSClient", name: str = QUEUE) -> str:
    """Create a queue, by default the one for invocations that AWS gave up on; gives its URL."""
    return client.create_queue(QueueName=name)["QueueUrl"]
