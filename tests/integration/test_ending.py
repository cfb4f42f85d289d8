"""Ending a run by hand: whoever wins the write has ended it, and Keptn gets one finished."""

from collections.abc import Callable

import pytest

from cli.runs.ending import Ended, NotEnded, end, refusal
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.history import What
from execution_plane.ledger.runs import Run, State
from local.keptn.faults import Answer
from runs.work import TaskContext
from tests.faults.invariants import bring_to_rest, check_containers, check_invariants
from tests.support.container_runs import ONE, begin
from tests.support.ecs import CLUSTER
from tests.support.ecs import refusal as ecs_refusal
from tests.support.job_configs import use_job_config
from tests.support.world import Plane, World

REASON = "it hangs"
SAID = "An operator ended the task: it hangs"


def end_it(plane: Plane, task: str, seen: Run | None = None) -> Ended:
    """An operator ends a run as they saw it."""
    return end(plane.ledger, plane.steps(), plane.world.aws_clock, seen or plane.run(task), REASON)


def claimed(world: World, plane: Plane) -> str:
    task = world.trigger()
    plane.cycle()
    return task


def lost(world: World, plane: Plane) -> str:
    """A run whose worker took it, and was not heard of again."""
    task = claimed(world, plane)
    run = plane.run(task)
    plane.ledger.move(run, run.acquired(plane.world.aws_clock.now()))
    plane.queue.invocations.clear()
    return task


def waiting(world: World, plane: Plane) -> str:
    use_job_config(plane, ONE)
    task = world.trigger()
    begin(plane)
    return task


@pytest.mark.parametrize("reach", [claimed, lost, waiting])
def test_an_ended_run_is_errored_in_keptn_with_the_reason_and_counted_once(
    world: World, plane: Plane, reach: Callable[[World, Plane], str]
) -> None:
    task = reach(world, plane)

    ended = end_it(plane, task)
    bring_to_rest(world)

    assert (ended.run.state, ended.problem) == (State.DONE, "")
    assert world.keptn.counts(task) == (1, 1)
    data = world.finished(task)
    assert (data["status"], data["result"], data["message"]) == ("errored", "fail", SAID)
    assert plane.tasks.begun == []
    check_invariants(world, [task])


def test_the_container_of_an_ended_run_is_stopped(world: World, plane: Plane) -> None:
    task = waiting(world, plane)

    end_it(plane, task)

    assert plane.ecs.running == []
    bring_to_rest(world)
    check_containers(plane)


def test_a_container_that_was_submitted_without_an_answer_is_found_and_stopped(
    world: World, plane: Plane
) -> None:
    task = waiting(world, plane)
    run = plane.run(task)
    assert run.step
    plane.ledger.move(run, run.waiting(run.step, (), plane.world.aws_clock.now(), silent=False))
    assert plane.run(task).step is not None
    assert plane.run(task).step.handle == ""  # type: ignore[union-attr]

    end_it(plane, task)

    assert plane.ecs.running == []


def test_where_ecs_does_not_stop_the_container_the_operator_is_told_how_to(
    world: World, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = waiting(world, plane)

    def down(**_: object) -> None:
        raise ecs_refusal("ServerException", "no", "StopTask")

    monkeypatch.setattr(plane.ecs, "stop_task", down)

    ended = end_it(plane, task)

    assert ended.run.state is State.DONE
    arn = plane.ecs.running[0].arn
    assert f"aws ecs stop-task --cluster {CLUSTER} --task {arn}" in ended.problem


def test_a_worker_that_has_the_run_stops_the_task_and_sends_nothing(world: World, plane: Plane) -> None:
    task = claimed(world, plane)
    answers: list[bool] = []

    def work(context: TaskContext) -> Outcome:
        end_it(plane, task)
        answers.append(context.still_wanted())
        return Outcome("pass", "succeeded", "done all the same")

    plane.tasks.does = work
    plane.work_all()
    bring_to_rest(world)

    assert answers == [False]
    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["message"] == SAID


def test_two_operators_and_a_worker_that_finishes_meanwhile_send_one_finished(
    world: World, plane: Plane
) -> None:
    """Both operators saw the run at work; between their looking and their writing, the worker ended it."""
    task = claimed(world, plane)
    seen: list[Run] = []

    def work(_: TaskContext) -> Outcome:
        seen.append(plane.run(task))
        return Outcome("pass", "succeeded", "done in time")

    plane.tasks.does = work
    plane.work_all()

    for _ in range(2):
        with pytest.raises(NotEnded, match="its outcome is known, and its finished was sent"):
            end_it(plane, task, seen[0])

    bring_to_rest(world)
    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["message"] == "done in time"


def test_of_two_operators_one_ends_the_run_while_its_worker_loses_it(world: World, plane: Plane) -> None:
    """All three write from the same state of the run: the first operator wins."""
    task = claimed(world, plane)
    refusals: list[str] = []

    def work(_: TaskContext) -> Outcome:
        seen = plane.run(task)
        end_it(plane, task, seen)
        with pytest.raises(NotEnded) as second:
            end_it(plane, task, seen)
        refusals.append(str(second.value))
        return Outcome("pass", "succeeded", "done too late")

    plane.tasks.does = work
    assert plane.work_all() == ["somebody else has the run"]
    bring_to_rest(world)

    assert "the next poll sends its finished" in refusals[0]
    assert world.keptn.counts(task) == (1, 1)
    assert world.finished(task)["message"] == SAID
    record = plane.ledger.record(task)
    assert record
    assert [entry.what for entry in record.history].count(What.ENDED) == 1


def test_a_run_that_is_merely_dispatched_again_meanwhile_is_ended_all_the_same(
    world: World, plane: Plane
) -> None:
    task = claimed(world, plane)
    seen = plane.run(task)
    plane.ledger.move(seen, seen.dispatched_again(plane.world.aws_clock.now()))

    assert end_it(plane, task, seen).run.state is State.DONE


def test_a_finished_that_does_not_reach_keptn_is_sent_once_it_does(world: World, plane: Plane) -> None:
    task = claimed(world, plane)
    end_it(plane, task)
    world.keptn.faults.add(Answer(503), "/v1/event", "POST")
    world.cycles(3)
    world.keptn.faults.clear()

    bring_to_rest(world)

    assert world.keptn.counts(task) == (1, 1)


def test_a_silent_run_is_ended_without_a_word_to_keptn(world: World, plane: Plane) -> None:
    use_job_config(plane, ONE.replace("  - name: Greet\n", "  - name: Greet\n    silent: true\n"))
    task = world.trigger()
    begin(plane)
    assert plane.run(task).silent

    end_it(plane, task)

    assert plane.ecs.running == []
    assert plane.run(task).state is State.DONE
    world.cycles(3)
    assert world.keptn.counts(task) == (0, 0)


def test_what_is_closed_or_done_is_refused_with_the_reason(world: World, plane: Plane) -> None:
    task = world.trigger()
    bring_to_rest(world)
    run = plane.run(task)

    with pytest.raises(NotEnded, match="the run is closed"):
        end_it(plane, task)

    assert plane.run(task) == run
    silent = Run.claimed(run.event, "plane", 0.0, 1.0).completed_silently()
    assert "its work is done" in refusal(silent)
