"""What README and docs show is run as it stands on the page."""

import io
import json
import re
import shlex
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from textwrap import indent
from typing import Any

import boto3
import pytest
import requests
import typer
import yaml

from cli import lint_config, trigger
from cli.__main__ import app
from cli.choice import in_front, options_of
from cli.ending import PASSED
from jobs.config import Rules, read
from jobs.model import Task
from local.example import PROJECT, SERVICE, SHIPYARD
from local.keptn import in_process
from runners.python_function import PythonFunctionRunner
from tests.conftest import TEMPLATE, PlaneMaker
from tests.integration.test_trigger import at_work
from tests.support.snippets import COMMAND, ROOT, Snippet, inline, invocations, snippets
from tests.unit.runners.task_contexts import task_context

KEPTN = "https://keptn.example.com/api"
"""Keptn's address on the pages."""
API = re.compile(r"https?://[^/]+/api")
RUN = {"python", "yaml", "json", "toml", "sh"}
SHOWN = {"mermaid", "query", "text"}
"""Pictures, queries of CloudWatch Logs, and what programs print."""


def test_every_block_of_the_pages_is_of_a_kind_that_is_run_or_only_shown() -> None:
    """A block in another language is either none to be copied, or needs a test here."""
    unknown = {str(each): each.language for each in snippets() if each.language not in RUN | SHOWN}

    assert unknown == {}
    assert len(snippets(*RUN)) > 10


@pytest.mark.parametrize("snippet", snippets("text"), ids=str)
def test_what_is_only_shown_holds_no_command_to_be_run(snippet: Snippet) -> None:
    assert not [line for line in snippet.text.splitlines() if COMMAND.match(line)]


@pytest.mark.parametrize("snippet", snippets("python"), ids=str)
def test_python_is_run_and_a_task_gives_an_outcome(
    snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(snippet.text, str(snippet), "exec"), defined)

    for name in re.findall(r"^def (\w+)\(data\b", snippet.text, re.MULTILINE):
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "tasks").mkdir()
        tasks = (ROOT / "functions/worker/tasks/__init__.py").read_text()
        (tmp_path / "tasks" / "__init__.py").write_text(tasks)
        (tmp_path / "tasks" / f"{name}.py").write_text(snippet.text)
        outcome = PythonFunctionRunner().run(
            Task(0, function=name), task_context(sayhello={"location": "APAC"})
        )
        assert (outcome.status, outcome.result) == ("succeeded", "pass"), outcome.message


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=str)
def test_yaml_is_a_job_config_or_actions_or_tasks_of_one(snippet: Snippet) -> None:
    content = yaml.safe_load(snippet.text)
    match content:
        case {"apiVersion": _}:
            text = snippet.text
        case [{"tasks": _}, *_]:
            text = f"apiVersion: v2\nactions:\n{snippet.text}"
        case [*_]:
            text = f"apiVersion: v2\nactions:\n- tasks:\n{indent(snippet.text, '  ')}"
        case _:
            pytest.fail("it is no job config; if it is to be something else, say here how that is tested")

    config = read(text.encode(), origin=str(snippet), rules=Rules())

    assert all(task.kind for action in config.actions for task in action.tasks)


@pytest.mark.parametrize("snippet", snippets("json", "toml"), ids=str)
def test_json_and_toml_can_be_read(snippet: Snippet) -> None:
    assert {"json": json.loads, "toml": tomllib.loads}[snippet.language](snippet.text)


SHELL = snippets("sh")


@pytest.mark.parametrize("snippet", SHELL, ids=str)
def test_commands_can_be_run_as_they_stand(
    snippet: Snippet, new_plane: PlaneMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = new_plane("APAC")
    keptn = plane.world.keptn
    keptn.create_project(PROJECT, SHIPYARD, (SERVICE,))
    monkeypatch.setenv("KEPTN_API_TOKEN", keptn.token)
    for command in invocations(snippet, KEPTN_API_TOKEN=keptn.token):
        match command:
            case ["plane", "trigger", *words] if "--url" in words:
                arguments = ["trigger", *(in_process.URL if API.fullmatch(each) else each for each in words)]
                out, session = io.StringIO(), in_process.session(keptn)
                with at_work(plane.world, plane), monkeypatch.context() as patch:
                    patch.chdir(ROOT)
                    code = trigger.main(arguments, clock=plane.clock, out=out, session=session)
                assert code == PASSED, out.getvalue()
            case ["plane", "lint", *words] if "--stack" not in words:
                with monkeypatch.context() as patch:
                    patch.chdir(tmp_path)
                    give_files(words)
                    assert lint_config.main(words) == PASSED
            case ["plane", *words]:
                check_plane(words)
            case ["make", *words]:
                made(words)
            case ["curl", *words]:
                send(words, in_process.session(keptn))
            case ["sam", *words]:
                check_sam(words)
            case ["aws", service, operation, *_]:
                assert operation.replace("-", "_") in boto3.client(service).meta.method_to_api_mapping  # type: ignore[call-overload]
            case _:
                pytest.fail(f"say here how {shlex.join(command)} is tested")


@pytest.mark.parametrize(("page", "code"), inline("make", "plane", "sam"))
def test_commands_in_the_text_can_be_run(page: str, code: str) -> None:
    name, *words = shlex.split(code)
    if name == "make":
        made(words)
    elif name == "plane":
        check_plane(words)
    else:
        check_sam(words)


def made(words: list[str]) -> None:
    """What make would run for these words is run by nobody."""
    command = ["make", "--dry-run", "--no-print-directory", *words]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr


def check_plane(words: list[str]) -> None:
    """The command is not run; it has to take the words, unless the page leaves some out."""
    commands: Any = typer.main.get_command(app)
    words = in_front(words, options_of(commands), commands.commands)
    if words[0] in {option for each in commands.params if each.is_flag for option in each.opts}:
        return
    while words[0].startswith("-"):
        words = words[2:]
    name, *rest = words
    assert name in commands.commands
    if rest and not {"--help", "…"} & set(rest):
        commands.commands[name].make_context(name, rest)


def give_files(arguments: list[str]) -> None:
    """The files that a reader has, where the page names some: this project's job config and event."""
    event = arguments[arguments.index("--event") + 1] if "--event" in arguments else None
    for name in (each for each in arguments if not each.startswith("-")):
        source = "events/sayhello-triggered.json" if name == event else "functions/worker/job/config.yaml"
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes((ROOT / source).read_bytes())


def send(words: list[str], session: requests.Session) -> None:
    """Send what curl would send, to the local Keptn."""
    options = dict(pairwise(words))
    headers = dict(header.split(": ", 1) for option, header in pairwise(words) if option == "-H")
    (url,) = [word for word in words if word.startswith(KEPTN)]
    body = options.get("--data-raw")
    answer = session.request(
        options.get("-X", "GET"), url.replace(KEPTN, in_process.URL), headers=headers, data=body
    )
    assert answer.ok, answer.text


def check_sam(words: list[str]) -> None:
    """The SAM CLI is not asked; what a command names must be there, and the template must take the values."""
    options = dict(pairwise(words))
    if "--event" in options and options["--event"] != "-":
        assert (ROOT / options["--event"]).is_file()
    if "--config-env" in options:
        assert options["--config-env"] in tomllib.loads((ROOT / "samconfig.toml").read_text())
    if words[1:2] == ["invoke"] and len(words) > 2:
        assert [word for word in words if word in TEMPLATE["Resources"]]
    if "--parameter-overrides" in words:
        for given in words[words.index("--parameter-overrides") + 1 :]:
            if given.startswith("--"):
                break
            if given not in {"...", "…"}:
                check_parameter(*given.split("=", 1))


def check_parameter(name: str, value: str) -> None:
    """The template has the parameter, and takes the value."""
    parameter = TEMPLATE["Parameters"][name]
    assert re.search(parameter.get("AllowedPattern", ""), value), f"{name} does not take {value}"
    assert value in parameter.get("AllowedValues", [value])
    if parameter["Type"] == "Number":
        assert parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", int(value))
