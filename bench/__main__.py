"""Runs every benchmark and prints its figures: `python -m bench [--check] [NAME …]`.

A ratio is what was measured over what stands beside it. With --check the exit code is 1 if a target is
missed. Times mean little while the machine is busy with something else: its load is printed.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Final

from bench import (
    burst,
    closed_runs,
    first_request,
    first_tasks,
    idle_cycle,
    idle_minute,
    large_job_config,
    new_events,
    peak_memory,
    rush,
    sequence,
    stale_events,
)
from bench.figures import HEAD, Figure, line, table

BENCHMARKS: Final[dict[str, tuple[str, Callable[[], Iterator[Figure]]]]] = {
    "idle_cycle": (idle_cycle.TITLE, idle_cycle.measure),
    "idle_minute": (idle_minute.TITLE, idle_minute.measure),
    "new_events": (new_events.TITLE, new_events.measure),
    "stale_events": (stale_events.TITLE, stale_events.measure),
    "first_request": (first_request.TITLE, first_request.measure),
    "peak_memory": (peak_memory.TITLE, peak_memory.measure),
    "closed_runs": (closed_runs.TITLE, closed_runs.measure),
    "large_job_config": (large_job_config.TITLE, large_job_config.measure),
    "rush": (rush.TITLE, rush.measure),
    "burst": (burst.TITLE, burst.measure),
    "first_tasks": (first_tasks.TITLE, first_tasks.measure),
    "sequence": (sequence.TITLE, sequence.measure),
}


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the first benchmark\n")
    print(line(HEAD))
    missed = 0
    for name in arguments.names or BENCHMARKS:
        title, measure = BENCHMARKS[name]
        print(f"\n{title}", flush=True)
        figures = list(measure())
        print(table(figures), flush=True)
        missed += sum(figure.passes is False for figure in figures)
    print(f"\n{missed} targets missed" if missed else "\nAll targets met")
    print(f"load {os.getloadavg()[0]:.1f} after the last benchmark")
    return 1 if missed and arguments.check else 0


raise SystemExit(main())
