"""`python -m cli.runs`."""

from cli.runs.app import app

app(prog_name="runs")
