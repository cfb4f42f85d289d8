"""A plane's file: the SAM CLI deploys with it, and the commands know the plane's stack by it."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cli.ending import Unusable
from cli.template import problem_with, read_template

PATTERN = "samconfig-*.toml"
GONE = {
    "KeptnApiToken": "the token is in the stack's secret",
    "PollWindowSeconds": "no function sleeps between polls any more",
}
"""Parameters of earlier versions, with what stands for them. The SAM CLI leaves out what a template lacks."""
FORM = """\
# A plane's parameters, for `sam build`, `sam deploy` and `sam delete`; docs/parameters.md lists them all.
version = 0.1

[default.global.parameters]
stack_name = {stack}
region = {region}
{profile}
[default.global.parameters.parameter_overrides]
{parameters}

[default.build.parameters]
cached = true
parallel = true

[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
resolve_s3 = true
fail_on_empty_changeset = false
"""


@dataclass(frozen=True)
class PlaneFile:
    """What a file says; empty where it does not."""

    path: Path
    stack: str = ""
    region: str = ""
    profile: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def gone(self) -> Mapping[str, str]:
        """Its parameters that no longer exist, with what stands for them; deploying leaves them out."""
        parameters = read_template()["Parameters"]
        return {name: why for name, why in GONE.items() if name in self.parameters and name not in parameters}

    def problems(self, *, is_first: bool = True) -> Iterator[str]:
        """What the template has against its parameters, one sentence each.

        After a first deployment, a parameter that the file does not name keeps its value.
        """
        known = read_template()["Parameters"]
        for name, value in self.parameters.items():
            if name in self.gone:
                continue
            if name not in known:
                nearest = get_close_matches(name, known, 1, 0.0)[0]
                yield f"{name} is no parameter: is {nearest} meant?"
            elif problem := problem_with(name, value):
                yield problem
        for name, declared in known.items():
            if is_first and "Default" not in declared and name not in self.parameters:
                yield f"{name} is missing."


def configuration(stack: str, region: str, parameters: Mapping[str, str], profile: str = "") -> str:
    """The text of a SAM CLI's configuration file.

    The parameters are a table: in a string, or in strings of a list, the SAM CLI cuts values at blanks and
    quotes.
    """
    return FORM.format(
        stack=_toml(stack),
        region=_toml(region),
        profile=f"profile = {_toml(profile)}\n" if profile else "",
        parameters="\n".join(f"{name} = {_toml(value)}" for name, value in parameters.items()),
    )


def read(path: Path) -> PlaneFile:
    """A plane's file. Raises Unusable if it can't be read or is none."""
    try:
        environments = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as problem:
        raise Unusable(f"{path} can't be read: {problem.strerror}.") from None
    except ValueError as problem:
        raise Unusable(f"{path} is no TOML: {problem}. Correct it there.") from None
    options: dict[str, Any] = {}
    for command in ("global", "deploy"):
        options |= _table(path, environments, "default", command, "parameters")
    overrides = options.get("parameter_overrides", {})
    if not isinstance(overrides, dict):
        raise Unusable(
            f"{path}: parameter_overrides is no table; write [default.global.parameters.parameter_overrides] "
            'and below it a line NAME = "VALUE" for each parameter.'
        )
    for name, value in overrides.items():
        if not isinstance(value, str):
            raise Unusable(f'{path}: {name} is no text; write {name} = "{json.dumps(value).strip(chr(34))}".')
    names = {name: str(options.get(name, "")) for name in ("stack_name", "region", "profile")}
    return PlaneFile(path, names["stack_name"], names["region"], names["profile"], overrides)


def only_one(folder: Path) -> PlaneFile | None:
    """The plane's file in a folder that has one; None if there is none. Raises Unusable if there are more."""
    found = sorted(folder.glob(PATTERN))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise Unusable(f"this folder has {len(found)} planes' files ({names}): say which by --stack.")
    return read(found[0]) if found else None


def _table(path: Path, inside: Any, *names: str) -> dict[str, Any]:
    for depth, name in enumerate(names, 1):
        inside = inside.get(name, {})
        if not isinstance(inside, dict):
            raise Unusable(f"{path}: {'.'.join(names[:depth])} is no table, as samconfig.toml has it.")
    return dict(inside)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
