"""What a first deployment is asked for; each answer is checked where it is typed."""

import os
import re
import select
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import typer

from cli.ending import Unusable
from cli.template import problem_with, read_template
from execution_plane.keptn.transport import UNFIT, fits_a_header

LOGINS = ("token", "secret", "oauth")
ARN = re.compile(r"arn:[^:]+:[^:]+:(?P<region>[^:]*):(?P<account>\d*):.+")
PASTE_SECONDS = 0.1  # in which the other lines of what was pasted have come
ENOUGH = 65_536  # bytes


@dataclass(frozen=True)
class Place:
    """Where in AWS it is deployed to."""

    account: str
    region: str


def ask(place: Place) -> dict[str, str]:
    """The parameters by five answers, of which three may be Enter. A token is no parameter."""
    parameters = {"KeptnApiUrl": _ask("Keptn's API, as AWS reaches it (https://HOST/api)", _url)}
    login = _ask(f"Log in by {', '.join(LOGINS)}", _login, LOGINS[0])
    if login == "secret":
        name, what = "KeptnApiTokenSecretArn", "Keptn's API token"
        parameters[name] = _ask(f"ARN of the secret with {what}", _secret_in(place, name))
    elif login == "oauth":
        name, what = "OauthSecretArn", "the OAuth client"
        parameters[name] = _ask(f"ARN of the secret with {what}", _secret_in(place, name))
    event_types = read_template()["Parameters"]["EventTypes"]["Default"]
    parameters["EventTypes"] = _ask("Events to handle", _taken_as("EventTypes"), event_types)
    match = _ask("Only events with (as $.data.sayhello.location=APAC; Enter for all)", _match, "")
    if match:
        path, _, value = match.partition("=")
        parameters |= {"MatchProperty": path, "MatchValue": value}
    return parameters


def ask_token() -> str:
    """Keptn's API token, which is not shown. Raises Unusable if nobody is there to type it."""
    while True:
        lines = [line.strip() for line in _read_hidden("Keptn's API token (is not shown): ").splitlines()]
        given = [line for line in lines if line]
        problem = (
            "an answer is needed."
            if not given
            else f"that has {len(given)} lines; the token is one."
            if len(given) > 1
            else "that has blanks; paste the token alone."
            if re.search(r"\s", given[0])
            else ""
            if fits_a_header(given[0])
            else f"{UNFIT}."
        )
        if not problem:
            return given[0]
        typer.echo(f"Error: {problem}")


def _ask(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    def checked(text: str) -> str:
        if not text.strip() and default is None:
            raise typer.BadParameter("an answer is needed.")
        return check(text.strip())

    answer: str = typer.prompt(question, default=default, value_proc=checked, show_default=bool(default))
    return answer


def _taken_as(parameter: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if problem := problem_with(parameter, text):
            raise typer.BadParameter(problem)
        return text

    return checked


def _url(text: str) -> str:
    _taken_as("KeptnApiUrl")(text)
    if not urlsplit(text).path.rstrip("/").endswith("/api"):
        raise typer.BadParameter(f"KeptnApiUrl should end in /api: {text.rstrip('/')}/api?")
    return text


def _login(text: str) -> str:
    if text not in LOGINS:
        raise typer.BadParameter(f"it must be {', '.join(LOGINS[:-1])} or {LOGINS[-1]}.")
    return text


def _secret_in(place: Place, parameter: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        _taken_as(parameter)(text)
        found = ARN.fullmatch(text)
        if found and found["region"] != place.region:
            raise typer.BadParameter(
                f"that secret is in {found['region']}, and the plane in {place.region} reads it there only: "
                "give one of that region."
            )
        if found and found["account"] != place.account:
            raise typer.BadParameter(
                f"that secret is in the account {found['account']}, and the plane in {place.account}: give "
                "one of that account. (Another account's can be put into the plane's file afterwards.)"
            )
        return text

    return checked


def _match(text: str) -> str:
    path, _, value = (part.strip() for part in text.partition("="))
    if not path and not value:
        return ""
    if value.startswith("="):
        raise typer.BadParameter("write one =, as in $.data.sayhello.location=APAC.")
    if not value:
        raise typer.BadParameter("it must be a JSONPath, = and a value, or empty.")
    _taken_as("MatchProperty")(path)
    _taken_as("MatchValue")(value)
    return f"{path}={value}"


def _read_hidden(question: str) -> str:
    """All lines of what is typed or pasted. Raises Unusable if nobody is there, and Abort at the end."""
    if not sys.stdin.isatty():
        raise Unusable("nobody is there to type Keptn's API token: put it into KEPTN_API_TOKEN.")
    terminal = sys.stdin.fileno()
    with _echo_off(terminal):
        typer.echo(question, nl=False)
        try:
            text = os.read(terminal, ENOUGH)
            # A terminal gives a line at a time; the others would answer the next question.
            while text and select.select([terminal], [], [], PASTE_SECONDS)[0]:
                more = os.read(terminal, ENOUGH)
                text += more
                if not more:
                    break
        except KeyboardInterrupt:
            raise typer.Abort from None
        finally:
            typer.echo()
    if not text:
        raise typer.Abort
    return text.decode(errors="replace")


@contextmanager
def _echo_off(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
