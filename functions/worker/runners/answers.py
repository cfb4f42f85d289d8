"""What another program answers about a task, as the task's outcome."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from execution_plane.keptn.events import Outcome, Result

FIELDS: Final = frozenset({"result", "message", "data"})
RESULTS: Final = get_args(Result)


def outcome_in(answer: Mapping[str, Any]) -> Outcome | None:
    """The outcome that an object with a `result` is, whose `message` and `data` may be left out, or None."""
    given = {name: value for name, value in answer.items() if value is not None}
    result: Any = given.get("result")
    message, data = given.get("message", ""), given.get("data", {})
    if result not in RESULTS or not isinstance(message, str) or not isinstance(data, dict):
        return None
    return Outcome(result, "succeeded", message, data)
