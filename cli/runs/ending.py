"""Ending a run by hand, by the rules that everybody keeps: one conditional write, which one writer wins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cli.runs.finding import NoSuchRun
from execution_plane.clock import Clock
from execution_plane.executions import execution_arn
from execution_plane.keptn.events import Outcome
from execution_plane.ledger.runs import RemoteStep, Run, State
from execution_plane.ledger.table import Ledger, LostRace
from execution_plane.steps import Steps, StepsUnavailable

MOST_TRIES = 10  # against a run that moves on meanwhile, as one that is dispatched again


class NotEnded(Exception):
    """The run is not ended by this; the text says why."""


@dataclass(frozen=True)
class Ended:
    """What was done: the run as it then stands, and what is left for the operator to do."""

    run: Run
    problem: str = ""


def refusal(run: Run) -> str:
    """Why a run is not to be ended; empty if it is."""
    if run.state is State.CLOSED:
        return "the run is closed: Keptn no longer lists its task."
    if run.state is not State.DONE:
        return ""
    if run.silent:
        return "its work is done, and it is closed once Keptn no longer lists its task."
    sent = "and its finished was sent" if run.finishes else "and the next poll sends its finished"
    return f"its outcome is known, {sent}. A second one could end the next task; a lost one is sent again."


def end(ledger: Ledger, steps: Steps, clock: Clock, run: Run, reason: str) -> Ended:
    """End a run as errored, and stop its step. A worker that has it stops the task within ten seconds.

    The ledger is written first: whoever wins that write has ended the run, and the next poll sends its
    finished, behind a started if Keptn has none. Raises NotEnded, NoSuchRun and LedgerUnavailable.
    """
    outcome = Outcome.errored(f"An operator ended the task: {reason}")
    for _ in range(MOST_TRIES):
        if why := refusal(run):
            raise NotEnded(why)
        step = run.step if run.state is State.WAITING else None
        try:
            ended = ledger.move(run, run.ended(outcome, clock.now()))
        except LostRace as lost:
            current = lost.current or ledger.get(run.event.id)
            if current is None:
                raise NoSuchRun("its record was deleted meanwhile.") from None
            run = current
            continue
        return Ended(ended, _stop(steps, step, reason) if step else "")
    raise NotEnded("the run moves on too fast to be ended; try again.")


def _stop(steps: Steps, step: RemoteStep, reason: str) -> str:
    """Stop a step, also one that was submitted without an answer; what to do if that can't be done."""
    try:
        step = replace(step, handle=step.handle or steps.find(step) or "")
        if step.handle:
            steps.stop(step, f"Its run was ended: {reason}")
    except StepsUnavailable as problem:
        return f"its {step.kind} may still run ({problem}): {STOP_COMMANDS[step.kind](step)}"
    return ""


def _stop_task(step: RemoteStep) -> str:
    which = f"--task {step.handle}" if step.handle else f"the task that was started by {step.token}"
    return f"aws ecs stop-task --cluster {step.target} {which}"


STOP_COMMANDS: Mapping[str, Callable[[RemoteStep], str]] = {
    "container": _stop_task,
    "execution": lambda step: (
        f"aws stepfunctions stop-execution --execution-arn {execution_arn(step.target, step.token)}"
    ),
}
"""What to do by hand, by the kind of a step."""
