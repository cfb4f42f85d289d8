"""AWS as the user has it: profile, region and endpoints from the command line and the environment."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from cli.ending import Unusable as Unusable

T = TypeVar("T")

CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
MISSING = frozenset(
    {"ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}
    | {"ExecutionDoesNotExist", "StateMachineDoesNotExist"}
)


class Missing(Unusable):
    """AWS has no such thing."""


class Aws:
    """Clients of AWS's services, made when they are first wanted."""

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        """Raises Unusable if there is no such profile, or no region."""
        try:
            # boto3 itself does not look at AWS_REGION.
            region = region or os.environ.get("AWS_REGION") or None
            self._session = boto3.Session(profile_name=profile, region_name=region)
        except BotoCoreError as problem:
            raise Unusable(f"{problem}.") from None
        if not self._session.region_name:
            raise Unusable("no AWS region is known: give --region, or set AWS_REGION or a profile with one.")
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region in which everything is asked for."""
        return str(self._session.region_name)

    @property
    def user(self) -> str:
        """Who the user is to AWS: the end of their ARN. Raises Unusable."""
        return str(ask(self.client("sts").get_caller_identity)["Arn"]).rpartition(":")[2]

    def client(self, service: str) -> Any:
        """A client of one service."""
        if service not in self._clients:
            # Not every service looks at AWS_REGION by itself.
            self._clients[service] = self._session.client(
                service,
                config=CONFIG,
                region_name=self.region,  # type: ignore[call-overload]
            )
        return self._clients[service]


def ask(call: Callable[[], T]) -> T:
    """Make a call to AWS; its errors become ours here. Raises Unusable."""
    try:
        return call()
    except ClientError as problem:
        is_missing = problem.response["Error"]["Code"] in MISSING
        raise (Missing if is_missing else Unusable)(said(problem)) from problem
    except BotoCoreError as problem:
        hint = ": log in to AWS, or give --profile" if isinstance(problem, NoCredentialsError) else ""
        raise Unusable(f"AWS can't be asked: {problem}{hint}") from problem


def said(problem: ClientError) -> str:
    """AWS's words, with the action that the user lacks where that is the reason."""
    error = problem.response["Error"]
    return f"AWS, {problem.operation_name}: {error.get('Message') or error['Code']}{advice(problem)}"


def advice(problem: BaseException | None) -> str:
    """What a user may do about an error of AWS's, as the end of a sentence; empty if that is not known."""
    code = problem.response["Error"]["Code"] if isinstance(problem, ClientError) else ""
    if code in DENIED:
        return "; docs/operations.md lists what each command needs"
    return "; log in to AWS again" if code in EXPIRED else ""
