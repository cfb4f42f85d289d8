"""docs/deployer-policy.json has what CloudFormation does with the deployer's rights for each resource."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from cli.template import read_template

POLICY = json.loads((Path(__file__).parents[3] / "docs" / "deployer-policy.json").read_text())
MADE_BY: dict[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Alarm": ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
    "AWS::DynamoDB::Table": (
        "dynamodb:CreateTable",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
        "dynamodb:UpdateContinuousBackups",
    ),
    "AWS::ECS::Cluster": ("ecs:CreateCluster", "ecs:UpdateCluster", "ecs:DeleteCluster"),
    "AWS::Events::Rule": ("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"),
    "AWS::IAM::Role": ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DeleteRole"),
    "AWS::Lambda::EventSourceMapping": (
        "lambda:CreateEventSourceMapping",
        "lambda:UpdateEventSourceMapping",
        "lambda:DeleteEventSourceMapping",
    ),
    "AWS::Lambda::Permission": ("lambda:AddPermission", "lambda:RemovePermission"),
    "AWS::Logs::LogGroup": ("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"),
    "AWS::Logs::QueryDefinition": ("logs:PutQueryDefinition", "logs:DeleteQueryDefinition"),
    "AWS::S3::Bucket": (
        "s3:CreateBucket",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutEncryptionConfiguration",
    ),
    "AWS::S3::BucketPolicy": ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
    "AWS::SNS::Subscription": ("sns:Subscribe", "sns:Unsubscribe"),
    "AWS::SNS::Topic": ("sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic"),
    "AWS::SQS::Queue": ("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue"),
    "AWS::Scheduler::Schedule": (
        "scheduler:CreateSchedule",
        "scheduler:UpdateSchedule",
        "scheduler:DeleteSchedule",
        "iam:PassRole",
    ),
    "AWS::SecretsManager::Secret": ("secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"),
    "AWS::SSM::Parameter": ("ssm:PutParameter", "ssm:DeleteParameter"),
    "AWS::Serverless::Function": (
        "lambda:CreateFunction",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "lambda:PutFunctionConcurrency",
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:DeleteFunction",
        "iam:PassRole",
        "s3:GetObject",
    ),
    "AWS::Serverless::LayerVersion": ("lambda:PublishLayerVersion", "lambda:DeleteLayerVersion"),
    "Custom::ActiveRuns": ("lambda:InvokeFunction",),
}
"""By type, what makes, changes and deletes it; the table is never deleted. A new type needs a line."""


def allowed() -> set[str]:
    return {action for statement in POLICY["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("kind", sorted({each["Type"] for each in read_template()["Resources"].values()}))
def test_each_resource_can_be_made_changed_and_deleted(kind: str) -> None:
    assert set(MADE_BY[kind]) - allowed() == set()


@pytest.mark.parametrize("statement", POLICY["Statement"], ids=lambda each: each["Sid"])
def test_no_action_is_a_pattern_and_roles_are_those_of_stacks_of_one_name(statement: dict[str, Any]) -> None:
    assert not [action for action in statement["Action"] if "*" in action]
    if any(action.startswith("iam:") for action in statement["Action"]):
        assert statement["Resource"] == "arn:aws:iam::*:role/keptn-*"


def test_the_default_stacks_own_name_is_among_those() -> None:
    assert fnmatchcase("keptn-lambda-executor", "keptn-*")
