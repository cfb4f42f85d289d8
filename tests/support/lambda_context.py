"""What Lambda gives a handler besides its event."""

from execution_plane.clock import Deadline, SystemClock


class Context:
    """An invocation that has so many seconds from here on."""

    memory_limit_in_mb = 256
    aws_request_id = "1"

    def __init__(self, function_name: str = "function", seconds: float = 60.0) -> None:
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:eu-west-1:1:function:{function_name}"
        self._end = Deadline.after(SystemClock(), seconds)

    def get_remaining_time_in_millis(self) -> int:
        return int(self._end.remaining() * 1000)
