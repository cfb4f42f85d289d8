"""Trigger a sequence of any Keptn and follow it to its end; without --url, of the plane's own.

The exit code is the sequence's result, so that it serves in a pipeline: 0 pass or warning, 1 fail, 2 if it
could not be started or followed.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console

from cli.choice import Choice
from cli.ending import PASSED, Screen, Unusable, conclude, run
from cli.follower import Follower, NeverBegun
from cli.keptn import (
    TOKEN_VARIABLE,
    Login,
    Token,
    bridge_link,
    connect,
    oauth_login,
    read_text,
)
from execution_plane.clock import Clock, SystemClock
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.oauth import PARAMETER as OAUTH_PARAMETER
from execution_plane.keptn.transport import KeptnError, Transport
from execution_plane.settings import without_login

if TYPE_CHECKING:
    import requests

SOURCE = "keptn-lambda-executor/trigger"
AN_HOUR = 3600.0

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
class Surroundings:
    """What the command works with."""

    clock: Clock
    console: Console
    session: "requests.Session | None"


@dataclass(frozen=True)
class Connection:
    """The options by which a command reaches a Keptn: that of a URL, or the one that a plane polls."""

    plane: Choice | None
    url: str | None
    token_env: str | None
    token_file: Path | None
    token: str | None
    oauth_file: Path | None
    ca_bundle: Path | None

    def open(self, surroundings: Surroundings) -> tuple[Transport, str]:
        """The way there, and its URL. Raises Unusable."""
        if self.url is None:
            if self.plane is None:
                raise Unusable("--url is missing: give Keptn's API.")
            plane = self.plane()
            return plane.transport, plane.api_url
        login = self._login(surroundings.clock)
        transport = connect(self.url, login, self.ca_bundle, surroundings.clock, surroundings.session)
        return transport, self.url

    def again(self, project: str, context: str) -> str:
        """The command that follows a sequence, without what is secret."""
        options = {
            "--url": without_login(self.url or ""),
            "--stack": self.plane.stack if self.plane and not self.url else None,
            "--project": project,
            "--token-env": self.token_env,
            "--token-file": self.token_file,
            "--oauth-file": self.oauth_file,
            "--ca-bundle": self.ca_bundle,
        }
        given = [word for name, value in options.items() if value for word in (name, str(value))]
        return shlex.join(["./plane", "follow", context, *given])

    def _login(self, clock: Clock) -> Login:
        ways = (self.token_env, self.token_file, self.token, self.oauth_file)
        if sum(each is not None for each in ways) > 1:
            raise Unusable("give one of --token-env, --token-file, --token and --oauth-file.")
        if self.oauth_file:
            return oauth_login(self.oauth_file, self.ca_bundle, clock)
        if self.token is not None:
            found, where = self.token, "--token"
        elif self.token_file:
            found, where = read_text(self.token_file, "--token-file"), f"--token-file {self.token_file}"
        else:
            name = self.token_env or TOKEN_VARIABLE
            found, where = os.environ.get(name, ""), f"the environment variable {name}"
        if not found.strip():
            raise Unusable(
                f"there is no API token in {where}: put it there, or into another place that --help names."
            )
        return Login(Token(found.strip(), where), where)


Project = Annotated[str, typer.Option()]
Url = Annotated[
    str | None,
    typer.Option(
        help="Keptn's API, for example https://keptn.example.com/api; else the plane's, with its login"
    ),
]
TokenEnv = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"Environment variable with the API token ({TOKEN_VARIABLE})"),
]
TokenFile = Annotated[Path | None, typer.Option(metavar="PATH", help="File with the API token")]
GivenToken = Annotated[
    str | None, typer.Option(help="The API token itself; every user of this machine can see it")
]
OauthFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="File with an OAuth client, as JSON like OauthSecretArn's secret"),
]
CaBundle = Annotated[
    Path | None, typer.Option(metavar="PATH", help="PEM file with more authorities to trust")
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long it is followed at most")]


@app.command()
def trigger(
    context: typer.Context,
    project: Project,
    stage: Annotated[str, typer.Option()],
    service: Annotated[str, typer.Option()],
    sequence: Annotated[str, typer.Option()],
    url: Url = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    token: GivenToken = None,
    oauth_file: OauthFile = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Any number of them")] = None,
    data: Annotated[str, typer.Option(metavar="JSON|@FILE", help="More of the event's data")] = "{}",
    ca_bundle: CaBundle = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the sequence, and wait for its end")] = False,
    timeout: Timeout = AN_HOUR,
) -> None:
    """Trigger a Keptn sequence.

    The exit code is 0 for pass and warning, 1 for fail, and 2 where there is no result.
    """
    surroundings = _surroundings(context)
    connection = Connection(
        context.find_object(Choice), url, token_env, token_file, token, oauth_file, ca_bundle
    )

    def act() -> int:
        event = Trigger(project, stage, service, sequence, _labels(label or []), _data(data)).as_event()
        keptn, api = connection.open(surroundings)
        started = str((keptn.post("/v1/event", event).body or {}).get("keptnContext", ""))
        if not started:
            raise Unusable("Keptn named no context: is --url its API?")
        _say(surroundings, f"Keptn context {started}")
        if link := bridge_link(api, project, started):
            _say(surroundings, link)
        if not follow:
            return PASSED
        return _follow(surroundings, keptn, connection, project, started, timeout)

    raise conclude("trigger", _naming_the_file(act), KeptnError, SecretUnreadable)


@app.command("follow")
def follow_sequence(
    context: typer.Context,
    sequence: Annotated[str, typer.Argument(metavar="CONTEXT", help="The sequence's shkeptncontext")],
    project: Project,
    url: Url = None,
    token_env: TokenEnv = None,
    token_file: TokenFile = None,
    token: GivenToken = None,
    oauth_file: OauthFile = None,
    ca_bundle: CaBundle = None,
    timeout: Timeout = AN_HOUR,
) -> None:
    """Follow a sequence that was triggered before; the exit code is as trigger's."""
    surroundings = _surroundings(context)
    connection = Connection(
        context.find_object(Choice), url, token_env, token_file, token, oauth_file, ca_bundle
    )

    def act() -> int:
        keptn, api = connection.open(surroundings)
        if link := bridge_link(api, project, sequence):
            _say(surroundings, link)
        return _follow(surroundings, keptn, connection, project, sequence, timeout)

    raise conclude("follow", _naming_the_file(act), KeptnError, SecretUnreadable)


def _surroundings(context: typer.Context) -> Surroundings:
    return context.find_object(Surroundings) or Surroundings(SystemClock(), Screen(), None)


def _follow(
    surroundings: Surroundings,
    keptn: Transport,
    connection: Connection,
    project: str,
    context: str,
    timeout: float,
) -> int:
    """Follow it to its end. Whatever ends it sooner, the sequence goes on; raises Unusable that says so."""
    try:
        return Follower(keptn, surroundings.clock, surroundings.console).follow(project, context, timeout)
    except NeverBegun:
        raise
    except (Unusable, KeptnError, SecretUnreadable, KeyboardInterrupt) as ended:
        why = str(ended) or "it is no longer followed."
        again = connection.again(project, context)
        raise Unusable(f"{why.rstrip('.')}. The sequence goes on; to follow it again: {again}") from None


def _naming_the_file(act: Callable[[], int]) -> Callable[[], int]:
    """What the deployed code says of its parameter, it says here of the option."""

    def named() -> int:
        try:
            return act()
        except (Unusable, KeptnError, SecretUnreadable) as problem:
            raise Unusable(str(problem).replace(OAUTH_PARAMETER, "--oauth-file")) from None

    return named


def _say(surroundings: Surroundings, line: str) -> None:
    surroundings.console.print(line, markup=False, highlight=False, soft_wrap=True)


def main(
    arguments: Sequence[str] | None = None,
    *,
    clock: Clock | None = None,
    out: TextIO | None = None,
    session: "requests.Session | None" = None,
) -> int:
    """Do what the command line says; the exit code."""
    return run(app, arguments, Surroundings(clock or SystemClock(), Screen(file=out), session))


def _labels(given: Sequence[str]) -> dict[str, str]:
    for label in given:
        if "=" not in label.strip("="):
            raise Unusable(f"--label {label!r} is no KEY=VALUE.")
    return dict(label.split("=", 1) for label in given)


def _data(given: str) -> dict[str, Any]:
    text = read_text(Path(given[1:]), "--data") if given.startswith("@") else given
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Unusable(f"--data is no JSON: {problem}.") from None
    if not isinstance(data, dict):
        raise Unusable("--data is no JSON object.")
    return data


if __name__ == "__main__":
    sys.exit(main())
