"""Pages of the reference made from what they describe: `make reference` writes them, a test compares.

Each page is a function that gives its Markdown; PAGES names the file of each, below docs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli.template import read_template

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by `make reference`; change the source, not this page. -->\n"


def parameters() -> str:
    """The template's parameters, by the groups that AWS's console shows."""
    template = read_template()
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    rows = [
        "# Parameters\n",
        MADE,
        "Each parameter of `template.yaml`, by the groups that AWS's console shows. "
        "Only the first one has no default.\n",
    ]
    for group in interface["ParameterGroups"]:
        rows += [
            f"## {group['Label']['default']}\n",
            "| Parameter | Default | Values | Meaning |",
            "|---|---|---|---|",
        ]
        for name in group["Parameters"]:
            rows.append(_parameter(name, template["Parameters"][name]))
        rows.append("")
    return "\n".join(rows)


def _parameter(name: str, parameter: Mapping[str, Any]) -> str:
    if "Default" not in parameter:
        default = "required"
    else:
        default = f"`{parameter['Default']}`" if parameter["Default"] != "" else "empty"
    return (
        f"| `{name}` | {default} | {_values(parameter)} | {parameter['Description'].replace('|', '&#124;')} |"
    )


def _values(parameter: Mapping[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(f"`{value}`" for value in parameter["AllowedValues"])
    if "MinValue" in parameter or "MaxValue" in parameter:
        return f"{parameter.get('MinValue', '')} to {parameter.get('MaxValue', '')}".strip()
    if "MaxLength" in parameter:
        return f"at most {parameter['MaxLength']} characters"
    return ""


PAGES: Mapping[str, Callable[[], str]] = {"parameters.md": parameters}


def write() -> None:
    """Write all pages anew."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())


if __name__ == "__main__":
    write()
