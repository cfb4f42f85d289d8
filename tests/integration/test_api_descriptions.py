"""What the client asks and the local control plane answers, held against Keptn's own API descriptions."""

import io

import pytest

from cli.trigger import main
from control.integration import leave
from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.uniform import Integration
from local.keptn import in_process
from local.keptn.uniform import INTEGRATION_TTL
from tests.conftest import PlaneMaker
from tests.support.described import Descriptions, descriptions
from tests.support.recording import record
from tests.support.world import SAYHELLO, World

PLACE = descriptions()
pytestmark = pytest.mark.skipif(
    PLACE is None,
    reason="Keptn's API descriptions are neither in $KEPTN_OPENAPI nor in ../shared/keptn-openapi",
)
APAC = Integration("keptn-lambda-executor", "1/ap-south-1/apac", "ap-south-1", "0.1.0")
DEVIATIONS = {
    "GET /sequence-execution: no such path": ("there since 0.18 and never described (docs/keptn-api.md, 6)"),
    "GET /event/triggered/{eventType}: the query has pageSize": (
        "read, and never described (docs/keptn-api.md, 2)"
    ),
    "GET /uniform/registration: the query has namespace": (
        "read, and never described (docs/keptn-api.md, 5.6); the plane checks the answer besides"
    ),
}
"""Every departure that is known, with its reason; one that is no longer there fails the test too."""


def test_every_exchange_is_as_described_or_known_not_to_be(world: World, new_plane: PlaneMaker) -> None:
    assert PLACE is not None
    described, recording = Descriptions.read(PLACE), record(world)

    do_everything_once(world, new_plane)

    found = {each for answer in recording.answers for each in described.deviations(answer)}
    assert found == DEVIATIONS.keys()
    assert all(reason for reason in DEVIATIONS.values())
    assert len(recording.answers) > 20


def do_everything_once(world: World, new_plane: PlaneMaker) -> None:
    """Every request that a plane or the trigger command makes, with and without something to find."""
    plane = new_plane("APAC", integration=APAC)
    plane.tasks.does = lambda context: context.report("at work") or Outcome.errored("broken")  # type: ignore[func-returns-value]
    client = world.client()
    client.version()
    plane.cycle()
    for location in ("APAC", "EU"):
        world.trigger(location)
    world.cycles(12)
    client.open_events(SAYHELLO, {"project": "podtato", "stage": "dev", "service": "head"})
    client.open_events(SAYHELLO, {"project": "missing"})
    world.clock.advance(INTEGRATION_TTL + 1)
    world.cycles(2)
    leave(client, APAC, Deadline.after(world.clock, 60))
    session = world.wrap_session(in_process.session(world.keptn))
    scope = ["--project", "podtato", "--stage", "dev", "--service", "head", "--sequence", "sequence1"]
    connection = ["--url", in_process.URL, "--token", world.keptn.token]
    main([*connection, *scope, "--follow"], clock=world.clock, out=io.StringIO(), session=session)
