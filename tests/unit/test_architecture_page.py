"""docs/architecture.md draws the rooms; the code keeps to them, and the page to the code."""

import ast
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from execution_plane.ledger.runs import State

ROOT = Path(__file__).parents[2]
LAYER = "layers/execution_plane/execution_plane/"
PAGE = (ROOT / "docs" / "architecture.md").read_text().replace("`layer/", f"`{LAYER}")
PATH = r"(?:functions|layers|cli|local|tests)(?:/[\w.]+)*|template\.yaml|pyproject\.toml"
ROOMS = sorted(
    path.parent
    for place in ("functions", "layers", "cli", "local")
    for path in (ROOT / place).rglob("__init__.py")
)


def test_the_rooms_import_one_another_only_along_the_arrows(capsys: pytest.CaptureFixture[str]) -> None:
    # It would switch off the loggers that other tests read.
    with patch("importlinter.cli.logging_config.dictConfig"):
        status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


PLAN_AND_LEDGER = [
    ROOT / "functions/poller/control/plan.py",
    ROOT / "functions/poller/control/waiting.py",
    *sorted((ROOT / LAYER / "ledger").glob("*.py")),
]
SERVICES = re.compile(
    r"\bECS\b|fargate|container|step ?functions?|state ?machine|\bexecutions?\b", re.IGNORECASE
)
OF_ITEMS_IN_FLIGHT = 'ONLY_KIND = "container"'


@pytest.mark.parametrize("path", PLAN_AND_LEDGER, ids=lambda path: path.name)
def test_the_plan_and_the_ledger_name_no_service_that_does_steps(path: Path) -> None:
    assert SERVICES.findall(path.read_text().replace(OF_ITEMS_IN_FLIGHT, "")) == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_every_room_says_in_its_docstring_what_it_is_for(room: Path) -> None:
    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text()))


def test_every_path_that_the_page_names_is_there() -> None:
    named = re.findall(rf"`({PATH})`", PAGE)

    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


STEPS = re.findall(rf"\| `({PATH})` \| `([\w.]+)` \|$", PAGE, re.MULTILINE)


def test_the_events_way_has_ten_steps() -> None:
    assert len(STEPS) == 10


@pytest.mark.parametrize(("path", "name"), STEPS)
def test_every_function_on_the_events_way_is_in_its_file(path: str, name: str) -> None:
    body = ast.parse((ROOT / path).read_text()).body
    for part in name.split("."):
        (found,) = [
            each for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == part
        ]
        body = found.body


def test_every_word_that_the_page_calls_a_name_of_the_code_is_one() -> None:
    names = set(re.findall(r"`([A-Z]\w+(?:\.\w+)?|ROWS)`", PAGE))
    code = "\n".join(
        path.read_text() for room in ("functions", "layers") for path in (ROOT / room).rglob("*.py")
    )

    assert names
    assert sorted(name for name in names if not re.search(rf"\b{name.split('.')[-1]}\b", code)) == []


def test_every_state_of_a_run_is_explained() -> None:
    _, _, states = PAGE.partition("| State |")
    assert re.findall(r"^\| `(\w+)` \|", states.split("\n\n")[0], re.MULTILINE) == [
        str(state) for state in State
    ]
