"""What tasks may use, as the stack's parameter in SSM says it: AWS in memory, on a simulated clock."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from execution_plane.clock import Deadline
from execution_plane.settings import Allowlists
from runners.allowlists import MOST_SECONDS, AllowlistsUnreadable, StoredAllowlists, awaited
from runners.cancel_scope import CancelScope
from runs.work import TaskCancelled, TaskUnusable
from tests.support.clock import SimulatedClock

NAME = "CFN-Allowlists-x"
ROLE = "arn:aws-cn:iam::123456789012:role/teams/deployer"


class Store:
    """SSM with the parameter; counts what is read, and fails as often as a test says."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.reads = 0
        self.failures: list[Exception] = []
        self._client = boto3.client("ssm")
        self.allowed = StoredAllowlists(NAME, lambda: self, self.clock)

    def put(self, text: str) -> None:
        self._client.put_parameter(Name=NAME, Value=text, Type="String", Overwrite=True)

    def get_parameter(self, **asked: Any) -> Any:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        return self._client.get_parameter(**asked)

    def scope(self, seconds: float, still_wanted: Callable[[], bool] = lambda: True) -> CancelScope:
        return CancelScope(Deadline.after(self.clock, seconds), still_wanted)


@pytest.fixture
def store(aws: None) -> Store:
    made = Store()
    made.put(json.dumps({"ALLOWED_LAMBDAS": "smoke,load", "CONTAINER_TASK_ROLES": ROLE}))
    return made


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "GetParameter")


def test_the_lists_are_those_of_the_parameter(store: Store) -> None:
    assert store.allowed() == Allowlists(
        lambdas=frozenset({"smoke", "load"}), task_roles={"deployer": ROLE}
    ), "a role is known by its name, whatever its path and partition"


def test_they_are_read_once_a_minute_however_many_tasks_ask(store: Store) -> None:
    for _ in range(10):
        store.allowed()
    assert store.reads == 1

    store.put(json.dumps({"ALLOWED_LAMBDAS": "other"}))
    store.clock.advance(MOST_SECONDS)

    assert (store.allowed().lambdas, store.reads) == (frozenset({"other"}), 2)


def test_without_a_parameter_nothing_is_allowed_and_nobody_is_asked(store: Store) -> None:
    assert StoredAllowlists("", lambda: store, store.clock)() == Allowlists()
    assert store.reads == 0


@pytest.mark.parametrize("failure", [throttled(), ConnectTimeoutError(endpoint_url="https://ssm")])
def test_a_task_waits_while_ssm_does_not_answer(store: Store, failure: Exception) -> None:
    store.failures = [failure] * 3
    begun = store.clock.now()

    assert awaited(store.allowed, store.scope(60)).lambdas
    assert 3.5 <= store.clock.now() - begun <= 7.0


def test_a_task_for_which_ssm_never_answers_says_so_before_its_deadline(store: Store) -> None:
    store.failures = [throttled() for _ in range(100)]

    with pytest.raises(TaskUnusable, match=rf"SSM parameter {NAME}, which can't be read: .*Rate exceeded"):
        awaited(store.allowed, store.scope(60))

    assert 5 <= store.reads <= 10


def test_a_task_that_is_no_longer_wanted_waits_no_more(store: Store) -> None:
    store.failures = [throttled() for _ in range(100)]

    with pytest.raises(TaskCancelled):
        awaited(store.allowed, store.scope(3600, lambda: False))


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"ALLOWED_HOSTS": "https://x"}', '{"ALLOWED_LAMBDAS": 1}']
)
def test_a_parameter_that_was_changed_by_hand_says_so_at_once(store: Store, text: str) -> None:
    store.put(text)

    with pytest.raises(TaskUnusable, match="changed by hand: deploy the stack anew"):
        awaited(store.allowed, store.scope(60))

    assert store.reads == 1


@pytest.mark.parametrize("code", ["ParameterNotFound", "AccessDeniedException"])
def test_a_parameter_that_is_gone_or_forbidden_is_not_waited_for(store: Store, code: str) -> None:
    store.failures = [ClientError({"Error": {"Code": code, "Message": ""}}, "GetParameter")]

    with pytest.raises(TaskUnusable, match=code):
        store.allowed()


def test_what_was_read_before_is_not_taken_for_what_is_allowed_now(store: Store) -> None:
    store.allowed()
    store.clock.advance(MOST_SECONDS)
    store.failures = [throttled()]

    with pytest.raises(AllowlistsUnreadable):
        store.allowed()
