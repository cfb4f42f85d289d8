"""What ECS's errors say of another try."""

import re
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

LATER: Final = frozenset({"ThrottlingException", "TooManyRequestsException", "LimitExceededException"})
# ECS words some of what is so for a while, like EC2's throttling of itself, as faults of the request.
LATER_TEXTS: Final = re.compile(
    "Request ?limit ?exceeded|Rate exceeded|Too many concurrent attempts|reached the limit on the number"
    "|Capacity is unavailable|insufficient capacity|not have enough capacity|try again",
    re.IGNORECASE,
)
REFUSALS: Final = frozenset(
    {
        "AccessDeniedException",
        "BlockedException",
        "ClientException",
        "ClusterNotFoundException",
        "InvalidParameterException",
        "PlatformTaskDefinitionIncompatibilityException",
        "PlatformUnknownException",
        "UnsupportedFeatureException",
    }
)


def is_later(problem: ClientError) -> bool:
    """Whether ECS did nothing, and may do the same later."""
    error = problem.response["Error"]
    return error["Code"] in LATER or LATER_TEXTS.search(error.get("Message", "")) is not None


def is_refusal(problem: ClientError | BotoCoreError) -> bool:
    """Whether ECS, or the client before it, refuses the same at any time."""
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"] in REFUSALS and not is_later(problem)
    return isinstance(problem, ParamValidationError)
