"""Steps that need to know what tasks may use, while SSM says so, does not answer, or forbids them."""

from collections.abc import Callable

import pytest

from execution_plane.settings import Allowlists
from runners.allowlists import AllowlistsUnreadable
from tests.support.container_runs import counts, message
from tests.support.job_configs import ALLOWED, use_job_config
from tests.support.world import Plane, World

STEP = """\
apiVersion: v2
actions:
  - name: All
    events: [{{name: sayhello}}]
    tasks: [{{name: Step, maxPollDuration: 600, {}}}]
"""
ROLE = "image: alpine, serviceAccount: deployer"
KINDS = (ROLE, "stateMachine: load-test")


def failing(times: int) -> Callable[[], Allowlists]:
    """What is allowed, which can't be read so many times."""
    left = iter(range(times))

    def allowed() -> Allowlists:
        for _ in left:
            raise AllowlistsUnreadable("the SSM parameter can't be read: Rate exceeded")
        return ALLOWED

    return allowed


def running(plane: Plane) -> int:
    return len(plane.ecs.running) + len(plane.sfn.running)


@pytest.mark.parametrize("step", KINDS)
def test_a_step_is_started_as_soon_as_ssm_answers(plane: Plane, world: World, step: str) -> None:
    use_job_config(plane, STEP.format(step), allowed=failing(2))
    world.trigger()

    world.cycles(1)
    assert running(plane) == 0
    world.cycles(12)
    assert running(plane) == 1


@pytest.mark.parametrize("step", KINDS)
def test_a_step_for_which_ssm_never_answers_is_errored_at_its_deadline(
    plane: Plane, world: World, step: str
) -> None:
    use_job_config(plane, STEP.format(step), allowed=failing(1_000_000))
    task = world.trigger()

    world.cycles(40)
    world.clock.advance(600)
    world.cycles(10)

    assert running(plane) == 0
    assert counts(world, task) == (1, 1)
    assert "Rate exceeded" in message(world, task)


def test_a_container_has_the_role_that_its_task_names(plane: Plane, world: World) -> None:
    use_job_config(plane, STEP.format(ROLE))
    world.trigger()
    world.cycles(2)

    (definition,) = plane.ecs.definitions.values()
    assert definition["taskRoleArn"] == ALLOWED.task_roles["deployer"]


@pytest.mark.parametrize(("allowed", "shown"), [(ALLOWED, "deployer"), (Allowlists(), "there is none")])
def test_a_role_that_is_not_allowed_is_refused(
    plane: Plane, world: World, allowed: Allowlists, shown: str
) -> None:
    use_job_config(plane, STEP.format(ROLE.replace("deployer", "admin")), allowed=lambda: allowed)
    task = world.trigger()
    world.cycles(4)

    assert message(world, task) == (
        f"The serviceAccount admin is not among those that this plane allows (ContainerTaskRoles: {shown})."
    )


def test_a_container_without_a_role_of_its_own_asks_for_no_list(plane: Plane, world: World) -> None:
    use_job_config(plane, STEP.format("image: alpine"), allowed=failing(1_000_000))
    world.trigger()
    world.cycles(2)

    assert running(plane) == 1
