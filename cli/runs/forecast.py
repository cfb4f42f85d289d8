"""What happens next to a run, and when: by the poller's own plan, asked about moments that are yet to come.

What a plan does about a run depends on nothing but the run, what is observed, and the time. As long as
nothing changes, time only makes more of it due. So the first moment at which the plan does something is found
by halving, and no rule of the plan is written down here a second time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from control.plan import Observed, Operation, Seen, decide, is_over
from control.pulse import slots
from control.repairing import Repair, decide_repair
from execution_plane.keptn.look import Look
from execution_plane.ledger.runs import Run, State
from execution_plane.settings import period_of
from execution_plane.steps import StepStatus

ALL_DAY = re.compile(r"cron\(\S+ (\* \* \* \? \*|\* \? \* \* \*)\)|rate\(.*")
FARTHEST = 30 * 24 * 3600.0  # seconds; the longest deadline is two weeks
EXACTLY = 0.5  # seconds


@dataclass(frozen=True)
class View:
    """What is known of a run besides the ledger: whether Keptn lists it, how its step fares, and what a
    look says, if Keptn was asked; None if it was not, or knows no such project.
    """

    seen: Seen = Seen.OPEN
    step: StepStatus = StepStatus.UNKNOWN
    look: Look | None = None
    is_looked: bool = False


@dataclass(frozen=True)
class Next:
    """The next thing that the poller does about a run if nothing changes, and from when on."""

    operation: Operation
    at: float
    reason: str


DOES: Mapping[Operation, str] = {
    Operation.DISPATCH: "invokes a worker for it again",
    Operation.SEND_STARTED: "sends its started, and goes on waiting for a worker",
    Operation.TAKE_BACK: "lets another worker have the task",
    Operation.WAIT_AGAIN: "wakes another worker for the {kind}'s end",
    Operation.WAKE: "wakes a worker to go on from the {kind}'s end",
    Operation.FIND: "asks AWS for the {kind}, and has it submitted if there is none",
    Operation.STOP: "stops the {kind}",
    Operation.ABANDON: "ends it as errored",
    Operation.REPORT: "sends its finished",
    Operation.REPAIR: "asks Keptn what it counts of our replies, and sends again what two answers lack",
    Operation.PROVE: "asks Keptn whether the task is over, and closes the run if it is",
    Operation.FORGET_ABSENCE: "forgets that Keptn did not list the task",
}
"""What the poller does, for each operation that the plan has for a run, with the kind of its step."""

FINDS: Mapping[Repair, str] = {
    Repair.LEAVE: "leaves it alone: Keptn has yet to note the task",
    Repair.LOOK_AGAIN: "notes what Keptn counts, and asks again a minute later before it sends anything",
    Repair.SEND: "sends again what Keptn lacks of our replies",
    Repair.COMPLETE: "notes that Keptn has all our replies: another executor keeps the task open",
}
OVER = "closes the run: Keptn says that the task is over"
UNPROVED = "asks for the task itself; once Keptn has not had it twice, it closes the run"


def longest_pause(parameters: Mapping[str, str]) -> int | None:
    """Seconds within which a stack with these parameters polls again; None if it has hours or days without
    polls, or nothing is known of it.
    """
    expression = parameters.get("ScheduleExpression", "")
    if not ALL_DAY.fullmatch(expression):
        return None
    found = slots(0, int(parameters.get("PollIntervalSeconds", "0")), period_of(expression))
    return max(round(slot.ends - slot.due) for slot in found)


def next_step(run: Run, view: View, now: float) -> Next | None:
    """The poller's next step about a run if nothing changes; None if there is none."""

    def step_at(moment: float) -> Next | None:
        observed = Observed(lambda _: view.seen, {}, steps={run.event.id: view.step})
        act = decide(run, observed, moment)
        return Next(act.operation, moment, act.reason) if act else None

    if found := step_at(now):
        return found
    too_early, after = 0.0, 1.0
    while (found := step_at(now + after)) is None:
        if after > FARTHEST:
            return None
        too_early, after = after, 2 * after
    while after - too_early > EXACTLY:
        middle = (too_early + after) / 2
        if earlier := step_at(now + middle):
            found, after = earlier, middle
        else:
            too_early = middle
    return found


def does(step: Next, run: Run, view: View) -> str:
    """What the poller does in a step, as the rest of a sentence, with what Keptn has said of it so far."""
    if view.is_looked and step.operation in {Operation.REPAIR, Operation.PROVE}:
        if view.look is None or is_over(view.look):
            return OVER
        if step.operation is Operation.PROVE:
            return UNPROVED
        return FINDS[decide_repair(run, view.look)]
    said = DOES[step.operation].format(kind=run.step.kind if run.step else "")
    return f"{said}: {step.reason.rstrip('.')}" if step.reason else said


def stands(run: Run, view: View, now: float) -> str:
    """How a run stands, as a sentence's beginning: what is to come first if all goes well."""
    is_held = now < run.lease_until
    match run.state:
        case State.CLAIMED | State.WAITING if run.refused:
            return f"no worker can be invoked for it ({run.refused.rstrip('.')})"
        case State.CLAIMED:
            times = "once" if run.dispatches == 1 else f"{run.dispatches} times"
            return f"a worker was invoked {times}, and has yet to take the task"
        case State.RUNNING if is_held:
            return "a worker has it"
        case State.RUNNING:
            return "its worker has not been heard of in time"
        case State.WAITING:
            return _stands_waiting(run, view, is_held=is_held)
        case State.DONE if run.silent:
            return "its work is done, and Keptn gets no reply about it"
        case State.DONE if run.finishes == 0:
            return "its outcome is known, and its finished is to be sent"
        case State.DONE if run.reported_at is None:
            return (
                "its finished is being sent"
                if is_held
                else "who was to send its finished was not heard of again"
            )
        case State.DONE:
            return "its finished was sent, and Keptn has yet to close the task"
        case State.CLOSED:
            return "it is over"


def _stands_waiting(run: Run, view: View, *, is_held: bool) -> str:
    step = run.waits_for
    if not step.handle:
        if step.trouble:
            return f"AWS has not started its {step.kind} yet ({step.trouble.rstrip('.')})"
        return (
            f"its {step.kind} is being submitted"
            if is_held
            else f"AWS did not say whether it started the {step.kind}"
        )
    match view.step:
        case StepStatus.ENDED:
            return f"its {step.kind} has ended, and a worker has yet to go on"
        case StepStatus.MISSING:
            return f"AWS no longer knows its {step.kind}"
        case StepStatus.UNDER_WAY:
            return f"its {step.kind} runs"
        case StepStatus.UNKNOWN:
            return f"it waits for its {step.kind}"
