"""Deploys a plane, and asks before the first time what it needs to know.

The answers are kept in a configuration file of the SAM CLI, with which `sam build` and `sam deploy` do the
same again. A token is in no file and no command line: it goes into the stack's secret.

The exit code is 0 once it is deployed, 1 if the SAM CLI failed, and 2 if nothing was begun.
"""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.ending import FAILED, PASSED, Unusable, conclude
from cli.keptn import TOKEN_VARIABLE, Token
from cli.planefile import PlaneFile, configuration, read
from cli.questions import ask as ask_questions
from cli.questions import ask_token
from cli.runs import screen
from cli.runs.aws import Aws, ask
from cli.runs.doctor import Finding, examine
from cli.runs.doctor.finding import fine, problem, unknown
from cli.runs.plane import Plane, look_for_stack
from cli.target import STACK, Target, differences, file_of, find_target
from cli.template import TEMPLATE, read_template
from execution_plane.clock import SystemClock
from execution_plane.keptn.connecting import SettingNames
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.transport import (
    Credentials,
    KeptnBusy,
    KeptnError,
    KeptnUnauthorized,
    KeptnUnreachable,
    Transport,
)
from execution_plane.settings import Settings
from execution_plane.shared_clients import credentials

OWN_SECRET = "ApiTokenSecretArn"  # noqa: S105 - the stack's output that has the secret's ARN
OTHER_SECRETS = ("KeptnApiTokenSecretArn", "OauthSecretArn")
INSTALLED_SAM = TEMPLATE.parent / ".venv-sam" / "bin" / "sam"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def deploy(
    stack_name: Annotated[
        str | None, typer.Option("--stack", "--stack-name", help=f"The stack's name; by default {STACK}.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The AWS region; by default AWS's own setting.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    architecture: Annotated[str, typer.Option(help="Of the functions: arm64 or x86_64.")] = "arm64",
    config_file: Annotated[
        Path | None, typer.Option(help="Where the answers are kept; by default samconfig-STACK-NAME.toml.")
    ] = None,
    ca_bundle: Annotated[
        Path | None,
        typer.Option(help="PEM file of the authorities to trust for Keptn, on this machine."),
    ] = None,
    sam: Annotated[str | None, typer.Option(help="The SAM CLI.")] = None,
) -> None:
    """Deploy a plane: with the parameters in its file, or by five questions if there is none.

    The exit code is 0 once it is deployed, 1 if the SAM CLI failed, and 2 if nothing was begun.
    """

    def act() -> int:
        target = find_target(file_of(config_file, stack_name, region, profile))
        if target.file.parameters:
            typer.echo(f"The parameters are those in {target.file.path}.")
        else:
            target = replace(target, file=_first_file(target, architecture))
        _check(target)
        token = _token(target, ca_bundle)
        for line in differences(target.file, target.stack):
            typer.echo(line)
        installed = os.path.relpath(INSTALLED_SAM) if INSTALLED_SAM.exists() else "sam"
        return _deploy(target, token, sam or installed)

    raise conclude("deploy", act)


def run(*command: str) -> int:
    """Run a command where everybody sees it; its exit code."""
    typer.secho(f"$ {shlex.join(command)}", bold=True)
    return subprocess.run(command, check=False).returncode  # noqa: S603 - the SAM CLI, with a file of ours


def _first_file(target: Target, architecture: str) -> PlaneFile:
    """The plane's file, made by what the stack has or by questions."""
    file, stack = target.file, target.stack
    if stack is not None:
        declared = read_template()["Parameters"]
        parameters = {
            name: value
            for name, value in stack.parameters.items()
            if name in declared and value != str(declared[name].get("Default", ""))
        }
        typer.echo(f"It was deployed from elsewhere: its parameters are kept in {file.path}.")
    else:
        typer.echo(f"Five questions; the answers are kept in {file.path}.")
        parameters = {"Architecture": architecture, **ask_questions(target.place)}
    file.path.write_text(configuration(file.stack, file.region, parameters, file.profile))
    return replace(file, parameters=parameters)


def _check(target: Target) -> None:
    file = target.file
    for name, why in file.gone.items():
        typer.echo(f"{name} is no parameter any more, and is left out: {why}. Take it out of {file.path}.")
    if problems := list(file.problems(is_first=target.stack is None)):
        raise Unusable(f"{file.path}: {' '.join(problems)}")


def _token(target: Target, ca_bundle: Path | None) -> str | None:
    """The token that the stack's own secret lacks, tried at Keptn; None if it lacks none."""
    parameters = {**(target.stack.parameters if target.stack else {}), **target.file.parameters}
    declared = read_template()["Parameters"]["EventTypes"]["Default"]
    event_type = parameters.get("EventTypes", declared).partition(",")[0].strip()
    given = [parameters.get(name, "") for name in OTHER_SECRETS]
    settings = Settings(
        parameters["KeptnApiUrl"].rstrip("/"),
        given[0] or None,
        given[1] or None,
        str(ca_bundle) if ca_bundle else None,
        "",
    )
    if any(given):
        if target.stack is None:
            login = credentials(settings, SystemClock(), target.aws.client)
            _go_on_after(_ask_keptn(settings, login, settings.login, event_type))
        return None
    if target.stack is not None and not _lacks_token(target):
        return None
    while True:
        text = os.environ.get(TOKEN_VARIABLE, "").strip()
        where = TOKEN_VARIABLE if text else "the token"
        text = text or ask_token()
        said, is_refused = _ask_keptn(settings, Token(text, where), where, event_type)
        if not is_refused or where == TOKEN_VARIABLE:
            _go_on_after((said, is_refused))
            return text


def _ask_keptn(settings: Settings, login: Credentials, name: str, event_type: str) -> tuple[Finding, bool]:
    """What Keptn says to a login, from this machine, which is shown; and whether it refuses it."""
    names = SettingNames(login=name, ca_bundle="--ca-bundle", proxy="HTTPS_PROXY", network="")
    transport = Transport(
        settings.api_url, login, SystemClock(), ca_bundle_path=settings.ca_bundle_path, names=names
    )
    is_refused = False
    try:
        keptn = ControlPlane(transport)
        keptn.open_events(event_type, {})
        said = fine("Keptn", f"{keptn.version()} at {settings.api_url} takes {name}.")
    except KeptnUnauthorized as refused:
        said, is_refused = problem("Keptn", f"{refused}."), True
    except KeptnUnreachable as wrong:
        said = unknown("Keptn", f"not reached from this machine, which says nothing of AWS: {wrong}.")
    except KeptnBusy as wrong:
        said = unknown("Keptn", f"it answers nothing just now, so {name} is not tried: {wrong}.")
    except SecretUnreadable as wrong:
        said = unknown("Keptn", f"not asked from this machine: {wrong}")
    except KeptnError as wrong:
        said = problem("Keptn", f"{wrong}.")
    screen.put_finding(said)
    return said, is_refused


def _go_on_after(heard: tuple[Finding, bool]) -> None:
    """Let whoever is there decide what a problem means for the deployment."""
    if heard[0].is_problem and sys.stdin.isatty():
        typer.confirm("Deploy all the same?", abort=True)


def _lacks_token(target: Target) -> bool:
    """Whether the stack's own secret has no value, or is not made yet. Raises Unusable."""
    secret = target.stack.outputs.get(OWN_SECRET) if target.stack else None
    if not secret:
        return True
    found = ask(lambda: target.aws.client("secretsmanager").describe_secret(SecretId=secret))
    return not found.get("VersionIdsToStages")


def _deploy(target: Target, token: str | None, sam: str) -> int:
    """Build and deploy; the exit code."""
    file = target.file
    options = ["--config-file", str(file.path)]
    if file.profile and read(file.path).profile != file.profile:
        options += ["--profile", file.profile]
    if run(sam, "build", *options) or run(sam, "deploy", *options):
        again = f"`./plane deploy` goes on with {file.path}"
        typer.echo(f"It is not deployed. {again}, and asks for {'the token' if token else 'nothing'} again.")
        return FAILED
    stack = look_for_stack(target.aws, file.stack)
    if stack is None:
        raise Unusable(f"the stack {file.stack} is not there: were `sam deploy`'s changes declined?")
    if token:
        _put(target.aws, stack.output(OWN_SECRET), token)
    for finding in examine(Plane(target.aws, stack, SystemClock())):
        screen.put_finding(finding)
    typer.echo("It polls from the schedule's next tick on. To see it poll at once:")
    invoke = ("remote", "invoke", "PollerFunction", "--stack-name", file.stack, "--region", file.region)
    typer.echo(f"  {sam} {shlex.join(invoke)}")
    typer.echo(f"To remove it again:\n  {sam} delete {shlex.join(options)}")
    return PASSED


def _put(aws: Aws, secret: str, token: str) -> None:
    """Put a token into a secret. Raises Unusable."""
    try:
        ask(lambda: aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=token))
    except Unusable as wrong:
        raise Unusable(
            f"it is deployed, but the token can't be put into {secret}: {wrong}. `./plane deploy` asks for "
            "it again."
        ) from None
    typer.echo(f"Keptn's API token is now in {secret}")


if __name__ == "__main__":
    app(prog_name="deploy")
