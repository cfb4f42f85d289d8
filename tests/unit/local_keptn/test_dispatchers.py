"""One sequence at a time in each project, stage and service; what waits is dispatched on a tick."""

import pytest

from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_4, Release
from local.keptn.timing import Timing
from tests.unit.local_keptn.harness import Harness

RELEASES = pytest.mark.parametrize(
    "release", [RELEASE_0_16, RELEASE_0_18, RELEASE_1_4], ids=lambda release: release.version
)


def _end(harness: Harness) -> None:
    """Fail the one task that is open, so that its sequence ends and nothing but a rollback follows."""
    harness.run(harness.task("deployment"), result="fail")


@RELEASES
def test_a_second_sequence_of_a_service_waits_without_a_task_event_until_the_tick_after_the_first(
    release: Release,
) -> None:
    harness = Harness(release)
    harness.trigger()
    second = harness.trigger()
    harness.after(25)
    assert (harness.state(second), len(harness.open("deployment"))) == ("waiting", 1)
    _end(harness)
    harness.after(4.9)
    assert (harness.state(second), harness.open("deployment")) == ("waiting", [])
    harness.after(0.1)
    assert harness.state(second) == "started"
    assert harness.task("deployment")["shkeptncontext"] == second


def test_the_execution_of_a_waiting_sequence_is_triggered() -> None:
    harness = Harness()
    harness.trigger()
    status = harness.execution(harness.trigger())["status"]
    assert (status["state"], status["currentTask"]["triggeredID"]) == ("triggered", "")


def test_waiting_sequences_start_one_by_one_in_the_order_of_their_events() -> None:
    harness = Harness()
    waiting = []
    for _ in range(4):
        waiting.append(harness.trigger())
        harness.after(0.5)
    for context in waiting:
        assert harness.task("deployment")["shkeptncontext"] == context
        _end(harness)
        harness.after(10)


def test_a_sequence_of_another_service_stage_or_project_does_not_wait() -> None:
    harness = Harness()
    harness.trigger()
    harness.trigger(service="bye")
    harness.keptn.trigger("podtato", "prod", "hello", "delivery")
    harness.keptn.settle()
    assert len(harness.open("deployment")) == 3


def test_a_new_sequence_waits_for_one_that_waits_already_though_nothing_is_under_way() -> None:
    harness = Harness()
    harness.after(1)
    harness.trigger()
    harness.after(1)
    second = harness.trigger()
    harness.after(1)
    _end(harness)
    harness.after(1)
    third = harness.trigger()
    assert (harness.state(third), harness.open("deployment")) == ("waiting", [])
    harness.after(6)
    assert harness.task("deployment")["shkeptncontext"] == second
    assert harness.state(third) == "waiting"


def test_a_paused_sequence_lets_the_next_one_pass_and_then_waits_for_it() -> None:
    harness = Harness()
    first = harness.trigger()
    harness.keptn.control("podtato", first, "pause")
    harness.run(harness.task("deployment"))
    second = harness.trigger()
    assert harness.state(second) == "started"
    harness.keptn.control("podtato", first, "resume")
    harness.after(60)
    published = [each["type"] for each in harness.keptn.events(first)]
    assert "sh.keptn.event.test.triggered" not in published
    _end(harness)
    harness.after(10)
    published = [each["type"] for each in harness.keptn.events(first)]
    assert "sh.keptn.event.test.triggered" in published


def test_of_two_resumed_sequences_in_a_service_one_goes_on_first() -> None:
    harness = Harness()
    contexts = []
    for _ in range(2):
        context = harness.trigger()
        (task,) = [each for each in harness.open("deployment") if each["shkeptncontext"] == context]
        harness.keptn.control("podtato", context, "pause")
        harness.run(task)
        contexts.append(context)
    for context in contexts:
        harness.keptn.control("podtato", context, "resume")
    harness.after(30)
    gone = [
        each["shkeptncontext"]
        for context in contexts
        for each in harness.keptn.events(context)
        if each["type"] == "sh.keptn.event.test.triggered"
    ]
    assert gone == contexts[:1]


def test_a_resumed_task_is_sent_on_the_next_tick_and_was_listed_all_the_while() -> None:
    harness = Harness()
    context = harness.trigger()
    harness.keptn.control("podtato", context, "pause")
    harness.run(harness.task("deployment"))
    harness.after(12)
    harness.keptn.control("podtato", context, "resume")
    assert harness.state(context) == "started"
    harness.after(7.9)
    assert harness.open("test")
    assert "sh.keptn.event.test.triggered" not in [each["type"] for each in harness.keptn.events(context)]
    harness.after(0.1)
    (sent,) = [
        each for each in harness.keptn.events(context) if each["type"] == "sh.keptn.event.test.triggered"
    ]
    assert sent["time"] == "2023-11-14T22:13:40Z"  # when it was sent, not when it was listed


def test_a_waiting_sequence_that_is_aborted_never_starts() -> None:
    harness = Harness()
    harness.trigger()
    second = harness.trigger()
    harness.keptn.control("podtato", second, "abort")
    _end(harness)
    harness.after(60)
    assert (harness.state(second), harness.open("deployment")) == ("aborted", [])


def test_a_waiting_sequence_that_is_paused_and_resumed_starts_when_it_is_its_turn() -> None:
    harness = Harness()
    harness.trigger()
    second = harness.trigger()
    harness.keptn.control("podtato", second, "pause")
    _end(harness)
    harness.after(60)
    assert harness.open("deployment") == []
    harness.keptn.control("podtato", second, "resume")
    harness.after(10)
    assert harness.task("deployment")["shkeptncontext"] == second


@pytest.mark.parametrize("interval", [0.1, 0.5, 3.3])
def test_the_interval_of_the_tick_can_be_another(interval: float) -> None:
    harness = Harness(timing=Timing(dispatch_interval=interval))
    harness.trigger()
    second = harness.trigger()
    harness.after(100 * interval)
    _end(harness)
    harness.after(interval)
    assert harness.state(second) == "started"


def test_a_service_whose_sequence_was_aborted_is_not_free_for_it_may_be_held_up_for_ever() -> None:
    harness = Harness(timing=Timing(dispatch_gap=5))
    context = harness.trigger()
    service = harness.execution(context)["scope"]["service"]

    harness.keptn.control("podtato", context, "abort")

    assert harness.keptn.free_service("podtato", "dev", service) != service
