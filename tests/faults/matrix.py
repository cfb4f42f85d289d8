"""Fault matrices: a scenario goes once for each call in it and each fault, or for the calls of a sample."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.faults.injection import Call, Fault
from tests.faults.simulation import Simulation
from tests.support.aws import aws_in_memory
from tests.support.sample import STRIKES, Extent, strikes

MOST_SECONDS = 1800  # for all the calls of one scenario and fault
FAULTS = list(Fault)
Scenario = Callable[[Any], None]


def matrix(
    new_simulation: Callable[[int | None, Fault | None], Simulation],
    *scenarios: Scenario,
    sampled_strikes: int = STRIKES,
) -> Callable[..., None]:
    """A test for each scenario and fault: the scenario goes once for each call that is to have the fault.

    In a sample, at most `sampled_strikes` of its calls have it.
    """

    def simulate(scenario: Scenario, point: int | None, fault: Fault | None) -> list[Call]:
        with aws_in_memory():
            simulation = new_simulation(point, fault)
            scenario(simulation)
            simulation.come_to_rest()
            return simulation.injector.calls

    @cache
    def calls_of(scenario: Scenario) -> list[Call]:
        return simulate(scenario, None, None)

    @cache
    def sample() -> dict[tuple[int, Fault], list[int]]:
        return strikes([calls_of(scenario) for scenario in scenarios], FAULTS, Call.suffers, sampled_strikes)

    @pytest.mark.timeout(MOST_SECONDS)
    @pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
    @pytest.mark.parametrize("scenario", scenarios, ids=lambda scenario: scenario.__name__)
    def the_invariants_hold(scenario: Scenario, fault: Fault, extent: Extent) -> None:
        suffer = [point for point, call in enumerate(calls_of(scenario)) if call.suffers(fault)]
        points = extent.faults(suffer, sample()[scenarios.index(scenario), fault])
        broken = []
        for point in points:
            try:
                simulate(scenario, point, fault)
            except AssertionError as failure:
                broken.append(f"{point}: {failure}")
        extent.survived(len(points) - len(broken))
        assert points
        assert not broken, "\n".join(broken)

    test: Callable[..., None] = the_invariants_hold
    return test
