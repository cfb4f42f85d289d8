"""The promise, as checks on a control plane and the planes around it, once they are at rest."""

from collections import Counter

from local.keptn.control_plane import Keptn
from tests.support.world import SAYHELLO, Plane, World

REST_CYCLES = 220
"""Cycles within which everything must have come to rest: an hour, more than any pause in the plan."""


def bring_to_rest(world: World) -> None:
    """Cycle, with no more faults, until nothing is active or open; fails if that takes too long."""
    for _ in range(REST_CYCLES):
        world.cycles(1, 20.0)
        if is_at_rest(world):
            return
    raise AssertionError(f"not at rest: {describe(world)}")


def is_at_rest(world: World) -> bool:
    queued = any(plane.queue.invocations for plane in world.planes)
    active = any(plane.ledger.active() for plane in world.planes)
    return not queued and not active and not world.keptn.open_events(SAYHELLO)


def check_promise(world: World, tasks: list[str], *, keptn_lost_nothing: bool = True) -> None:
    """Each task began at most once, and has as many finished as started or a sequence that is over."""
    begun = Counter(task for plane in world.planes for task in plane.tasks.begun)
    for plane in world.planes:
        check_containers(plane)
    for task in tasks:
        started, finished = world.keptn.counts(task)
        assert begun[task] <= 1, f"the task of {task} began {begun[task]} times"
        if is_aborted(world.keptn, task):
            continue
        assert started == finished >= 1, f"{task}: {started} started, {finished} finished"
        if keptn_lost_nothing:
            assert (started, finished) == (1, 1), f"{task}: {started} started, {finished} finished"
    assert is_at_rest(world), describe(world)


def check_containers(plane: Plane) -> None:
    """No container is left running, and none was started a second time for the same task."""
    ecs = getattr(plane.ecs, "fake", plane.ecs)
    assert not ecs.running, f"left running: {ecs.running}"
    submitted = Counter(task.request["clientToken"] for task in ecs.tasks.values())
    assert all(number == 1 for number in submitted.values()), f"started more than once: {submitted}"


def is_aborted(keptn: Keptn, task: str) -> bool:
    """Whether the task's sequence came to an end other than by our replies."""
    executions = [each for project in keptn.projects for each in keptn.controller.records.executions(project)]
    mine = [each for each in executions if each.status.current.triggered_id == task]
    return any(each.status.state in {"finished", "timedOut"} for each in mine)


def describe(world: World) -> str:
    runs = [run for plane in world.planes for run in plane.ledger.active()]
    return f"runs {runs}; open {[event['id'] for event in world.keptn.open_events(SAYHELLO)]}"
