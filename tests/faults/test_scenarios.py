"""The scenarios of the fault matrices go through all that the plan can say."""

from collections.abc import Callable
from typing import Any

import pytest

from control.plan import Adopt, Claim, Decision, Operation, plan
from tests.faults import test_containers_matrix, test_matrix
from tests.faults.simulation import Simulation
from tests.support.aws import aws_in_memory

SIMULATED: list[tuple[type[Simulation], Callable[[Any], None]]] = [
    *((test_matrix.MotoSimulation, scenario) for scenario in test_matrix.SCENARIOS),
    *(
        (test_containers_matrix.ContainerSimulation, scenario)
        for scenario in test_containers_matrix.SCENARIOS
    ),
]


def test_every_action_of_the_plan_is_in_a_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: set[str] = set()

    def noting(*arguments: Any, **more: Any) -> list[Decision]:
        decisions = plan(*arguments, **more)
        planned.update(decision.action for decision in decisions)
        return decisions

    monkeypatch.setattr("control.controller.plan", noting)
    for simulation, scenario in SIMULATED:
        with aws_in_memory():
            scenario(simulation())

    assert planned == {Claim.action, Adopt.action, *(each.value for each in Operation)}
