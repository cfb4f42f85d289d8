"""What events that Keptn lists though no sequence is at them cost: requests, in simulated minutes."""

import json
from collections.abc import Iterator
from typing import Any, cast

from bench.figures import Figure
from local.keptn.faults import Answer, Delay
from tests.support.memory_ledger import MemoryLedger
from tests.support.world import SHIPYARD, Plane, World

TITLE = "(i) A minute beside stale events, which Keptn lists though no sequence is at them: requests to Keptn"
CASES = ((0, 1), (100, 1), (500, 1), (500, 10), (500, 100))  # events, projects
PACES = (("idle", 5), ("busy", 1))  # seconds between two cycles
OLD = 300  # seconds since the events were triggered; Keptn gives up on them after 600
MOST = 2 * 60
NO_EXECUTIONS = Answer(200, json.dumps({"sequenceExecutions": []}), "application/json")


def measure() -> Iterator[Figure]:
    """Requests of a minute, beside those of one without stale events."""
    without: dict[str, int] = {}
    for events, projects in CASES:
        for pace, requests in _minutes(events, projects).items():
            least = without.setdefault(pace, requests)
            what = f"{pace}, {events} stale events in {projects} project{'s' * (projects > 1)}"
            yield Figure(what, requests, least, at_most=least + MOST)


def _minutes(events: int, projects: int) -> dict[str, int]:
    world = World()
    plane = Plane(world, cast("Any", MemoryLedger()), source="bench")
    services = tuple(f"service-{number}" for number in range(events // projects))
    for number in range(projects):
        world.keptn.create_project(f"project-{number}", SHIPYARD, services)
        for service in services:
            world.keptn.trigger(f"project-{number}", "dev", service, "sequence1", {})
    world.settle()
    questions = world.keptn.faults.add(NO_EXECUTIONS, "sequence-execution")
    others = world.keptn.faults.add(Delay(0), "")
    asked = {}
    world.clock.advance(OLD)
    plane.cycle()
    for pace, seconds in PACES:
        before = questions.seen + others.seen
        for _ in range(60 // seconds):
            world.clock.advance(seconds)
            plane.cycle()
        asked[pace] = questions.seen + others.seen - before
    return asked
