"""A token that was replaced in Keptn, whose gateway lets an address log in but twice at once."""

from collections.abc import Mapping
from typing import Any

import pytest

from control.controller import TickReport
from execution_plane.clock import Deadline
from execution_plane.keptn.uniform import Integration
from tests.conftest import PlaneMaker
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, Plane, World

TYPES = (SAYHELLO, *(f"sh.keptn.event.task{number}.triggered" for number in range(5)))
INTEGRATION = Integration("keptn-lambda-executor", "1/eu-west-1/x", "eu-west-1", "0.1.0")
TICKS, INTERVAL = 60, 10.0


class Secret:
    """A secret whose value is read when it is first needed, and again after it was refused."""

    def __init__(self, token: str) -> None:
        self.token = self._known = token

    def headers(self) -> Mapping[str, str]:
        return {"x-token": self._known}

    def renew(self) -> None:
        self._known = self.token


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


def poll(plane: Plane, report: TickReport) -> str:
    """One cycle; why its last list failed, or nothing."""
    return plane.poller.cycle(Deadline.after(plane.clock, 120), report).failure


@pytest.mark.parametrize("settings", [{}, {"integration": INTEGRATION}], ids=["unregistered", "registered"])
@pytest.mark.parametrize("is_warm", [True, False], ids=["one environment", "a new one for each tick"])
def test_a_plane_whose_token_was_replaced_keeps_no_neighbour_from_its_tasks(
    world: World, new_plane: PlaneMaker, recording: Recording, settings: dict[str, Any], *, is_warm: bool
) -> None:
    neighbour, neighbours = new_plane("EU", event_types=TYPES), world.credentials
    secret = Secret(world.keptn.token)
    world.credentials = lambda: secret
    plane = new_plane("APAC", event_types=TYPES, **settings)
    assert poll(plane, TickReport()) == ""
    world.keptn.token = "replaced"
    recording.clear()
    reasons, report, healthy, refused = set(), TickReport(), TickReport(), []

    for tick in range(TICKS):
        if tick == TICKS // 2:
            task = world.trigger("EU")
        if not is_warm:
            plane.poller = plane.new_poller()
        reasons.add(poll(plane, report))
        refused.append([answer.status_code for answer in recording.answers])
        world.clock.advance(0.2)
        assert poll(neighbour, healthy) == ""
        with pytest.MonkeyPatch.context() as its_worker:
            its_worker.setattr(world, "credentials", neighbours)
            neighbour.work_all()
        world.clock.advance(INTERVAL - 0.2)
        recording.clear()

    assert healthy.polls_failed == 0
    assert world.keptn.counts(task) == (1, 1)
    assert report.polls == report.polls_failed >= TICKS
    assert all("401" in reason for reason in reasons)
    assert all(statuses in ([], [401]) for statuses in refused)
    assert sum(map(len, refused)) <= (TICKS // 3 if is_warm else TICKS)


def test_a_plane_whose_token_was_replaced_serves_again_once_the_secret_is_changed(
    world: World, new_plane: PlaneMaker
) -> None:
    secret = Secret(world.keptn.token)
    world.credentials = lambda: secret
    plane = new_plane("APAC", event_types=TYPES)
    task = world.trigger("APAC")
    world.keptn.token = "replaced"
    for _ in range(30):
        assert "401" in poll(plane, TickReport())
        world.clock.advance(INTERVAL)

    secret.token = "replaced"
    world.cycles(6, INTERVAL)

    assert world.keptn.counts(task) == (1, 1)


def test_a_plane_whose_secret_was_changed_in_time_loses_no_poll(world: World, new_plane: PlaneMaker) -> None:
    secret = Secret(world.keptn.token)
    world.credentials = lambda: secret
    plane = new_plane("APAC", event_types=TYPES)
    assert poll(plane, TickReport()) == ""

    world.keptn.token = secret.token = "replaced"

    assert poll(plane, TickReport()) == ""
