"""What polls a deployed plane: the schedule's own ticks, and the timers that they set."""

from collections.abc import Iterator

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.planes import TICKS_SECONDS, Sequence, deploy, parameters
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.waiting import until

REGION = "sa-east-1"


@pytest.fixture
def stack(sam: SamCli, keptn: KeptnServer) -> Iterator[Stack]:
    made = deploy(sam, "pulsing", REGION, parameters(keptn), keptn.token)
    yield made
    made.remove()


def test_a_tick_of_the_schedules_own_sets_timers_and_they_poll_without_it(
    stack: Stack, keptn: KeptnServer
) -> None:
    assert until(lambda: timers(stack) > 0, TICKS_SECONDS)
    disable_the_schedule(stack)
    left = timers(stack)

    sequence = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})

    assert sequence.comes_to(1, 1, 60)
    assert until(lambda: timers(stack) == 0, 90)
    assert left > 10
    assert errors_of_the_poller(stack) == []


def timers(stack: Stack) -> int:
    """How many timers are yet to come."""
    name = "ApproximateNumberOfMessagesDelayed"
    url = stack.outputs()["TimerQueueUrl"]
    told = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(told["Attributes"][name])


def disable_the_schedule(stack: Stack) -> None:
    """No tick comes after this."""
    scheduler = stack.client("scheduler")
    found = scheduler.get_schedule(Name=stack.outputs()["ScheduleName"])
    names = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{name: found[name] for name in names}, State="DISABLED")


def errors_of_the_poller(stack: Stack) -> list[str]:
    """What it logged as errors."""
    group = stack.outputs()["PollerLogGroupName"]
    found = stack.client("logs").filter_log_events(logGroupName=group, filterPattern='"ERROR"')["events"]
    return [str(event["message"]) for event in found]
