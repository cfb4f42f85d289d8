"""Trigger a sequence of any Keptn and follow it to its end: `python -m cli.trigger --help`.

The exit code is the sequence's result, so that it serves in a pipeline: 0 pass or warning, 1 fail, 2 if it
could not be started or followed.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import requests

from execution_plane.clock import Clock, SystemClock
from execution_plane.keptn.transport import KeptnError, Transport

PASSED, FAILED, UNUSABLE = 0, 1, 2
TOKEN_VARIABLE = "KEPTN_API_TOKEN"  # noqa: S105 - its name
SOURCE = "keptn-lambda-executor/trigger"
HELD_UP = {"paused", "waiting"}
OVER = {"finished", "aborted", "timedOut"}
PAUSE = 2.0  # seconds between two questions
# Questions in a row that must find a sequence over: another stage may follow, an event come late.
SETTLING = 3
MOST_FAILURES = 10  # questions in a row that may fail
MOST_UNKNOWN = 15  # questions in which Keptn may know nothing of the sequence
PAGE = "100"  # events, the most that Keptn gives at once
MARKS = {"triggered": "▷", "started": "▶", "changed": "·", "finished": "■"}
COLOURS = {"pass": "32", "warning": "33", "fail": "31"}


class Unusable(Exception):
    """What was asked for can't be done; the text is one sentence."""


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


class Token:
    """An API token that is given once."""

    def __init__(self, text: str) -> None:
        self._text = text

    def headers(self) -> Mapping[str, str]:
        """Keptn's own header."""
        return {"x-token": self._text}

    def renew(self) -> None:
        """There is no other."""


class Follower:
    """Shows a sequence's events as they come, and knows how it ended."""

    def __init__(self, keptn: Transport, clock: Clock, out: TextIO, *, in_colour: bool) -> None:
        self._keptn = keptn
        self._clock = clock
        self._out = out
        self._in_colour = in_colour
        self._shown: set[str] = set()
        self._results: list[str] = []

    def follow(self, project: str, context: str) -> int:
        """Show everything until the sequence is over in all its stages; the exit code.

        Raises Unusable if Keptn never begins it, and KeptnError once Keptn has failed to answer many times in
        a row.
        """
        over, failures, unknown, state = 0, 0, 0, ""
        while True:
            before = state
            try:
                state = self._state(project, context)
                self._show_new(project, context)
                failures = 0
            except KeptnError:
                failures += 1
                if failures == MOST_FAILURES:
                    raise
            if state != before and state in HELD_UP:
                print(f"The sequence is {state}.", file=self._out, flush=True)
            unknown += not state
            if unknown == MOST_UNKNOWN:
                raise Unusable("Keptn does not begin it: is there such a project, stage and sequence?")
            over = over + 1 if state in OVER and not failures else 0
            if over == SETTLING:
                return self._conclude(state)
            self._clock.sleep(PAUSE)

    def _state(self, project: str, context: str) -> str:
        path = f"/controlPlane/v1/sequence/{quote(project, safe='')}"
        states = (self._keptn.get(path, {"keptnContext": context}).body or {}).get("states") or []
        return str(states[0].get("state", "")) if states else ""

    def _show_new(self, project: str, context: str) -> None:
        """Events come newest first, and in pages."""
        new = [event for event in self._events(project, context) if event.get("id") not in self._shown]
        new.reverse()
        for event in sorted(new, key=lambda each: str(each.get("time"))):
            self._shown.add(str(event.get("id")))
            self._show(event)

    def _events(self, project: str, context: str) -> Iterator[Mapping[str, Any]]:
        page = {"keptnContext": context, "project": project, "pageSize": PAGE}
        while True:
            body = self._keptn.get("/mongodb-datastore/event", page).body or {}
            yield from body.get("events") or []
            key = str(body.get("nextPageKey") or "0")
            if key == "0":
                return
            page["nextPageKey"] = key

    def _show(self, event: Mapping[str, Any]) -> None:
        parts = str(event.get("type")).removeprefix("sh.keptn.event.").split(".")
        kind, data = parts[-1], event.get("data") or {}
        name = ".".join(parts[:-1]).removesuffix(".status")
        result = str(data.get("result") or "") if kind == "finished" else ""
        is_sequence = kind == "finished" and len(parts) > 2
        if is_sequence:
            self._results.append("fail" if data.get("status") in {"aborted", "errored"} else result)
        # A message may come from anybody, and must not steer the terminal.
        lines = [_printable(line) for line in str(data.get("message") or "").strip().splitlines()]
        shown = [str(event.get("time"))[11:19], MARKS.get(kind, " "), str(data.get("stage", "")), name]
        shown += [self._coloured(result) if result else "status" if kind == "changed" else kind]
        shown += lines[:1] if not is_sequence else []
        print("  ".join(each for each in shown if each), file=self._out, flush=True)
        for line in lines[1:] if not is_sequence else []:
            print(f"{'':12}{line}", file=self._out, flush=True)

    def _conclude(self, state: str) -> int:
        results = set(self._results) if state == "finished" else {"fail"}
        worst = next((each for each in ("fail", "warning", "pass") if each in results), "fail")
        print(f"The sequence is {state}: {self._coloured(worst)}.", file=self._out)
        return FAILED if worst == "fail" else PASSED

    def _coloured(self, result: str) -> str:
        colour = COLOURS.get(result)
        return f"\033[{colour}m{result}\033[0m" if self._in_colour and colour else result


def main(
    arguments: Sequence[str] | None = None,
    *,
    clock: Clock | None = None,
    out: TextIO = sys.stdout,
    session: requests.Session | None = None,
) -> int:
    """Do what the command line says; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        trigger = Trigger(
            given.project, given.stage, given.service, given.sequence, _labels(given.label), _data(given.data)
        )
        clock = clock or SystemClock()
        keptn = Transport(
            given.url.rstrip("/"),
            Token(_token(given)),
            clock,
            session=session,
            ca_bundle_path=given.ca_bundle,
        )
        context = str((keptn.post("/v1/event", trigger.as_event()).body or {}).get("keptnContext", ""))
        if not context:
            raise Unusable("Keptn named no context: is --url its API?")
        print(f"Keptn context {context}", file=out, flush=True)
        if not given.follow:
            return PASSED
        return Follower(keptn, clock, out, in_colour=out.isatty()).follow(given.project, context)
    except (Unusable, KeptnError) as problem:
        print(f"trigger: {problem}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("trigger: no longer followed; the sequence goes on.", file=sys.stderr)
        return UNUSABLE


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\t" else "�" for each in text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m cli.trigger", description="Trigger a Keptn sequence.")
    parser.add_argument("--url", required=True, help="Keptn's API, for example https://keptn.example.com/api")
    token = parser.add_mutually_exclusive_group()
    token.add_argument(
        "--token-env", metavar="NAME", help=f"environment variable with the API token ({TOKEN_VARIABLE})"
    )
    token.add_argument("--token-file", metavar="PATH", type=Path, help="file with the API token")
    token.add_argument("--token", help="the API token itself; every user of this machine can see it")
    for name in ("project", "stage", "service", "sequence"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="any number of them"
    )
    parser.add_argument("--data", default="{}", metavar="JSON|@FILE", help="more of the event's data")
    parser.add_argument("--ca-bundle", metavar="PATH", help="PEM file with authorities to trust besides")
    parser.add_argument("--follow", action="store_true", help="show the sequence, and wait for its end")
    return parser


def _token(given: argparse.Namespace) -> str:
    if given.token:
        return str(given.token)
    if given.token_file:
        return _read(given.token_file, "--token-file").strip()
    name = given.token_env or TOKEN_VARIABLE
    if not (token := os.environ.get(name, "").strip()):
        raise Unusable(f"there is no API token: set the environment variable {name}, or use --token-file.")
    return token


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
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise Unusable(f"{option} {path} can't be read: {problem}.") from None


if __name__ == "__main__":
    sys.exit(main())
