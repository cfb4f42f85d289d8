"""Check job configs without deploying anything: `./plane lint job/config.yaml`.

The exit code is 0 if there is no problem, 1 if there is one, and 2 if a file can't be read.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from cli.ending import FAILED, PASSED, Screen, Unusable, conclude, run
from cli.preview import preview, problem_with_function, read_event
from jobs.config import InvalidJobConfig, JobConfig, Rules, read
from jobs.images import ImageAllowlist, InvalidImagePattern

if TYPE_CHECKING:
    from cli.deployed import Deployed

KINDS = {
    "image": "container",
    "function": "Python function",
    "lambda": "Lambda function",
    "http": "HTTP call",
    "stateMachine": "execution",
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def lint_config(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files like job/config.yaml")],
    event: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A triggered event, as JSON: say what would be done with it, and do nothing"
        ),
    ] = None,
    allow_privileged_jobs: Annotated[
        bool, typer.Option("--allow-privileged-jobs", help="Accept privileged containers")
    ] = False,
    allowed_images: Annotated[
        str, typer.Option(metavar="GLOBS", help="Comma list of the images that tasks may use; empty for all")
    ] = "",
    stack: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check against this deployed plane, by its rules, too")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The stack's AWS region")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration")] = None,
) -> None:
    """Check job configs.

    With --stack, hosts, functions, images and secrets are looked up in that plane, and no secret's value is
    read. The exit code is 0 if there is no problem, 1 if there is one, and 2 if a file can't be read.
    """
    screen = context.find_object(Screen) or Screen()

    def act() -> int:
        if stack and (allowed_images or allow_privileged_jobs):
            raise Unusable("--stack brings the plane's own rules: leave out the other options for them.")
        deployed = _deployed(stack, region, profile) if stack else None
        rules = (
            deployed.rules
            if deployed
            else Rules(images=_allowlist(allowed_images), allow_privileged=allow_privileged_jobs)
        )
        triggered = read_event(event) if event else None
        problems, unreadable = 0, []
        for file in files:
            try:
                content = file.read_bytes()
            except OSError as problem:
                unreadable.append(f"{file}: {problem.strerror}.")
                continue
            config, found = _check(file, content, rules)
            if config and deployed:
                found += [f"{file}, {problem}" for problem in deployed.problems(config)]
            for each in found:
                _say(screen, each, "red")
            if config and not found:
                _say(screen, f"{file}: no problems in {_counted(config)}", "green")
            problems += len(found)
            if config and triggered is not None:
                shown = preview(config, triggered)
                for depth, line in shown.lines:
                    _say(screen, f"{'  ' * (depth + 1)}{line}")
                for each in shown.problems:
                    _say(screen, f"{file}: {each}", "red")
                problems += len(shown.problems)
        if unreadable:
            raise Unusable(" ".join(unreadable))
        return FAILED if problems else PASSED

    raise conclude("lint", act)


def main(arguments: Sequence[str] | None = None, *, out: TextIO | None = None) -> int:
    """Do what the command line says; the exit code."""
    return run(app, arguments, Screen(file=out))


def _check(file: Path, content: bytes, rules: Rules) -> tuple[JobConfig | None, list[str]]:
    """A job config as far as it can be read, and what is wrong with it."""
    try:
        config = read(content, origin=str(file), rules=rules)
    except InvalidJobConfig as invalid:
        return None, [str(problem) for problem in invalid.problems]
    return config, [
        f"{file}, actions[{action.index}].tasks[{task.index}].function: {trouble}"
        for action in config.actions
        for task in action.tasks
        if task.kind == "function" and (trouble := problem_with_function(task.function))
    ]


def _deployed(stack: str, region: str | None, profile: str | None) -> "Deployed":
    """The rules of a deployed plane. AWS is imported only where it is asked. Raises Unusable."""
    from cli.deployed import Deployed
    from cli.runs.aws import Aws
    from cli.runs.plane import Plane, find_stack
    from execution_plane.clock import SystemClock

    aws = Aws(profile, region)
    return Deployed(Plane(aws, find_stack(aws, stack), SystemClock()))


def _counted(config: JobConfig) -> str:
    """What a job config has, as `2 actions: 1 container, 2 Python functions`."""
    kinds = Counter(task.kind for action in config.actions for task in action.tasks)
    parts = [
        _number(count, KINDS.get(kind, kind) if kind else "task without a kind")
        for kind, count in kinds.items()
    ]
    return ": ".join(filter(None, (_number(len(config.actions), "action"), ", ".join(parts))))


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _allowlist(text: str) -> ImageAllowlist:
    try:
        return ImageAllowlist.parse(text)
    except InvalidImagePattern as problem:
        raise Unusable(f"--allowed-images: {problem}.") from None


def _say(screen: Screen, line: str, style: str = "") -> None:
    screen.print(line, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
