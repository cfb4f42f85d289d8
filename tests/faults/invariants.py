"""What always holds of a control plane and the planes around it, once they are at rest."""

from collections import Counter
from collections.abc import Container, Iterator
from enum import Enum

from execution_plane.ledger.runs import Run
from local.keptn.control_plane import Keptn
from local.keptn.execution import FINISHED, TIMED_OUT, Status
from tests.support.world import SAYHELLO, Plane, World

REST_CYCLES = 220
"""Cycles within which everything must have come to rest: an hour, more than any pause in the plan."""


class Ending(Enum):
    """How Keptn ended a task."""

    COMPLETED = "completed by replies"
    ABORTED = "aborted by a user"
    TIMED_OUT = "timed out, since Keptn was sent no reply"


def bring_to_rest(world: World) -> None:
    """Cycle, with no more faults, until nothing is active or open; fails if that takes too long."""
    for _ in range(REST_CYCLES):
        world.cycles(1, 20.0)
        if is_at_rest(world):
            return
    raise AssertionError(f"not at rest: {describe(world)}")


def is_at_rest(world: World) -> bool:
    if world.keptn.open_events(SAYHELLO) or any(plane.queue.invocations for plane in world.planes):
        return False
    return not any(plane.ledger.active() for plane in world.planes)


def check_invariants(
    world: World,
    tasks: list[str],
    *,
    keptn_lost_nothing: bool = True,
    may_time_out: bool = False,
    in_doubt: Container[str] = (),
) -> None:
    """Each task began at most once, and has as many finished as started or a sequence that is over.

    Keptn may time a task out only where it lost a reply, or where a test says so. Of those `in_doubt` only
    what was counted is checked: the ledger was lost after a reply, or AWS's clock jumped while one was under
    way, so that it may have been sent again.
    """
    begun = Counter(task for plane in world.planes for task in plane.tasks.begun)
    for plane in world.planes:
        check_containers(plane)
        check_executions(plane)
    for task in tasks:
        assert begun[task] <= 1, f"the task of {task} began {begun[task]} times"
        check_ending(world, task, is_exact=keptn_lost_nothing, may_time_out=may_time_out)
        if task not in in_doubt:
            check_sent(world, task, is_exact=keptn_lost_nothing)
    assert is_at_rest(world), describe(world)


def check_ending(world: World, task: str, *, is_exact: bool, may_time_out: bool) -> None:
    """Keptn counted as many finished as started of a task, at least one; or ended it otherwise."""
    ending, (started, finished) = ending_of(world.keptn, task), world.keptn.counts(task)
    what = f"{task}: {ending.value}; counted {started} started, {finished} finished"
    if ending is Ending.COMPLETED:
        assert started == finished >= 1, what
        assert not is_exact or started == 1, what
    assert ending is not Ending.TIMED_OUT or may_time_out or not is_exact, what


def check_sent(world: World, task: str, *, is_exact: bool) -> None:
    """Keptn was sent no reply that the ledger was not written for, and no finished of a cancelled run.

    Where it is exact, it was sent no more than one of each.
    """
    for run in runs_of(world, task):
        started, finished = replies_to(world, task, run.source)
        what = f"{task}: closed as {run.closed_as}; sent {started} started, {finished} finished"
        assert run.started_at is not None or not started, what
        assert run.finishes or not finished, what
        assert run.closed_as != "cancelled" or not finished, what
        assert not is_exact or max(started, finished) <= 1, what


def check_containers(plane: Plane) -> None:
    """No container is left running, and none was started a second time for the same task."""
    ecs = getattr(plane.ecs, "fake", plane.ecs)
    assert not ecs.running, f"left running: {ecs.running}"
    submitted = Counter(task.request["startedBy"] for task in ecs.tasks.values())
    assert all(number == 1 for number in submitted.values()), f"started more than once: {submitted}"


def check_executions(plane: Plane) -> None:
    """No execution is left running, and no state machine was started a second time for the same event."""
    sfn = getattr(plane.sfn, "fake", plane.sfn)
    assert not sfn.running, f"left running: {sfn.running}"
    started = Counter((each.event_id, each.machine) for each in sfn.executions.values())
    assert all(number == 1 for number in started.values()), f"started more than once: {started}"


def ending_of(keptn: Keptn, task: str) -> Ending:
    """How a task ended; one whose project was deleted counts as completed."""
    executions = [each for project in keptn.projects for each in keptn.controller.records.executions(project)]
    for status in (each.status for each in executions if each.status.current.triggered_id == task):
        if status.state == TIMED_OUT:
            return Ending.TIMED_OUT
        if status.state == FINISHED and not status.current.is_finished():
            return Ending.ABORTED
    if any(is_aborted_when_triggered(keptn, each.status, task) for each in executions):
        return Ending.ABORTED
    return Ending.COMPLETED


def is_aborted_when_triggered(keptn: Keptn, status: Status, task: str) -> bool:
    """Whether a user aborted the sequence in the moment in which Keptn triggered the task.

    Keptn then has the task still as the current one, lists it no longer, and lets nothing complete it.
    """
    is_listed = any(event["id"] == task for event in keptn.open_events(SAYHELLO))
    return status.current.triggered_id == task and not status.current.is_finished() and not is_listed


def replies_to(world: World, task: str, source: str) -> tuple[int, int]:
    """How many started and finished from a source Keptn was sent for a task, counted or not."""
    kinds = Counter(
        event["type"].rpartition(".")[2]
        for event in world.keptn.received
        if event.get("triggeredid") == task and event["source"] == source
    )
    return kinds["started"], kinds["finished"]


def runs_of(world: World, task: str) -> Iterator[Run]:
    """What the planes' ledgers have of a task."""
    for plane in world.planes:
        if run := plane.ledger.get(task):
            yield run


def describe(world: World) -> str:
    runs = [run for plane in world.planes for run in plane.ledger.active()]
    return f"runs {runs}; open {[event['id'] for event in world.keptn.open_events(SAYHELLO)]}"
