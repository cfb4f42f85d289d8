"""docs/operations.md lists what a user must be allowed to ask of AWS for `./plane`, and no more."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import boto3

ROOT = Path(__file__).parents[3]
PREFIXES = {
    "cloudformation": "cloudformation",
    "cloudwatch": "cloudwatch",
    "dynamodb": "dynamodb",
    "ec2": "ec2",
    "ecs": "ecs",
    "lambda": "lambda",
    "logs": "logs",
    "scheduler": "scheduler",
    "secretsmanager": "secretsmanager",
    "service-quotas": "servicequotas",
    "sqs": "sqs",
    "stepfunctions": "states",
    "sts": "sts",
}
"""What an action in IAM begins with, by boto3's name of the service."""
BY_THE_LAYER = {
    "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", "ecs:DescribeTasks", "ecs:ListTasks",
    "ecs:StopTask", "secretsmanager:GetSecretValue", "states:DescribeExecution", "states:StopExecution",
}  # fmt: skip
"""What the commands ask for through the ledger, the steps and the credentials."""


def asked() -> Iterator[str]:
    """The actions of the methods that the commands' own code names."""
    actions: dict[str, str] = {}
    for service, prefix in PREFIXES.items():
        methods = boto3.client(service).meta.method_to_api_mapping  # type: ignore[call-overload]
        actions |= {method: f"{prefix}:{operation}" for method, operation in methods.items()}
    for path in (ROOT / "cli" / "runs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in actions:
                yield actions[node.attr]


def test_the_page_lists_the_actions_that_the_commands_need() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| Command | Actions that it needs |")[2].partition("\n\n")[0]

    assert set(re.findall(r"`([a-z0-9]+:\w+)`", table)) == set(asked()) | BY_THE_LAYER
