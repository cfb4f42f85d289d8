"""The plan's table, row by row, and what must hold of every plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.plan import (
    ABSENT,
    ABSENT_FORGOTTEN,
    BETWEEN_LOOKS,
    CLOSED_AFTER,
    HANDLED_WITHIN,
    OVERDUE,
    QUIET,
    START_AFTER,
    SUBMITTED_ONCE,
    Act,
    Adopt,
    Claim,
    Failure,
    Observed,
    Operation,
    Seen,
    decide_start,
    is_absent_for_good,
    is_over,
    may_submit,
    plan,
)
from control.repairing import Repair, decide_repair
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.keptn.look import Look, Standing
from execution_plane.ledger.replies import missing
from execution_plane.ledger.runs import MOST_ATTEMPTS, RemoteStep, Run, State, counts
from execution_plane.steps import StepStatus

NOW = 1_790_000_000.0
CONTEXT = "08735340-6f9e-4b32-97ff-3b6c292bc509"
OUTCOME = Outcome("pass", "succeeded", "done")


def ref(event_id: str = "event") -> EventRef:
    return EventRef(event_id, "sh.keptn.event.sayhello.triggered", CONTEXT, "p", "s", "v")


def run(state: State = State.CLAIMED, **changes: Any) -> Run:
    """A run that was claimed a minute ago, whose lease lasts, and that is due nothing."""
    defaults: dict[str, Any] = {
        "event": ref(),
        "source": "plane",
        "state": state,
        "claimed_at": NOW - 60,
        "deadline": NOW + 3600,
        "lease_until": NOW + 60,
        "dispatches": 1,
    }
    return Run(**(defaults | changes))


def running(**changes: Any) -> Run:
    return run(State.RUNNING, **({"attempt": 1, "started_at": NOW - 50} | changes))


def done(**changes: Any) -> Run:
    """Done, its finished sent just now and answered for."""
    defaults = {
        "started_at": NOW - 50,
        "outcome": OUTCOME,
        "finishes": 1,
        "reported_at": NOW,
        "lease_until": NOW,
    }
    return run(State.DONE, **(defaults | changes))


STEP = RemoteStep(
    action=0,
    task=0,
    token="token",
    target="cluster",
    digest="digest",
    since=NOW - 100,
    deadline=NOW + 200,
    kind="container",
    handle="arn",
    submitted_at=NOW - 100,
)


def waiting(step: RemoteStep = STEP, **changes: Any) -> Run:
    """A run whose container is under way, and that nobody is at."""
    return run(State.WAITING, **({"started_at": NOW - 110, "lease_until": NOW, "step": step} | changes))


def observed(seen: Seen, *events: EventRef, **failures: Failure) -> Observed:
    """What is seen; failures are known by event, and by the request ids that they name."""
    dead = {failure.invocation: failure for failure in failures.values() if failure.invocation}
    return Observed(lambda _: seen, {event.id: event for event in events}, failures, dead)


def acts(seen: Observed, active: Sequence[Run], now: float) -> list[Act]:
    """What is planned about runs."""
    return [decision for decision in plan(seen, active, now) if isinstance(decision, Act)]


ROWS: list[tuple[str, Run, Operation | None]] = [
    ("a claimed run whose invocation may still come waits", run(), None),
    ("a claimed run is dispatched again once its lease is over", run(lease_until=NOW), Operation.DISPATCH),
    (
        "a claimed run that has waited five minutes gets its started",
        run(claimed_at=NOW - START_AFTER),
        Operation.SEND_STARTED,
    ),
    (
        "a claimed run that was started is dispatched again",
        run(claimed_at=NOW - START_AFTER, started_at=NOW - 1, lease_until=NOW),
        Operation.DISPATCH,
    ),
    (
        "a claimed run whose started is in doubt is looked at",
        run(started_at=NOW - QUIET[0], start_uncertain=True),
        Operation.REPAIR,
    ),
    ("a claimed run that crashed three workers is abandoned", run(attempt=MOST_ATTEMPTS), Operation.ABANDON),
    (
        "a claimed run for which AWS refuses to invoke a worker is abandoned after some tries",
        run(refusals=MOST_ATTEMPTS, refused="no function"),
        Operation.ABANDON,
    ),
    ("and not before", run(refusals=MOST_ATTEMPTS - 1, refused="no function"), None),
    ("a claimed run past its deadline is abandoned", run(deadline=NOW), Operation.ABANDON),
    ("a running run is its worker's", running(), None),
    ("a running run past its deadline is its worker's", running(deadline=NOW - 1), None),
    (
        "a running run whose worker was lost before the task is taken back",
        running(lease_until=NOW),
        Operation.TAKE_BACK,
    ),
    (
        "a running run whose worker was lost in the task is abandoned",
        running(lease_until=NOW, begun=True),
        Operation.ABANDON,
    ),
    (
        "a running run whose started is in doubt is looked at",
        running(start_uncertain=True, started_at=NOW - QUIET[0], begun=True),
        Operation.REPAIR,
    ),
    (
        "a running run whose started is in doubt is left for a while",
        running(start_uncertain=True, started_at=NOW - 5, begun=True),
        None,
    ),
    ("a run that is listed again is no longer absent", running(absent_at=NOW - 1), Operation.FORGET_ABSENCE),
    ("what is due comes before that", running(absent_at=NOW - 1, lease_until=NOW), Operation.TAKE_BACK),
    ("a done run is its reporter's", done(reported_at=None, lease_until=NOW + 60), None),
    ("a done run nobody reported is reported", done(finishes=0, reported_at=None), Operation.REPORT),
    ("a done run nobody reported is left while its lease lasts", done(finishes=0, lease_until=NOW + 1), None),
    ("a done run that was reported just now is left", done(), None),
    (
        "a done run whose reporter was lost is looked at",
        done(reported_at=None, lease_until=NOW - QUIET[0]),
        Operation.REPAIR,
    ),
    (
        "a done run that was reported long ago is looked at",
        done(reported_at=NOW - QUIET[0], lease_until=NOW - QUIET[0]),
        Operation.REPAIR,
    ),
    (
        "a second look comes a minute after the first",
        done(reported_at=NOW - 600, lease_until=NOW - 600, looked_at=NOW - BETWEEN_LOOKS, looked="1/0"),
        Operation.REPAIR,
    ),
    (
        "and not before",
        done(reported_at=NOW - 600, lease_until=NOW - 600, looked_at=NOW - BETWEEN_LOOKS + 1, looked="1/0"),
        None,
    ),
    (
        "after many repairs a look comes every quarter of an hour",
        done(started_at=NOW - 9999, reported_at=NOW - 900, lease_until=NOW - 900, repairs=9),
        Operation.REPAIR,
    ),
    (
        "and no more often",
        done(started_at=NOW - 9999, reported_at=NOW - 800, lease_until=NOW - 800, repairs=9),
        None,
    ),
    ("a silent run owes nothing", run(State.DONE, silent=True, lease_until=NOW - 9999), None),
]


@pytest.mark.parametrize(("row", "action"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_open_event(row: Run, action: Operation | None) -> None:
    steps = acts(observed(Seen.OPEN, row.event), [row], NOW)

    assert [step.operation for step in steps] == ([action] if action else [])
    assert all(step.run is row for step in steps)


NOT_KNOWN = replace(STEP, handle="")
WAITING_ROWS: list[tuple[str, Run, StepStatus, Operation | None]] = [
    ("a container under way is waited for", waiting(), StepStatus.UNDER_WAY, None),
    ("a container that nothing is known of is waited for", waiting(), StepStatus.UNKNOWN, None),
    ("a container's end wakes the worker", waiting(), StepStatus.ENDED, Operation.WAKE),
    ("a missing container wakes the worker", waiting(), StepStatus.MISSING, Operation.WAKE),
    ("a worker on its way is not waked", waiting(lease_until=NOW + 1), StepStatus.ENDED, None),
    (
        "a container past its deadline is stopped",
        waiting(replace(STEP, deadline=NOW)),
        StepStatus.UNDER_WAY,
        Operation.STOP,
    ),
    (
        "a container that was told to stop has its time for that",
        waiting(replace(STEP, deadline=NOW), lease_until=NOW + 1),
        StepStatus.UNDER_WAY,
        None,
    ),
    ("a container that nobody knows of is found", waiting(NOT_KNOWN), StepStatus.UNKNOWN, Operation.FIND),
    (
        "a submission has its time to be answered",
        waiting(NOT_KNOWN, lease_until=NOW + 1),
        StepStatus.UNKNOWN,
        None,
    ),
    (
        "an end that took three workers is abandoned",
        waiting(replace(STEP, resumes=MOST_ATTEMPTS)),
        StepStatus.ENDED,
        Operation.ABANDON,
    ),
    (
        "a waiting run whose started is in doubt is looked at",
        waiting(start_uncertain=True, started_at=NOW - QUIET[0]),
        StepStatus.UNDER_WAY,
        Operation.REPAIR,
    ),
    (
        "a run whose worker was lost at a container's end waits again",
        running(step=STEP, lease_until=NOW, begun=True),
        StepStatus.UNKNOWN,
        Operation.WAIT_AGAIN,
    ),
    ("a container's end is its worker's", running(step=STEP), StepStatus.UNKNOWN, None),
    (
        "a container that ECS says nothing of is given up after its deadline",
        waiting(replace(STEP, deadline=NOW - OVERDUE)),
        StepStatus.UNKNOWN,
        Operation.ABANDON,
    ),
    (
        "a container that does not stop is given up after its deadline",
        waiting(replace(STEP, deadline=NOW - OVERDUE)),
        StepStatus.UNDER_WAY,
        Operation.ABANDON,
    ),
    (
        "a container's end is handled also after its deadline",
        waiting(replace(STEP, deadline=NOW - OVERDUE)),
        StepStatus.ENDED,
        Operation.WAKE,
    ),
    (
        "a container that three workers were lost in making ready is given up",
        waiting(replace(NOT_KNOWN, resumes=MOST_ATTEMPTS)),
        StepStatus.UNKNOWN,
        Operation.ABANDON,
    ),
    (
        "an end that is not handled within an hour is given up",
        waiting(replace(STEP, wakes=MOST_ATTEMPTS, woken_at=NOW - HANDLED_WITHIN)),
        StepStatus.ENDED,
        Operation.ABANDON,
    ),
    (
        "an end for which AWS refuses to invoke a worker is given up after some tries",
        waiting(replace(STEP, wakes=MOST_ATTEMPTS), refusals=MOST_ATTEMPTS, refused="no function"),
        StepStatus.ENDED,
        Operation.ABANDON,
    ),
    (
        "an end for which hardly any worker was invoked waits for one",
        waiting(replace(STEP, wakes=MOST_ATTEMPTS - 1, woken_at=NOW - HANDLED_WITHIN)),
        StepStatus.ENDED,
        Operation.WAKE,
    ),
]


@pytest.mark.parametrize(
    ("row", "container", "action"), [row[1:] for row in WAITING_ROWS], ids=[row[0] for row in WAITING_ROWS]
)
def test_a_container_of_an_open_event(row: Run, container: StepStatus, action: Operation | None) -> None:
    what_is_seen = replace(observed(Seen.OPEN, row.event), steps={row.event.id: container})

    assert [step.operation for step in acts(what_is_seen, [row], NOW)] == ([action] if action else [])


def test_an_absent_event_with_a_container_is_proved_gone_unless_it_is_silent() -> None:
    seen = replace(observed(Seen.ABSENT), steps={"event": StepStatus.ENDED})

    assert [step.operation for step in acts(seen, [waiting()], NOW)] == [Operation.PROVE]
    assert [step.operation for step in acts(seen, [waiting(silent=True)], NOW)] == [Operation.WAKE]


def test_an_end_that_aws_gives_up_on_again_and_again_is_abandoned_with_the_reason() -> None:
    seen = replace(observed(Seen.OPEN, event=Failure("AWS gave up")), steps={"event": StepStatus.ENDED})

    third = waiting(replace(STEP, wakes=MOST_ATTEMPTS), lease_until=NOW + 900)

    (woken,) = acts(seen, [waiting()], NOW)
    (abandoned,) = acts(seen, [third], NOW)

    assert woken.operation is Operation.WAKE
    assert abandoned.operation is Operation.ABANDON
    assert "AWS gave up" in abandoned.reason


@pytest.mark.parametrize(
    ("version", "action"), [(None, Operation.ABANDON), (4, None), (5, Operation.ABANDON)]
)
def test_only_the_last_invocation_for_an_end_says_that_aws_gives_up_on_it(
    version: int | None, action: Operation | None
) -> None:
    seen = observed(Seen.OPEN, event=Failure("AWS gave up", version))
    third = waiting(replace(STEP, wakes=MOST_ATTEMPTS), lease_until=NOW + 900, version=5)

    assert [step.operation for step in acts(seen, [third], NOW)] == ([action] if action else [])


@pytest.mark.parametrize(
    ("step", "may"),
    [
        (NOT_KNOWN, True),
        (replace(NOT_KNOWN, deadline=NOW), False),
        (replace(NOT_KNOWN, submitted_at=NOW - SUBMITTED_ONCE), False),
        (replace(NOT_KNOWN, submitted_at=None, since=NOW - SUBMITTED_ONCE), True),
    ],
)
def test_a_container_is_submitted_again_only_where_that_starts_no_second_one(
    step: RemoteStep, may: bool
) -> None:
    assert may_submit(step, NOW) is may


def test_what_aws_gave_up_on_is_abandoned_with_the_reason() -> None:
    (step,) = acts(observed(Seen.OPEN, event=Failure("AWS gave up: out of date")), [run()], NOW)

    assert step.operation is Operation.ABANDON
    assert step.reason == "AWS gave up: out of date"


def test_a_failed_invocation_of_a_run_that_another_one_took_means_nothing() -> None:
    assert plan(observed(Seen.OPEN, event=Failure("AWS gave up")), [running()], NOW) == []


@pytest.mark.parametrize(
    ("version", "action"), [(None, Operation.DISPATCH), (1, Operation.DISPATCH), (5, Operation.ABANDON)]
)
def test_a_failed_invocation_that_had_the_run_is_an_attempt_and_no_reason_to_give_it_up(
    version: int | None, action: Operation
) -> None:
    taken_back = run(attempt=1, version=5, lease_until=NOW)

    (step,) = acts(observed(Seen.OPEN, event=Failure("AWS gave up", version)), [taken_back], NOW)

    assert step.operation is action


DEATH = Failure("AWS gave up: killed", invocation="mine")


@pytest.mark.parametrize(
    ("held", "action"),
    [
        (running(), Operation.TAKE_BACK),
        (running(begun=True), Operation.ABANDON),
        (running(begun=True, step=STEP), Operation.WAIT_AGAIN),
        (waiting(NOT_KNOWN), Operation.FIND),
        (run(), None),
        (done(reported_at=None, finishes=0), None),
    ],
)
def test_the_lease_of_a_worker_that_is_known_to_be_dead_is_over(held: Run, action: Operation | None) -> None:
    held = replace(held, invocation="mine", lease_until=NOW + 900)
    another = replace(held, invocation="another")

    steps = acts(observed(Seen.OPEN, event=DEATH), [held], NOW)

    assert [step.operation for step in steps] == ([action] if action else [])
    assert all(DEATH.reason in step.reason for step in steps if step.operation is Operation.ABANDON)
    if held.attempt or held.step:
        assert plan(observed(Seen.OPEN, event=DEATH), [another], NOW) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each.woken(NOW),
        lambda each: each.stopping(NOW),
        lambda each: each.submitted("arn", NOW),
        lambda each: each.not_submitted("no place", NOW),
    ],
)
def test_a_lease_that_came_after_a_workers_is_no_longer_its_own(change: Callable[[Run], Run]) -> None:
    assert change(waiting(invocation="mine")).invocation == ""


@pytest.mark.parametrize("row", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_absent_event_is_proved_gone_and_an_unknown_one_is_left(row: Run) -> None:
    (step,) = acts(observed(Seen.ABSENT), [row], max(NOW, (row.reported_at or 0) + CLOSED_AFTER))

    assert step.operation is Operation.PROVE
    assert plan(observed(Seen.UNKNOWN, event=Failure("AWS gave up")), [row], NOW) == []


def test_a_run_whose_finished_was_just_sent_stays_active_so_that_every_poller_sees_that_it_moved() -> None:
    reported = done(reported_at=NOW)

    assert plan(observed(Seen.ABSENT), [reported], NOW + CLOSED_AFTER - 1) == []
    (step,) = acts(observed(Seen.ABSENT), [reported], NOW + CLOSED_AFTER)
    assert step.operation is Operation.PROVE


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (run(attempt=MOST_ATTEMPTS), "lost 3 times"),
        (run(deadline=NOW), "RunDeadlineSeconds"),
        (run(refusals=MOST_ATTEMPTS, refused="AWS refuses: no function"), "AWS refuses: no function"),
        (running(lease_until=NOW, begun=True), "while the task ran"),
    ],
)
def test_an_abandoned_run_says_what_a_user_can_look_at(row: Run, words: str) -> None:
    (step,) = acts(observed(Seen.OPEN), [row], NOW)

    assert step.operation is Operation.ABANDON
    assert words in step.reason


OPEN_LOOK = Look(Standing.OPEN)


def looked_at(look: Look | None, *events: EventRef) -> Observed:
    return replace(observed(Seen.OPEN, *events), looks={event.id: look for event in events})


def test_an_event_whose_task_is_open_is_claimed() -> None:
    assert plan(looked_at(OPEN_LOOK, ref("new")), [], NOW) == [Claim(ref("new"))]


def test_an_event_that_was_not_asked_about_is_left() -> None:
    assert plan(observed(Seen.OPEN, ref("new")), [], NOW) == []


def test_runs_come_before_new_events() -> None:
    first, second = plan(looked_at(OPEN_LOOK, ref("new")), [run(lease_until=NOW)], NOW)

    assert isinstance(first, Act)
    assert second == Claim(ref("new"))


TIMES = st.floats(NOW - 5000, NOW + 5000)
MAYBE_TIME = st.none() | TIMES
ANY_RUNS = st.builds(
    Run,
    event=st.sampled_from([ref("a"), ref("b"), ref("c"), ref("d")]),
    source=st.just("plane"),
    state=st.sampled_from([State.CLAIMED, State.RUNNING, State.WAITING, State.DONE]),
    step=st.just(STEP) | st.just(NOT_KNOWN),
    claimed_at=TIMES,
    deadline=TIMES,
    lease_until=TIMES,
    dispatches=st.integers(0, 50),
    attempt=st.integers(0, MOST_ATTEMPTS),
    invocation=st.sampled_from(["", "alive", "dead"]),
    refusals=st.integers(0, MOST_ATTEMPTS),
    started_at=MAYBE_TIME,
    start_uncertain=st.booleans(),
    begun=st.booleans(),
    outcome=st.none() | st.just(OUTCOME),
    silent=st.booleans(),
    finishes=st.integers(0, 5),
    reported_at=MAYBE_TIME,
    looked_at=MAYBE_TIME,
    looked=st.sampled_from(["", "0/0", "1/0", "1/1"]),
    repairs=st.integers(0, 9),
    absent_at=MAYBE_TIME,
)
# Only a started that may have been sent can be in doubt; and silent work has none.
RUNS = ANY_RUNS.map(
    lambda each: replace(
        each,
        start_uncertain=each.start_uncertain and each.started_at is not None,
        silent=each.silent and each.started_at is None,
    )
)
ACTIVE = st.lists(RUNS, max_size=4, unique_by=lambda each: each.event.id)
LISTED = st.sets(st.sampled_from(["a", "b", "c", "d", "e", "f"]))
SEEN = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(list(Seen)))
CONTAINERS = st.dictionaries(st.sampled_from(["a", "b", "x"]), st.sampled_from(list(StepStatus)))
FAILURES = st.dictionaries(
    st.sampled_from(["a", "b", "x"]),
    st.builds(Failure, st.just("AWS gave up"), st.none() | st.integers(1, 9)),
)


DEAD = st.sampled_from([{}, {"dead": Failure("AWS gave up", invocation="dead")}])


@given(ACTIVE, LISTED, SEEN, FAILURES, DEAD, CONTAINERS)
def test_whatever_is_observed_the_plan_is_sound(
    active: list[Run],
    listed: set[str],
    seen: dict[str, Seen],
    failures: dict[str, Failure],
    dead: dict[str, Failure],
    containers: dict[str, StepStatus],
) -> None:
    known = {each.event.id for each in active}
    new = listed - known
    what_is_seen = Observed(
        lambda each: seen.get(each.event.id, Seen.UNKNOWN),
        {each: ref(each) for each in new},
        failures,
        dead,
        containers,
        dict.fromkeys(new, OPEN_LOOK),
    )

    steps = plan(what_is_seen, active, NOW)

    claimed = [step.event.id for step in steps if isinstance(step, Claim)]
    assert sorted(claimed) == sorted(new), "every new event is claimed, once"
    for_runs = [step for step in steps if isinstance(step, Act)]
    assert len(for_runs) == len({step.event.id for step in for_runs}), "one step for each run"
    assert len(for_runs) + len(claimed) == len(steps)
    for step in for_runs:
        assert seen.get(step.event.id, Seen.UNKNOWN) is not Seen.UNKNOWN, "nothing is done on unknown"
        assert step.reason or step.run.refusals, "which say why"
        assert_is_legal(step.operation, step.run, seen[step.event.id], dead)


WRITES = {
    Operation.DISPATCH: lambda each: each.dispatched_again(NOW),
    Operation.SEND_STARTED: lambda each: each.starting(NOW),
    Operation.TAKE_BACK: lambda each: each.taken_back(NOW),
    Operation.WAIT_AGAIN: lambda each: each.waiting_again(NOW),
    Operation.WAKE: lambda each: each.woken(NOW),
    Operation.FIND: lambda each: each.submitted("arn", NOW),
    Operation.STOP: lambda each: each.stopping(NOW),
    Operation.ABANDON: lambda each: each.completed(OUTCOME, NOW),
    Operation.REPORT: lambda each: each.reporting(NOW),
    Operation.REPAIR: lambda each: each.repairing(NOW),
    Operation.PROVE: lambda each: each.closed(NOW),
    Operation.FORGET_ABSENCE: lambda each: each.present_again(),
}


def assert_is_legal(action: Operation, acted: Run, seen: Seen, dead: Mapping[str, Failure]) -> None:
    """An action's write is a row of the ledger's table, and the worker's and reporters' leases are kept."""
    after = WRITES[action](acted)
    assert after.version == acted.version + 1
    is_silent_work = acted.silent and acted.state in {State.RUNNING, State.WAITING}
    needs_proof = seen is Seen.ABSENT and not is_silent_work
    assert needs_proof == (action is Operation.PROVE), "only what is absent may be proved gone"
    of_a_lease = {
        Operation.TAKE_BACK,
        Operation.REPORT,
        Operation.WAIT_AGAIN,
        Operation.WAKE,
        Operation.FIND,
        Operation.STOP,
    }
    if action in of_a_lease or (
        action is Operation.ABANDON and acted.state in {State.RUNNING, State.WAITING}
    ):
        is_dead = acted.state is not State.DONE and acted.invocation in dead
        assert acted.lease_until <= NOW or is_dead, "somebody is still trusted to act"
    if action is Operation.SEND_STARTED:
        assert acted.started_at is None, "a started is sent once"
    if action is Operation.TAKE_BACK:
        assert not acted.begun, "a task is never begun twice"
    if action in {Operation.REPORT, Operation.REPAIR}:
        assert not acted.silent
    if action is Operation.REPORT:
        assert acted.finishes == 0, "a finished that may have been sent is never simply sent again"


OPEN = Look(Standing.OPEN)


@pytest.mark.parametrize(
    ("look", "decision"),
    [
        (None, None),
        (Look(Standing.OVER), None),
        (Look(Standing.GAP), None),
        (OPEN, Claim(ref())),
        (replace(OPEN, paused=True), None),
        *(
            (look, Adopt(ref(), look))
            for look in (
                replace(OPEN, starts=1),
                replace(OPEN, finishes=1),
                replace(OPEN, starts=1, paused=True),
            )
        ),
    ],
)
def test_a_new_event_is_claimed_only_when_it_is_open_and_ours_to_begin(
    look: Look | None, decision: Claim | Adopt | None
) -> None:
    assert decide_start(ref(), look) == decision


@pytest.mark.parametrize(
    ("look", "is_gone"),
    [(None, True), (Look(Standing.OVER), True), (OPEN, False), (Look(Standing.GAP), False)],
)
def test_only_keptns_own_word_proves_an_event_gone(look: Look | None, is_gone: bool) -> None:
    assert is_over(look) is is_gone


@pytest.mark.parametrize(
    ("ago", "is_proof"),
    [(None, False), (0, False), (ABSENT - 1, False), (ABSENT, True), (ABSENT_FORGOTTEN + 1, False)],
)
def test_two_empty_listings_some_time_apart_are_proof(ago: float | None, is_proof: bool) -> None:
    absent = run(absent_at=None if ago is None else NOW - ago)

    assert is_absent_for_good(absent, NOW) is is_proof


@pytest.mark.parametrize(
    ("row", "look", "decision"),
    [
        (done(looked="1/0"), Look(Standing.GAP), Repair.LEAVE),
        (done(), replace(OPEN, starts=1), Repair.LOOK_AGAIN),
        (done(looked="0/0"), replace(OPEN, starts=1), Repair.LOOK_AGAIN),
        (done(looked="1/0"), replace(OPEN, starts=1), Repair.SEND),
        (done(looked="0/0"), OPEN, Repair.SEND),
        (done(looked="2/1"), replace(OPEN, starts=2, finishes=1), Repair.SEND),
        (done(looked="1/1"), replace(OPEN, starts=1, finishes=1), Repair.COMPLETE),
        (running(looked="0/0"), OPEN, Repair.SEND),
        (running(looked="1/0"), replace(OPEN, starts=1), Repair.COMPLETE),
    ],
)
def test_only_what_two_looks_agree_on_is_repaired(row: Run, look: Look, decision: Repair) -> None:
    assert decide_repair(row, look) is decision


LOOKS = st.builds(Look, st.sampled_from(list(Standing)), st.integers(0, 5), st.integers(0, 5), st.booleans())


@given(LOOKS, LOOKS, st.sampled_from([running(), done()]))
def test_nothing_is_sent_unless_two_looks_agree(first: Look, second: Look, row: Run) -> None:
    decision = decide_repair(replace(row, looked=counts(first)), second)

    if decision is Repair.SEND:
        assert (first.starts, first.finishes) == (second.starts, second.finishes)
        assert second.standing is Standing.OPEN
        assert row.state is State.RUNNING or missing(second) != (0, 0)


@given(st.integers(0, 50), st.integers(0, 50))
def test_what_is_missing_makes_the_counts_equal_and_at_least_one(starts: int, finishes: int) -> None:
    more_starts, more_finishes = missing(Look(Standing.OPEN, starts, finishes))

    assert more_starts >= 0
    assert more_finishes >= 0
    assert starts + more_starts == finishes + more_finishes >= 1
    assert min(more_starts, more_finishes) == 0 or (starts, finishes) == (0, 0), "no more than need be"
