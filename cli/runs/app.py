"""The commands by which planes are operated; `./plane --help` has them and the others.

The exit code is 0 if all is well, 1 if there is no such run, a run can't be ended or the doctor found
something or did not see the plane poll, and 2 if the command could not be carried out.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import RenderableType
from rich.live import Live

from cli.choice import Choice, Commands
from cli.runs import asking, draining, ending, logs, screen
from cli.runs.aws import Unusable, advice, ask
from cli.runs.doctor import examine, is_in_order
from cli.runs.ending import NotEnded
from cli.runs.finding import NoSuchRun, Where, closed_since, find
from cli.runs.forecast import Next, View, longest_pause, next_step
from cli.runs.lines import Line
from cli.runs.plane import Plane
from cli.runs.story import handles, tell
from cli.runs.words import has_failed, place, result_of, seconds_of, state_of
from execution_plane.clock import Clock, SystemClock
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import LedgerUnavailable
from execution_plane.telemetry import invocation, logger

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
REFRESH = 2.0  # seconds between two looks of --follow
TAIL = 10  # lines of a step's log that a story has
LATELY = "24h"  # how far back closed runs are listed unless it is said
DAYS = 30  # for which the ledger has closed runs

app = typer.Typer(
    cls=Commands,
    help="Deploys execution planes, shows what they run and ran, ends what is stuck, checks what is wrong.",
    epilog="The options may stand behind the command, too. Without --stack, the plane is that of the "
    "folder's only file samconfig-*.toml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunId = Annotated[
    str, typer.Argument(metavar="ID", help="The triggered event's id, its shkeptncontext, or how one begins.")
]


@app.callback()
def choose_plane(
    context: typer.Context,
    stack: Annotated[
        str | None,
        typer.Option(
            help="The plane's stack; else that of the folder's only file.", envvar="KEPTN_PLANE_STACK"
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region; else the environment's.")] = None,
    ca_bundle: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the authorities to trust for Keptn, on this machine.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Say which plane is meant."""
    logger.setLevel("CRITICAL")  # what the functions log is no part of what is printed here
    context.obj = Choice(stack, region, profile, ca_bundle, SystemClock())


@app.command("list")
def list_runs(
    context: typer.Context,
    closed: Annotated[
        bool, typer.Option("--closed", help="Show closed runs instead of active ones.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(help="With --closed: how far back, as 30m, 24h or 7d.", show_default="24h")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="With --closed: only what failed.")] = False,
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
    stage: Annotated[str | None, typer.Option(help="Only those of this stage.")] = None,
    service: Annotated[str | None, typer.Option(help="Only those of this service.")] = None,
    task: Annotated[str | None, typer.Option(help="Only those of this task, such as sayhello.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep the list up to date until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the active runs, or those that were closed."""
    with _plainly():
        if not closed and (failed or since):
            raise Unusable("--since and --failed choose among closed runs: give --closed too.")
        if follow and as_json:
            raise Unusable("--follow keeps a table up to date: leave out --json, or call again.")
        plane: Plane = context.obj()
        span, where = since or LATELY, Where(project, stage, service, task)
        if as_json:
            _print_json(_closed_json(plane, span, where, failed) if closed else _active_json(plane, where))
            return

        def show() -> RenderableType:
            return _closed_screen(plane, span, where, failed) if closed else _active_screen(plane, where)

        if follow:
            _follow(show, plane.clock)
        else:
            screen.put(show())


@app.command("show")
def show_run(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Tell a run's whole story, what Keptn says of it, and what happens next."""
    with _plainly():
        plane: Plane = context.obj()
        now = plane.clock.now()
        record = find(plane.ledger, run_id, now)
        run = record.run
        says = asking.ask_keptn(plane, run)
        view = asking.view_of(plane, run, says)
        step = next_step(run, view, now)
        pause = longest_pause(plane.stack.parameters)
        sentence = screen.what_happens_next(run, step, view, now, is_ticking=_is_ticking(plane), pause=pause)
        moments = tell(record, says)
        lines = _tail(plane, handles(record))
        if as_json:
            keptn = {
                **vars(says),
                "look": says.look and {**vars(says.look), "standing": says.look.standing.value},
            }
            story = {"history": [vars(each) for each in moments], "keptn": keptn, "log": logs.as_json(lines)}
            _print_json({**_as_json(run), **story, "next": _next_json(step), "sentence": sentence})
        else:
            screen.put(screen.story(run, moments, says, sentence, lines, now))


@app.command("logs")
def show_logs(
    context: typer.Context,
    run_id: RunId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print lines as they come, until the run is closed or Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what all functions and the run's steps logged about it, by time."""
    with _plainly():
        if follow and as_json:
            raise Unusable("--follow prints lines as they come: leave out --json, or call again.")
        plane: Plane = context.obj()
        record = find(plane.ledger, run_id, plane.clock.now())
        if follow:
            with suppress(KeyboardInterrupt):
                for lines in logs.follow(plane, record):
                    screen.put(screen.log_lines(lines))
        elif as_json:
            _print_json(logs.as_json(logs.lines_of(plane, record)))
        else:
            screen.put(screen.log_lines(logs.lines_of(plane, record)))


@app.command("end")
def end_run(
    context: typer.Context,
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why; it stands in Keptn's finished.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a run that is stuck: its task is stopped, and Keptn is told that it errored."""
    with _plainly():
        if not reason.strip():
            raise Unusable("--reason is empty: say why, for whoever reads it in Keptn.")
        plane: Plane = context.obj()
        run = find(plane.ledger, run_id, plane.clock.now()).run
        if why := ending.refusal(run):
            raise NotEnded(why)
        what = f"{run.event.task} of {place(run)} ({state_of(run)}, event {run.event.id})"
        if not yes and not typer.confirm(f"End {what} as errored?", err=True):
            raise NotEnded("it was left alone.")
        invocation.name = f"operator/{plane.aws.user}"
        ended = ending.end(plane.ledger, plane.steps, plane.clock, run, reason)
        sentence = "Its work is stopped, and Keptn gets no reply about it."
        if not run.silent:
            sentence = "The next poll sends Keptn its finished, errored."
        if not _is_ticking(plane):
            sentence += " The schedule is disabled, so invoke the poller, or enable it."
        if as_json:
            _print_json({**_as_json(ended.run), "sentence": sentence, "problem": ended.problem})
        else:
            typer.echo(f"Ended. {sentence}")
        if ended.problem:
            _fail(ended.problem, FAILED)


@app.command("drain")
def drain(context: typer.Context) -> None:
    """Take no new task, and bring what is under way to an end; as Drain=true, without a deployment."""
    with _plainly():
        plane: Plane = context.obj()
        changed = draining.set_draining(plane, draining=True)
        active = len(plane.ledger.active())
        typer.echo(
            f"The plane {'drains from its next tick on' if changed else 'drains already'}; "
            f"{active} {'run is' if active == 1 else 'runs are'} active. `resume` ends it, and so does a "
            "deployment with Drain=false that changes the poller."
        )


@app.command("resume")
def resume(context: typer.Context) -> None:
    """Take new tasks again; as Drain=false, without a deployment."""
    with _plainly():
        changed = draining.set_draining(context.obj(), draining=False)
        typer.echo(f"The plane {'takes new tasks from its next tick on' if changed else 'does not drain'}.")


@app.command("doctor")
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that everything that the plane needs is in order, and say what to do where it is not."""
    with _plainly():
        findings = []
        for finding in examine(context.obj()):
            findings.append(finding)
            if not as_json:
                screen.put_finding(finding)
        if as_json:
            _print_json([asdict(each) for each in findings])
        if not is_in_order(findings):
            raise typer.Exit(FAILED)


def _follow(show: Callable[[], RenderableType], clock: Clock) -> None:
    """Keep what is shown up to date until Ctrl-C."""
    try:
        with Live(show(), auto_refresh=False) as live:
            while True:
                clock.sleep(REFRESH)
                live.update(show(), refresh=True)
    except KeyboardInterrupt:
        return


@contextmanager
def _plainly() -> Iterator[None]:
    """Whatever goes wrong is one sentence and an exit code."""
    try:
        yield
    except (NoSuchRun, NotEnded) as problem:
        _fail(str(problem), FAILED)
    except Unusable as problem:
        _fail(str(problem), UNUSABLE)
    except LedgerUnavailable as problem:
        _fail(f"{problem}{advice(problem.__cause__)}", UNUSABLE)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _fail(sentence: str, code: int) -> NoReturn:
    typer.echo(f"plane: {sentence}", err=True)
    raise typer.Exit(code)


def _active(plane: Plane, where: Where) -> Iterator[tuple[Run, Next | None, View]]:
    """The active runs, oldest first; Keptn is not asked, and is taken to list them all."""
    now, active = plane.clock.now(), [run for run in plane.ledger.active() if where.has(run)]
    fare = asking.status_of(plane, active)
    for run in active:
        view = View(step=fare.get(run.event.id, View.step))
        yield run, next_step(run, view, now), view


def _active_screen(plane: Plane, where: Where) -> RenderableType:
    pause = longest_pause(plane.stack.parameters)
    return screen.active_table(list(_active(plane, where)), plane.clock.now(), pause)


def _active_json(plane: Plane, where: Where) -> list[dict[str, Any]]:
    return [{**_as_json(run), "next": _next_json(step)} for run, step, _ in _active(plane, where)]


def _closed(plane: Plane, since: str, where: Where, failed: bool) -> list[Run]:
    seconds = min(seconds_of(since), DAYS * 86_400)
    now = plane.clock.now()
    found = closed_since(plane.ledger, now - seconds, now)
    return [run for run in found if where.has(run) and (has_failed(run) or not failed)]


def _closed_screen(plane: Plane, since: str, where: Where, failed: bool) -> RenderableType:
    return screen.closed_table(_closed(plane, since, where, failed), plane.clock.now())


def _closed_json(plane: Plane, since: str, where: Where, failed: bool) -> list[dict[str, Any]]:
    return [_as_json(run) for run in _closed(plane, since, where, failed)]


def _tail(plane: Plane, handles: Sequence[str]) -> list[Line]:
    """The last lines of the latest step; none where they can't be read."""
    try:
        return logs.step_lines(plane, handles[-1], TAIL) if handles else []
    except Unusable:
        return []


def _is_ticking(plane: Plane) -> bool:
    """Whether the schedule starts the poller; taken to be so where AWS does not say."""
    name = plane.stack.outputs.get("ScheduleName", "")
    try:
        return bool(ask(lambda: plane.aws.client("scheduler").get_schedule(Name=name))["State"] == "ENABLED")
    except Unusable:
        return True


def _as_json(run: Run) -> dict[str, Any]:
    outcome = run.outcome and {**vars(run.outcome), "data": dict(run.outcome.data)}
    known = {
        "event_id": run.event.id,
        "context": run.event.context,
        "task": run.event.task,
        "project": run.event.project,
        "stage": run.event.stage,
        "service": run.event.service,
        "state": run.state.value,
        "says": state_of(run),
        "result": result_of(run) if run.state in {State.DONE, State.CLOSED} else "",
        "outcome": outcome,
        "container": run.step.handle if run.step else "",
    }
    names = (
        "source",
        "attempt",
        "dispatches",
        "repairs",
        "claimed_at",
        "started_at",
        "reported_at",
        "closed_at",
    )
    return known | {name: getattr(run, name) for name in (*names, "deadline", "silent")}


def _next_json(step: Next | None) -> dict[str, Any] | None:
    return {"action": step.operation.value, "because": step.reason, "at": step.at} if step else None


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
