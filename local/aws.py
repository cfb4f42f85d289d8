"""AWS on a laptop: what the functions need of it, made as the template defines it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

TEMPLATE = Path(__file__).parent.parent / "template.yaml"

# `sam local` resolves a reference to a resource as its logical id.
TABLE = "LedgerTable"
SECRET = "ApiTokenSecret"
QUEUE = "FailureQueue"
POLLER = "PollerFunction"
WORKER = "WorkerFunction"


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub X` is read as `{"Fn::Sub": "X"}`."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {key: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {key: loader.construct_mapping(node, deep=True)}


_TemplateLoader.add_multi_constructor("!", _short_form)


@cache
def read_template(path: Path = TEMPLATE) -> Mapping[str, Any]:
    """The template as JSON would have it; read once, so nobody may change it."""
    template: Mapping[str, Any] = yaml.load(path.read_text(), _TemplateLoader)
    return template


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
    """Create the queue for invocations that AWS gave up on; gives its URL."""
    return client.create_queue(QueueName=name)["QueueUrl"]
