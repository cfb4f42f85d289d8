"""What `./plane` says happens next to a run is what the poller's plan does, then and not sooner."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.runs.forecast import (
    DOES,
    FINDS,
    OVER,
    UNPROVED,
    View,
    does,
    longest_pause,
    next_step,
    stands,
)
from cli.runs.screen import what_happens_next
from control.plan import Observed, Operation, Seen, decide, is_over
from control.repairing import Repair, decide_repair
from execution_plane.keptn.look import Look, Standing
from execution_plane.ledger.runs import LONGEST_DISPATCH_LEASE, Run, State
from execution_plane.steps import StepStatus
from tests.unit.control.test_plan import (
    LOOKS,
    NOT_KNOWN,
    NOW,
    ROWS,
    RUNS,
    STEP,
    WAITING_ROWS,
    done,
    run,
    running,
    waiting,
)

VIEWS = st.builds(View, st.sampled_from([Seen.OPEN, Seen.ABSENT]), st.sampled_from(list(StepStatus)))


def planned(row: Run, view: View, at: float) -> Operation | None:
    """What the controller's own plan does about a run at a moment."""
    observed = Observed(lambda _: view.seen, {}, steps={row.event.id: view.step})
    act = decide(row, observed, at)
    return act.operation if act else None


def test_whatever_the_plan_can_do_about_a_run_can_be_said() -> None:
    assert DOES.keys() == set(Operation)
    assert FINDS.keys() == set(Repair)


@pytest.mark.parametrize(
    ("schedule", "interval", "pause"),
    [
        ("rate(1 minute)", "5", 5),
        ("rate(5 minutes)", "0", 300),
        ("cron(0/2 * * * ? *)", "300", 120),
        ("cron(* 8-18 ? * MON-FRI *)", "5", None),
    ],
)
def test_a_poll_comes_within_a_slot_unless_the_plane_rests(
    schedule: str, interval: str, pause: int | None
) -> None:
    parameters = {"ScheduleExpression": schedule, "PollIntervalSeconds": interval}

    assert longest_pause(parameters) == pause


def test_what_is_due_is_done_within_a_slot() -> None:
    row = done(finishes=0, reported_at=None)

    sentence = what_happens_next(row, next_step(row, View(), NOW), View(), NOW, pause=5)

    assert "At its next poll, within 5 s, the poller sends its finished" in sentence


def test_of_a_stack_whose_parameters_nobody_tells_no_pause_is_known() -> None:
    assert longest_pause({}) is None


@pytest.mark.parametrize(("row", "action"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_row_of_the_plan_is_foretold(row: Run, action: Operation | None) -> None:
    step = next_step(row, View(), NOW)

    if action:
        assert step
        assert (step.operation, step.at) == (action, NOW)
    else:
        assert step is None or step.at > NOW


@pytest.mark.parametrize(
    ("row", "container", "action"), [row[1:] for row in WAITING_ROWS], ids=[row[0] for row in WAITING_ROWS]
)
def test_each_row_about_a_container_is_foretold(
    row: Run, container: StepStatus, action: Operation | None
) -> None:
    step = next_step(row, View(step=container), NOW)

    if action:
        assert step
        assert (step.operation, step.at) == (action, NOW)
    else:
        assert step is None or step.at > NOW


@given(RUNS, VIEWS)
def test_what_is_foretold_comes_then_and_nothing_comes_sooner(row: Run, view: View) -> None:
    step = next_step(row, view, NOW)

    if step is None:
        assert planned(row, view, NOW + 1_000_000) is None
        return
    assert planned(row, view, step.at) is step.operation
    for sooner in (0.0, 0.5, 0.99):
        moment = NOW + (step.at - NOW) * sooner
        if step.at - moment > 1:
            assert planned(row, view, moment) is None


@given(RUNS, VIEWS, st.booleans())
def test_every_run_has_a_sentence_that_names_what_the_plan_does(
    row: Run, view: View, is_ticking: bool
) -> None:
    step = next_step(row, view, NOW)

    sentence = what_happens_next(row, step, view, NOW, is_ticking=is_ticking)

    assert stands(row, view, NOW) in sentence
    if step:
        assert does(step, row, view) in sentence
    assert sentence.endswith(".")


@given(LOOKS | st.none(), st.sampled_from(["", "0/0", "1/0", "1/1"]))
def test_what_keptn_has_said_decides_what_is_foretold_of_a_repair(look: Look | None, looked: str) -> None:
    row = done(looked=looked, looked_at=NOW - 3600, reported_at=NOW - 7200, lease_until=NOW - 7200)
    view = View(look=look, is_looked=True)

    step = next_step(row, view, NOW)

    assert step
    assert does(step, row, view) == (
        OVER if look is None or is_over(look) else FINDS[decide_repair(row, look)]
    )


@given(LOOKS | st.none())
def test_what_keptn_has_said_decides_what_is_foretold_of_a_task_that_it_does_not_list(
    look: Look | None,
) -> None:
    view = View(Seen.ABSENT, look=look, is_looked=True)

    step = next_step(running(), view, NOW)

    assert step
    assert does(step, running(), view) == (OVER if is_over(look) else UNPROVED)


@pytest.mark.parametrize(
    ("row", "view", "sentence"),
    [
        (
            run(),
            View(),
            "Now a worker was invoked once, and has yet to take the task. If nothing changes until "
            "14:14:20 UTC (in 1 min), the poller invokes a worker for it again: none has taken it in time.",
        ),
        (
            running(begun=True, lease_until=NOW + 900),
            View(),
            "Now a worker has it. If nothing changes until 14:28:20 UTC (in 15 min), the poller ends it "
            "as errored: The worker was lost while the task ran (out of memory, killed, or a crash); see "
            "its log group.",
        ),
        (
            waiting(),
            View(step=StepStatus.UNDER_WAY),
            "Now its container runs. If nothing changes until 14:16:40 UTC (in 3 min 20 s), the poller "
            "stops the container: its maxPollDuration is over.",
        ),
        (
            waiting(replace(NOT_KNOWN, trouble="Capacity is unavailable.")),
            View(),
            "Now AWS has not started its container yet (Capacity is unavailable). At its next poll, the "
            "poller asks AWS for the container, and has it submitted if there is none: it may not have been "
            "submitted.",
        ),
        (
            done(finishes=0, reported_at=None),
            View(),
            "Now its outcome is known, and its finished is to be sent. At its next poll, the poller sends"
            " its finished: nobody sends it.",
        ),
        (
            done(reported_at=NOW - 10),
            View(Seen.ABSENT, look=Look(Standing.OVER), is_looked=True),
            "Now its finished was sent, and Keptn has yet to close the task. At its next poll, the poller"
            " closes the run: Keptn says that the task is over.",
        ),
        (
            done(silent=True, finishes=0, reported_at=None),
            View(),
            "Now its work is done, and Keptn gets no reply about it; the poller closes it once Keptn no "
            "longer lists its task.",
        ),
        (
            done().closed(NOW),
            View(Seen.ABSENT),
            "Nothing happens next: it is over; DynamoDB deletes its record after 2026-10-21 14:13:20 UTC.",
        ),
    ],
)
def test_the_sentence_reads_well(row: Run, view: View, sentence: str) -> None:
    assert what_happens_next(row, next_step(row, view, NOW), view, NOW) == sentence


def test_a_plane_whose_schedule_is_disabled_does_nothing() -> None:
    row = running(lease_until=NOW)

    sentence = what_happens_next(row, next_step(row, View(), NOW), View(), NOW, is_ticking=False)

    assert (
        "The schedule is disabled: once it is enabled, the poller lets another worker have the task"
        in sentence
    )


def test_a_run_that_waits_long_in_lambdas_queue_is_foretold_exactly() -> None:
    row = run(dispatches=9, lease_until=NOW + LONGEST_DISPATCH_LEASE, started_at=NOW - 100)

    step = next_step(row, View(), NOW)

    assert step
    assert step.operation is Operation.DISPATCH
    assert step.at == pytest.approx(NOW + LONGEST_DISPATCH_LEASE, abs=0.6)


def test_every_state_stands_somehow() -> None:
    rows = {State.WAITING: waiting(STEP), State.DONE: done(), State.CLOSED: done().closed(NOW)}

    assert all(stands(rows.get(state, run(state)), View(), NOW) for state in State)
