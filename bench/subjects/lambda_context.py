"""The object that Lambda gives a handler."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LambdaContext:
    """What the handlers and Powertools read of it."""

    function_name: str = "poller"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:poller"
    aws_request_id: str = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Fifteen minutes, Lambda's most."""
        return 900_000
