"""A key of one's own, and a proxy's password, as CloudFormation takes them."""

import json
from collections.abc import Iterator

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.planes import Sequence, deploy, parameters
from tests.deploy.sam_cli import SamCli, Stack

REGION = "eu-south-1"
PROXY = "http://user:password@proxy.example.com:3128"


@pytest.fixture(scope="module")
def key(sam: SamCli) -> str:
    """The ARN of a key that is the account's own."""
    made: str = sam.aws.client("kms", REGION).create_key()["KeyMetadata"]["Arn"]
    return made


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer, key: str) -> Iterator[Stack]:
    sam.aws.client("secretsmanager", REGION).create_secret(Name="keptn/proxy", SecretString=PROXY)
    given = parameters(keptn, KmsKeyArn=key, HttpsProxy="{{resolve:secretsmanager:keptn/proxy}}")
    made = deploy(sam, "secret", REGION, given, keptn.token)
    yield made
    made.remove()


def test_secret_logs_and_queues_are_encrypted_by_the_key(stack: Stack, key: str) -> None:
    """So is the ledger, of which the emulator does not say so."""
    outputs, logs, sqs = stack.outputs(), stack.client("logs"), stack.client("sqs")
    secret = stack.client("secretsmanager").describe_secret(SecretId=outputs["ApiTokenSecretArn"])
    queues = [physical for name, (_, physical) in stack.resources().items() if name.endswith("Queue")]
    groups = [value for name, value in outputs.items() if name.endswith("LogGroupName")]

    assert secret["KmsKeyId"] == key
    assert len(groups) == 3
    for group in groups:
        (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        assert found["kmsKeyId"] == key
    assert queues
    for queue in queues:
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert attributes["KmsMasterKeyId"] == key


def test_a_proxys_password_is_the_functions_alone(stack: Stack) -> None:
    functions = stack.client("lambda")
    for name in ("PollerFunctionName", "WorkerFunctionName"):
        found = functions.get_function_configuration(FunctionName=stack.outputs()[name])
        assert found["Environment"]["Variables"]["HTTPS_PROXY"] == PROXY

    assert "password" not in json.dumps(stack.parameters())


def test_it_serves_tasks_as_any_other(stack: Stack, keptn: KeptnServer) -> None:
    sequence = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})
    stack.tick()

    assert sequence.comes_to(1, 1)
