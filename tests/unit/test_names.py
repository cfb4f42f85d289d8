"""One word has one meaning: no two classes of what is deployed share a name."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_two_classes_of_what_is_deployed_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (path for room in ("functions", "layers") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
