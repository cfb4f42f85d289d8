"""One command for planes: `./plane --help`.

The exit code is 0 if all is well, 1 if a sequence failed, a run can't be ended, a file has problems or the
doctor found something, and 2 if the command could not be carried out.
"""

import os
import sys

import typer

from cli.deploy import deploy
from cli.lint_config import lint_config
from cli.runs.app import app
from cli.trigger import follow_sequence, trigger

__all__ = ["app"]

app.command("deploy", rich_help_panel="Deploy and try")(deploy)
app.command("trigger", rich_help_panel="Deploy and try")(trigger)
app.command("follow", rich_help_panel="Deploy and try")(follow_sequence)
app.command("lint", rich_help_panel="Deploy and try")(lint_config)


@app.command(
    "demo",
    rich_help_panel="Deploy and try",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def demo(context: typer.Context) -> None:
    """Run two planes beside a local Keptn, on this machine; --stay keeps them up."""
    os.execv(sys.executable, [sys.executable, "-m", "local.demo", *context.args])  # noqa: S606 - this project's


def main() -> None:
    """Run the command line."""
    app(prog_name="plane")


if __name__ == "__main__":
    main()
