import pytest

from local.keptn import shipyard
from tests.unit.local_keptn.harness import SHIPYARD

HEAD = "apiVersion: spec.keptn.sh/0.2.2\nkind: Shipyard\nmetadata: {name: s}\n"


def test_a_shipyard_names_its_stages_sequences_and_tasks() -> None:
    plan = shipyard.read(SHIPYARD)
    sequence = plan.sequence("dev", "delivery")
    assert [stage.name for stage in plan.stages] == ["dev", "prod"]
    assert [task.name for task in sequence.tasks] == ["deployment", "test"]


def test_every_stage_has_a_built_in_evaluation_sequence() -> None:
    sequence = shipyard.read(SHIPYARD).sequence("dev", "evaluation")
    assert [task.name for task in sequence.tasks] == ["evaluation"]


@pytest.mark.parametrize(
    ("result", "triggered"),
    [("pass", ["delivery"]), ("warning", ["delivery"]), ("fail", ["rollback"]), ("unknown", [])],
)
def test_what_a_stages_end_triggers_depends_on_the_result(result: str, triggered: list[str]) -> None:
    following = shipyard.read(SHIPYARD).triggered_by("dev", "delivery", result, "test")
    assert following == [("prod", sequence) for sequence in triggered]


def test_a_selector_may_name_the_last_task() -> None:
    trigger = shipyard.Trigger("dev.delivery.finished", {"test.result": "warning"})
    assert trigger.fires("dev.delivery.finished", "warning", "test")
    assert not trigger.fires("dev.delivery.finished", "warning", "deployment")


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "just text",
        "kind: Shipyard",
        HEAD + "spec: {stages: []}",
        HEAD + "spec: {stages: [{name: dev}]}",
        HEAD + "spec: {stages: [{name: Dev, sequences: []}]}",
        HEAD + "spec: {stages: [{name: dev, sequences: [{name: s}]}]}",
        HEAD + "spec: {stages: [{name: dev, sequences: [{name: s, tasks: [{name: t, timeout: 5m}]}]}]}",
        HEAD + "spec: {stages: [{name: dev, sequences: [{name: s, tasks: [{name: t, properties: x}]}]}]}",
        HEAD + "spec: {stages: [{name: dev, sequences: [{name: s, tasks: [], triggeredOn: [{}]}]}]}",
        HEAD.replace("0.2.2", "0.1.0") + "spec: {stages: [{name: dev, sequences: []}]}",
        HEAD.replace("metadata: {name: s}", "metadata: {}") + "spec: {stages: [{name: dev, sequences: []}]}",
    ],
)
def test_what_the_schema_refuses_is_refused(text: str) -> None:
    with pytest.raises(shipyard.InvalidShipyard):
        shipyard.read(text)
