"""Pages of the reference made from what they describe: `make reference` writes them, a test compares.

Each page is a function that gives its Markdown; PAGES names the file of each, below docs.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from cli.__main__ import app
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


def commands() -> str:
    """What `./plane` can do: the help of its commands, in the order of the program."""
    program: Any = typer.main.get_command(app)
    rows = [
        "# Commands\n",
        MADE,
        f"{_sentence(program.help)}\n",
        "`--help` behind a command prints the same. "
        "The options of every command may stand before or behind its name.\n",
        "| Exit code | Means |",
        "|---|---|",
        "| 0 | All is well. For `trigger` and `follow`: pass or warning |",
        "| 1 | A sequence failed, there is no such run, a run can't be ended, a file has problems, "
        "or the doctor found something |",
        "| 2 | The command could not be carried out |\n",
        "## Options of every command\n",
        *_options(program),
    ]
    for name, command in program.commands.items():
        arguments = [_name(each) for each in command.params if each.required]
        rows += [
            f"## {name}\n",
            f"`{' '.join(['./plane', name, *arguments])}`\n",
            f"{_sentence(command.help)}\n",
        ]
        rows += _options(command)
    return "\n".join(rows)


def _name(parameter: Any) -> str:
    """What is typed for a parameter: `ID`, `--closed` or `--since VALUE`."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    names = ", ".join(parameter.opts)
    return names if parameter.is_flag else f"{names} {(parameter.metavar or 'VALUE').replace('|', ' or ')}"


def _sentence(text: str | None) -> str:
    sentences = inspect.cleandoc(text or "").replace("|", "&#124;")
    return f"{sentences.removesuffix('.')}." if sentences else ""


def _options(command: Any) -> Iterator[str]:
    """A table of a command's arguments and options; nothing if it has none."""
    if shown := [each for each in command.params if not each.hidden]:
        yield from ("| Option | Meaning |", "|---|---|")
    for each in shown:
        must = "Required. " if each.required and each.param_type_name == "option" else ""
        yield f"| `{_name(each)}` | {must}{_sentence(each.help)} |".replace(".  |", ". |")
    if shown:
        yield ""


PAGES: Mapping[str, Callable[[], str]] = {"parameters.md": parameters, "commands.md": commands}


def write() -> None:
    """Write all pages anew."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())


if __name__ == "__main__":
    write()
