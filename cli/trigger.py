"""Trigger a sequence of any Keptn and follow it to its end: `python -m cli.trigger --help`.

The exit code is the sequence's result, so that it serves in a pipeline: 0 pass or warning, 1 fail, 2 if it
could not be started or followed.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console

from cli.ending import NO_RESULT, PASSED, Screen, Unusable, conclude, run
from cli.follower import Follower
from execution_plane.clock import Clock, SystemClock
from execution_plane.keptn.connecting import SettingNames, problem_with_certificates
from execution_plane.keptn.transport import KeptnError, Transport
from execution_plane.settings import base_url, without_login

if TYPE_CHECKING:
    import requests

TOKEN_VARIABLE = "KEPTN_API_TOKEN"  # noqa: S105 - its name
SOURCE = "keptn-lambda-executor/trigger"
A_DAY = 86_400

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Trigger:
    """The sequence to start, and what it is to be told."""

    project: str
    stage: str
    service: str
    sequence: str
    labels: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """The event that starts it."""
        scope = {"project": self.project, "stage": self.stage, "service": self.service}
        return {
            "specversion": "1.0",
            "type": f"sh.keptn.event.{self.stage}.{self.sequence}.triggered",
            "source": SOURCE,
            "contenttype": "application/json",
            "data": {**self.data, **({"labels": dict(self.labels)} if self.labels else {}), **scope},
        }


@dataclass(frozen=True)
class Token:
    """An API token that is given once, and where it was found."""

    text: str
    found_in: str

    def headers(self) -> Mapping[str, str]:
        """Keptn's own header."""
        return {"x-token": self.text}

    def renew(self) -> None:
        """There is no other."""


@dataclass(frozen=True)
class Surroundings:
    """What the command works with."""

    clock: Clock
    console: Console
    session: "requests.Session | None"


@app.command()
def trigger(
    context: typer.Context,
    url: Annotated[str, typer.Option(help="Keptn's API, for example https://keptn.example.com/api")],
    project: Annotated[str, typer.Option()],
    stage: Annotated[str, typer.Option()],
    service: Annotated[str, typer.Option()],
    sequence: Annotated[str, typer.Option()],
    token_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Environment variable with the API token ({TOKEN_VARIABLE})"),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(metavar="PATH", help="File with the API token")] = None,
    token: Annotated[
        str | None, typer.Option(help="The API token itself; every user of this machine can see it")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Any number of them")] = None,
    data: Annotated[str, typer.Option(metavar="JSON|@FILE", help="More of the event's data")] = "{}",
    ca_bundle: Annotated[
        Path | None, typer.Option(metavar="PATH", help="PEM file with authorities to trust besides")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the sequence, and wait for its end")] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long it is followed at most")
    ] = A_DAY,
) -> None:
    """Trigger a Keptn sequence.

    The exit code is 0 for pass and warning, 1 for fail, and 2 where there is no result.
    """
    surroundings: Surroundings = context.obj

    def act() -> int:
        event = Trigger(project, stage, service, sequence, _labels(label or []), _data(data)).as_event()
        keptn = _connect(url, _token(token_env, token_file, token), ca_bundle, surroundings)
        started = str((keptn.post("/v1/event", event).body or {}).get("keptnContext", ""))
        if not started:
            raise Unusable("Keptn named no context: is --url its API?")
        surroundings.console.print(f"Keptn context {started}", highlight=False, soft_wrap=True)
        if not follow:
            return PASSED
        return Follower(keptn, surroundings.clock, surroundings.console).follow(project, started, timeout)

    try:
        raise conclude("trigger", act, KeptnError)
    except KeyboardInterrupt:
        print("trigger: no longer followed; the sequence goes on.", file=sys.stderr)
        raise typer.Exit(NO_RESULT) from None


def main(
    arguments: Sequence[str] | None = None,
    *,
    clock: Clock | None = None,
    out: TextIO | None = None,
    session: "requests.Session | None" = None,
) -> int:
    """Do what the command line says; the exit code."""
    return run(app, arguments, Surroundings(clock or SystemClock(), Screen(file=out), session))


def _connect(url: str, token: Token, ca_bundle: Path | None, surroundings: Surroundings) -> Transport:
    try:
        address = base_url(url)
    except ValueError as problem:
        raise Unusable(f"--url is {without_login(url)!r}: {problem}.") from None
    if ca_bundle and (trouble := problem_with_certificates(str(ca_bundle))):
        raise Unusable(f"--ca-bundle {ca_bundle}: {trouble}.")
    names = SettingNames("--url", token.found_in, "--ca-bundle", "HTTPS_PROXY", "")
    return Transport(
        address,
        token,
        surroundings.clock,
        session=surroundings.session,
        ca_bundle_path=str(ca_bundle) if ca_bundle else None,
        names=names,
    )


def _token(variable: str | None, file: Path | None, text: str | None) -> Token:
    if sum(each is not None for each in (variable, file, text)) > 1:
        raise Unusable("give one of --token-env, --token-file and --token.")
    if text is not None:
        found, where = text, "--token"
    elif file is not None:
        found, where = _read(file, "--token-file"), f"--token-file {file}"
    else:
        name = variable or TOKEN_VARIABLE
        found, where = os.environ.get(name, ""), f"the environment variable {name}"
    if not found.strip():
        raise Unusable(
            f"there is no API token in {where}: put it there, or into another place that --help names."
        )
    return Token(found.strip(), where)


def _labels(given: Sequence[str]) -> dict[str, str]:
    for label in given:
        if "=" not in label.strip("="):
            raise Unusable(f"--label {label!r} is no KEY=VALUE.")
    return dict(label.split("=", 1) for label in given)


def _data(given: str) -> dict[str, Any]:
    text = _read(Path(given[1:]), "--data") if given.startswith("@") else given
    try:
        data = json.loads(text)
    except ValueError as problem:
        raise Unusable(f"--data is no JSON: {problem}.") from None
    if not isinstance(data, dict):
        raise Unusable("--data is no JSON object.")
    return data


def _read(path: Path, option: str) -> str:
    """A file's text, without the mark that some editors put before it."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{option} {path} is no text in UTF-8.") from None
    except OSError as problem:
        raise Unusable(f"{option} {path} can't be read: {problem.strerror}.") from None


if __name__ == "__main__":
    sys.exit(main())
