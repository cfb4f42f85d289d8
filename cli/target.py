"""Where a plane is deployed to and what is there already: what is known before the first question."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from cli.ending import Unusable
from cli.planefile import PlaneFile, only_one, read
from cli.questions import Place
from cli.runs.aws import Aws, ask
from cli.runs.plane import Stack, look_for_stack
from cli.template import read_template
from execution_plane.settings import without_login

STACK = "keptn-lambda-executor"
NEVER_MADE = frozenset({"REVIEW_IN_PROGRESS"})
ROLLED_BACK = "ROLLBACK_COMPLETE"
STUCK = {
    "CREATE_FAILED": "delete it, and deploy again",
    "ROLLBACK_FAILED": "delete it, and deploy again",
    "DELETE_FAILED": "its events in CloudFormation say what is in the way; delete it, and deploy again",
    "UPDATE_ROLLBACK_FAILED": "`aws cloudformation continue-update-rollback` goes on with it",
}
MOST_SHOWN = 80  # characters of a value


@dataclass(frozen=True)
class Target:
    """What is deployed where: the file that says it, or that is to say it, and what is there already."""

    file: PlaneFile
    aws: Aws
    place: Place
    stack: Stack | None


def file_of(path: Path | None, stack: str | None, region: str | None, profile: str | None) -> PlaneFile:
    """The plane's file, or one that is to be made.

    Raises Unusable if it is that of another stack or region.
    """
    if path is None and stack is None:
        found = only_one(Path())
    else:
        path = path or Path(f"samconfig-{stack}.toml")
        found = read(path) if path.exists() else None
    path = path or (found.path if found else Path(f"samconfig-{STACK}.toml"))
    known = found or PlaneFile(path)
    for name, given, said in (("stack_name", stack, known.stack), ("region", region, known.region)):
        if given and said and given != said:
            raise Unusable(f"{path} has {name} = {said}, not {given}: name another file by --config-file.")
    return replace(
        known,
        stack=known.stack or stack or STACK,
        region=known.region or region or "",
        profile=profile or known.profile,
    )


def find_target(file: PlaneFile) -> Target:
    """What can be known before the first question. Raises Unusable if nothing can be deployed so."""
    runtime = file.parameters.get("Runtime") or read_template()["Parameters"]["Runtime"]["Default"]
    if not has_python(runtime):
        raise Unusable(
            f"the functions are built with {runtime}, which is not on the PATH: install it, or set Runtime "
            f"in {file.path}."
        )
    aws = Aws(file.profile or None, file.region or None)
    identity = ask(aws.client("sts").get_caller_identity)
    stack = look_for_stack(aws, file.stack)
    user = str(identity["Arn"]).rpartition(":")[2]
    state = "is new" if stack is None or stack.status in NEVER_MADE else f"is {stack.status}"
    typer.echo(f"The stack {file.stack} in {aws.region}, account {identity['Account']} (as {user}), {state}.")
    place = Place(str(identity["Account"]), aws.region)
    return Target(replace(file, region=aws.region), aws, place, _usable(aws, stack))


def _usable(aws: Aws, stack: Stack | None) -> Stack | None:
    """A stack that can be updated; None if it is to be made. Raises Unusable."""
    if stack is None or stack.status in NEVER_MADE:
        return None
    if "KeptnApiUrl" not in stack.parameters:
        raise Unusable(f"{stack.name} is a stack of something else: give another name by --stack-name.")
    if stack.status.endswith("_IN_PROGRESS"):
        raise Unusable(f"{stack.name} is {stack.status}: deploy again once CloudFormation is done.")
    if advice := STUCK.get(stack.status):
        raise Unusable(f"{stack.name} is {stack.status}: {advice}.")
    if stack.status == ROLLED_BACK:
        typer.echo("Its first deployment failed and nothing of it is left, so its name is freed first.")
        client = aws.client("cloudformation")
        ask(lambda: client.delete_stack(StackName=stack.name))
        ask(lambda: client.get_waiter("stack_delete_complete").wait(StackName=stack.name))
        return None
    return stack


def differences(file: PlaneFile, stack: Stack | None) -> Iterator[str]:
    """What a deployment changes in the parameters of a stack, a line each; of a secret one, nothing."""
    if stack is None:
        return
    declared = read_template()["Parameters"]
    for name, value in file.parameters.items():
        now = stack.parameters.get(name, "")
        if name in declared and "NoEcho" not in declared[name] and now != value:
            yield f"  {name}: {_shown(now)} → {_shown(value)}"
    for name, now in stack.parameters.items():
        if name in declared and name not in file.parameters and now != str(declared[name].get("Default", "")):
            yield f"  {name}: stays {_shown(now)}, which the file does not name"


def has_python(runtime: str) -> bool:
    """Whether the SAM CLI finds the Python of a runtime such as `python3.13`, by which it builds."""
    wanted = tuple(int(part) for part in runtime.removeprefix("python").split("."))
    found = (
        shutil.which(name, path=folder)
        for name in (runtime, "python3", "python")
        for folder in os.environ.get("PATH", "").split(os.pathsep)
    )
    return any(_is_python(path, wanted) for path in dict.fromkeys(filter(None, found)))


def _shown(value: str) -> str:
    value = without_login(value)  # a proxy's, in a stack of before HttpsProxy took none
    return repr(value if len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]}…")


def _is_python(path: str, wanted: tuple[int, ...]) -> bool:
    """A name on the PATH may be no more than a shim for a Python that is not there."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {wanted})"
    return not subprocess.run([path, "-c", code], capture_output=True, check=False).returncode  # noqa: S603
