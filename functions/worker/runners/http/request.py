"""From an `http` of a job config and a task's variables to the request: `$(VAR)` is put in without harm."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from jobs.environment import Environment
from jobs.expansion import expand
from jobs.model import HttpCall
from runners.http.exchange import Request
from runners.http.reachable import USUAL_PORTS

_BASE: Final = re.compile(r"\$\(([^)]*)\)")  # a variable that the whole URL begins with
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?(?P<target>[/?][!-~]*)?",
    re.IGNORECASE,
)
_NOT_IN_HEADERS: Final = re.compile(r"[^\t -~\x80-\xff]")
_DEFAULTS: Final = {"User-Agent": "keptn-lambda-executor", "Accept": "*/*"}
JSON: Final = "application/json"


class UnusableCall(Exception):
    """A call that can't be made as the job config and the event have it; the text says why."""


def request_of(call: HttpCall, made: Environment) -> Request:
    """The request of a call, with the variables put in. Raises UnusableCall."""
    body = expand(call.body, _variable(made, "body")).encode("utf-8", "replace")
    scheme, host, port, target = _parts(_url(call.url, made))
    return Request(
        method=call.method or ("POST" if body else "GET"),
        scheme=scheme,
        host=host,
        port=port,
        target=target,
        headers=_headers(call, made, has_body=bool(body)),
        body=body,
    )


def secret_forms(made: Environment) -> Mapping[str, str]:
    """What must not be shown of a call: the values from secrets, and what stands for them in URLs."""
    forms = (
        form for each in made.variables.values() if each.secret is not None for form in _forms(each.value)
    )
    return {str(number): form for number, form in enumerate(forms)}


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    if found := _URL.match(value.strip()):
        yield found["target"] or ""


def _url(url: str, made: Environment) -> str:
    """The URL: a variable that it begins with is taken as it is, the others are percent-encoded."""
    value_of = _variable(made, "url")
    base = _BASE.match(url)
    begun = value_of(base[1]).strip() if base else ""
    rest = url[base.end() :] if base else url
    return begun + expand(rest, lambda name: quote(value_of(name), safe=""))


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target. Raises UnusableCall for what others might read in another way."""
    found = _URL.fullmatch(url.partition("#")[0])
    if not found:
        raise UnusableCall(
            "http.url is no plain URL with its variables put in: expected https://HOST:PORT/PATH?QUERY, "
            "without a user, blanks or characters that are to be percent-encoded"
        )
    scheme = found["scheme"].lower()
    port = int(found["port"]) if found["port"] else USUAL_PORTS[scheme]
    if not 0 < port < 65536:
        raise UnusableCall(f"http.url has the port {port}, which there is not")
    target = found["target"] or "/"
    return scheme, found["host"].lower(), port, target if target[0] == "/" else f"/{target}"


def _headers(call: HttpCall, made: Environment, *, has_body: bool) -> Mapping[str, str]:
    given = {}
    for name, text in call.headers.items():
        value = expand(text, _variable(made, f"the header {name}")).strip()
        if _NOT_IN_HEADERS.search(value):
            raise UnusableCall(
                f"The header {name} has a line break or another character that no header may have, with its "
                "variables put in"
            )
        given[name] = value
    defaults = {**_DEFAULTS, **({"Content-Type": JSON} if has_body else {})}
    names = {name.lower() for name in given}
    return {**{name: value for name, value in defaults.items() if name.lower() not in names}, **given}


def _variable(made: Environment, where: str) -> Callable[[str], str]:
    def value_of(name: str) -> str:
        if name not in made.variables:
            raise UnusableCall(
                f"$({name}) in {where} names no variable of the task: add it to env, or write $$({name}) for "
                "the text itself"
            )
        return made.variables[name].value

    return value_of
