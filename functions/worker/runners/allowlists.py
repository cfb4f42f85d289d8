"""Which hosts, functions, state machines and roles job configs may use: read from SSM when a task asks."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock
from execution_plane.settings import Allowlists, InvalidSetting
from execution_plane.telemetry import logger
from runners.backoff import backoff
from runners.cancel_scope import CancelScope, DeadlineOver
from runs.work import TaskUnusable

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

MOST_SECONDS: Final = 60.0  # for which what was read serves: a deployment need not change the function
REFUSALS: Final = frozenset({"AccessDeniedException", "ParameterNotFound"})
MEND: Final = "it is the stack's resource Allowlists and may have been changed by hand: deploy the stack anew"


class AllowlistsUnreadable(Exception):
    """SSM does not say what is allowed, and may do so later."""


Allowed = Callable[[], Allowlists]
"""Gives what is allowed now. Raises AllowlistsUnreadable, and TaskUnusable if it will never be known."""


class StoredAllowlists:
    """The stack's own parameter in SSM: variables as JSON, for which an environment has no room."""

    def __init__(self, parameter: str, client: Callable[[], Any], clock: Clock) -> None:
        """`client` gives boto3's, when a task asks; without a `parameter` nothing is allowed."""
        self._parameter = parameter
        self._client = client
        self._clock = clock
        self._read: tuple[float, Allowlists] | None = None

    def __call__(self) -> Allowlists:
        """What is allowed, as it was within the last minute. Raises AllowlistsUnreadable, TaskUnusable."""
        if not self._parameter:
            return Allowlists()
        now = self._clock.now()
        if self._read is None or now >= self._read[0] + MOST_SECONDS:
            self._read = now, self._fetch()
        return self._read[1]

    def _fetch(self) -> Allowlists:
        what = f"What this plane allows is in the SSM parameter {self._parameter}, which can't be read"
        client: SSMClient = self._client()
        try:
            text = client.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        except (ClientError, BotoCoreError) as problem:
            if isinstance(problem, ClientError) and problem.response["Error"]["Code"] in REFUSALS:
                raise TaskUnusable(f"{what}: {problem}; {MEND}.") from problem
            raise AllowlistsUnreadable(f"{what}: {problem}") from problem
        try:
            return Allowlists.from_environment(json.loads(text))
        except (ValueError, AttributeError, InvalidSetting) as problem:
            raise TaskUnusable(f"{what}: {problem}; {MEND}.") from problem


def awaited(allowed: Allowed, scope: CancelScope) -> Allowlists:
    """What is allowed, as soon as it can be read, for a task that has the worker to itself.

    Raises TaskCancelled, and TaskUnusable when the task's time is over.
    """
    pauses = backoff()
    while True:
        try:
            return allowed()
        except AllowlistsUnreadable as problem:
            pause, trouble = next(pauses), problem
        if scope.deadline.remaining() <= pause:
            raise TaskUnusable(str(trouble)) from trouble
        logger.warning("what is allowed can't be read", reason=str(trouble), seconds=pause)
        try:
            scope.pause(pause)
        except DeadlineOver:
            raise TaskUnusable(str(trouble)) from trouble
