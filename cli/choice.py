"""Which plane is meant: by the command line, the environment, or the only plane's file of the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from cli.ending import Unusable
from cli.planefile import only_one
from cli.runs.aws import Aws
from cli.runs.plane import Plane, find_stack
from execution_plane.clock import Clock


@dataclass(frozen=True)
class Choice:
    """What the command line says of the plane."""

    stack: str | None
    region: str | None
    profile: str | None
    ca_bundle: Path | None
    clock: Clock

    def __call__(self) -> Plane:
        """The plane. Raises Unusable if none is meant, or it is not there."""
        stack, region, profile = self.stack, self.region, self.profile
        if stack is None:
            file = only_one(Path())
            if file is None or not file.stack:
                raise Unusable("no plane is named, and this folder has no plane's file: give --stack.")
            stack, region, profile = file.stack, region or file.region, profile or file.profile
        aws = Aws(profile or None, region or None)
        return Plane(aws, find_stack(aws, stack), self.clock, ca_bundle=self.ca_bundle)


class Commands(TyperGroup):
    """Commands before and behind which the options stand that they share, as in `list --stack NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The command line, after the shared options were moved in front."""
        return list(super().parse_args(ctx, in_front(args, options_of(self), self.commands)))


def in_front(words: list[str], shared: Mapping[str, bool], commands: Mapping[str, Any]) -> list[str]:
    """A command line whose shared options stand before the command, which has none of that name itself.

    `shared` are the options, and whether each takes a value.
    """
    front: list[str] = []
    behind: list[str] = []
    own: Mapping[str, bool] | None = None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        known = shared if own is None else {**shared, **own}
        taken = [word]
        if word == "--":
            return [*front, *behind, word, *rest]
        if known.get(name) and not equals and rest:
            taken.append(rest.pop(0))
        if own is None and not word.startswith("-"):
            own = options_of(commands[word]) if word in commands else {}
        goes_behind = own is not None and (name not in shared or name in own)
        (behind if goes_behind else front).extend(taken)
    return [*front, *behind]


def options_of(command: Any) -> dict[str, bool]:
    """The options of a command, and whether each takes a value."""
    options = [each for each in command.params if each.param_type_name == "option"]
    return {name: not getattr(each, "is_flag", False) for each in options for name in each.opts}
