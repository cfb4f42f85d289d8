"""Says at the end how many faults were tried and survived."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

COUNTED = ("faults tried", "faults survived")


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    noted = [dict(report.user_properties) for report in reports if report.when == "call"]
    tried, survived = (sum(each.get(name, 0) for each in noted) for name in COUNTED)
    if tried:
        terminalreporter.write_line(f"fault matrix: {tried} faults tried, {survived} survived")
