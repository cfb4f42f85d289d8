"""`sam deploy` of other parameters, and of another version, while a task runs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.conftest import HOLD, JOB_CONFIG, SHIPYARD
from tests.deploy.planes import Sequence, deploy, parameters, serving
from tests.deploy.sam_cli import SamCli, Stack
from tests.support.application import released_application, this_architecture

REGION = "ca-central-1"


@pytest.fixture(scope="module")
def stack(sam: SamCli, keptn: KeptnServer) -> Iterator[Stack]:
    given = parameters(keptn, WorkerTimeoutSeconds="60")
    made = deploy(sam, "updated", "us-east-1", given, keptn.token)
    yield made
    made.remove()


def hold(stack: Stack, keptn: KeptnServer, let_go: Path) -> Sequence:
    """A sequence whose task runs until it is let go."""
    sequence = Sequence(keptn, "holding", {"hold": {"until": str(let_go)}})
    stack.tick()
    assert sequence.comes_to(1, 0)
    return sequence


def test_a_task_runs_to_its_end_while_the_schedule_and_the_poller_are_changed(
    stack: Stack, keptn: KeptnServer, let_go: Path
) -> None:
    sequence = hold(stack, keptn, let_go)

    changes = {
        "ScheduleExpression": "cron(* * * * ? *)",
        "PollIntervalSeconds": "3",
        "PollerMemoryMegabytes": "512",
    }
    stack.deploy(parameters(keptn, WorkerTimeoutSeconds="60", **changes))
    let_go.touch()

    assert stack.parameters().items() >= changes.items()
    assert sequence.comes_to(1, 1)
    (finished,) = sequence.events("finished")
    assert (finished["data"]["result"], finished["data"]["message"]) == ("pass", "let go")


def test_a_run_ends_once_while_its_worker_is_changed_and_containers_come_and_go(
    stack: Stack, keptn: KeptnServer, let_go: Path
) -> None:
    """The emulator kills a function's processes when the function is changed; AWS lets them end."""
    sequence = hold(stack, keptn, let_go)

    given = parameters(keptn, WorkerTimeoutSeconds="60", WorkerMemoryMegabytes="1024")
    stack.deploy(given | {"Containers": "enabled", "ContainerSubnetIds": "subnet-0a1b2c3d"})
    assert stack.outputs()["ContainerClusterName"] == stack.name
    stack.deploy(given | {"Containers": "disabled"})
    assert "ContainerClusterName" not in stack.outputs()
    let_go.touch()

    assert sequence.comes_to(1, 1)
    assert len(sequence.events("started")) == len(sequence.events("finished")) == 1


@pytest.fixture
def another_keptn() -> Iterator[KeptnServer]:
    """A control plane that no other plane is registered in."""
    with serving(SHIPYARD, JOB_CONFIG) as running:
        yield running


@pytest.mark.timeout(600)
def test_a_run_of_the_version_before_timers_ends_once_and_the_next_task_is_taken(
    sam: SamCli, another_keptn: KeptnServer, let_go: Path, tmp_path: Path
) -> None:
    """The file of that version's plane serves as it is: the SAM CLI leaves out what the template lacks."""
    old = released_application(tmp_path / "released", {"hold": HOLD})
    if old is None:
        pytest.skip("the repository's history does not reach back to the version before timers")
    keptn, earlier = another_keptn, replace(sam, application=old)
    earlier("build", "--parameter-overrides", f"Architecture={this_architecture()}")
    given = parameters(keptn, WorkerTimeoutSeconds="60", PollWindowSeconds="50")
    stack = deploy(earlier, "upgraded", REGION, given, keptn.token)
    sequence = Sequence(keptn, "holding", {"hold": {"until": str(let_go)}})
    stack.client("lambda").invoke(
        FunctionName=stack.outputs()["PollerFunctionName"], InvocationType="Event", Payload=b"{}"
    )
    assert sequence.comes_to(1, 0)
    (known,) = keptn.keptn.uniform.integrations()

    stack = Stack(sam, stack.name, stack.region)
    stack.deploy(given)
    let_go.touch()

    assert sequence.comes_to(1, 1)
    assert len(sequence.events("started")) == len(sequence.events("finished")) == 1
    following = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})
    stack.tick()
    assert following.comes_to(1, 1)
    assert [each["id"] for each in keptn.keptn.uniform.integrations()] == [known["id"]]
    stack.remove()
    assert keptn.keptn.uniform.integrations() == []
