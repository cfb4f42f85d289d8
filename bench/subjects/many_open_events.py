"""Two cycles with everything open: the first claims it all, the second finds all the runs in the ledger.

The answer has, for each, this process's peak memory so far (MiB) and how many events and runs there were.
"""

import json
import resource
import sys

from control.controller import TickReport
from execution_plane.clock import Deadline
from poller import build

MIB = 1024 * (1024 if sys.platform == "darwin" else 1)  # Linux counts in KiB


def main() -> None:
    """Before the first cycle, memory is what the imports and clients take."""
    _, clock, _, controller = build()
    answer = [{"peak": _peak(), "events": 0, "runs": 0}]
    for _ in range(2):
        report = TickReport()
        controller.cycle(Deadline.after(clock, 900), report)
        answer.append({"peak": _peak(), "events": report.events_listed, "runs": report.runs_active})
    print(json.dumps(answer))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


main()
