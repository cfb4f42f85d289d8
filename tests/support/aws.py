"""AWS in memory, by moto."""

from functools import cache
from typing import Any

import botocore.session
from moto import mock_aws
from moto.core.models import MockAWS
from moto.core.serialize import AttributePicker, AttributePickerContext


def aws_in_memory() -> MockAWS:
    """A context manager: AWS, empty at its start.

    boto3 keeps its session: a new one reads the descriptions of services again, longer than most tests take.
    """
    return mock_aws(config={"core": {"reset_boto3_session": False}})


def share_descriptions() -> None:
    """Let all of boto3's sessions read each service's description once, also those of commands' own."""
    botocore.session.create_loader = cache(botocore.session.create_loader)


def answer_by_name() -> None:
    """Let moto's DynamoDB take what it answers by AWS's names alone.

    It has all of it by these names, and looks for what is not there by other spellings of them: a sixth of
    the time of a call.
    """
    pick = AttributePicker.__call__

    def pick_by_name(picker: AttributePicker, context: AttributePickerContext) -> Any:
        is_named = context.service_model is not None and context.service_model.service_name == "dynamodb"
        if is_named and isinstance(context.obj, dict):
            return context.obj.get(context.key)
        return pick(picker, context)

    AttributePicker.__call__ = pick_by_name  # type: ignore[method-assign, assignment]
