"""What `pytest --sample`, and so `make test`, has of what takes long; `make test-all` has everything.

- **Tests that are marked `slow`** are skipped: those that take seconds by their nature, since processes
  serve as AWS Lambda, containers run in Docker, or tasks come by the hundred.
- **Of a fault matrix**, each scenario suffers each kind of fault, but at STRIKES of its calls, or as many as
  the matrix says: of those kinds (an operation, and what it sends to Keptn) that the fault has struck least
  in the scenarios before.
- **Of the interleavings** that Hypothesis chooses, the first EXAMPLES.

These are rules, not lists: a new scenario, fault or call is sampled as the others are. The end of a run says
in numbers what was left out, or would be.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePath
from typing import TypeVar

import pytest

STRIKES = 2
EXAMPLES, ALL_EXAMPLES = 50, 2000

SLOW = "slow"
TRIED, SURVIVED = "faults tried", "faults survived"
FAULTS, SAMPLED_FAULTS = "faults", "faults of a sample"
INTERLEAVINGS, SAMPLED_INTERLEAVINGS = "interleavings", "interleavings of a sample"
NOTED = (TRIED, SURVIVED, FAULTS, SAMPLED_FAULTS, INTERLEAVINGS, SAMPLED_INTERLEAVINGS)
"""What tests record for the end of the run."""


C = TypeVar("C", bound=Hashable)
F = TypeVar("F", bound=Hashable)


def strikes(
    scenarios: Sequence[Sequence[C]],
    faults: Sequence[F],
    suffers: Callable[[C, F], bool],
    number_of_strikes: int = STRIKES,
) -> dict[tuple[int, F], list[int]]:
    """Which of a scenario's calls suffer a fault in a sample, by the scenario's number and the fault."""
    struck: Counter[object] = Counter()
    chosen: dict[tuple[int, F], list[int]] = {}
    for (number, calls), (turn, fault) in product(enumerate(scenarios), enumerate(faults)):
        kinds = [kind for kind in dict.fromkeys(calls) if suffers(kind, fault)]
        kinds.sort(key=lambda kind: (struck[kind, fault], struck[number, kind]))
        chosen[number, fault] = []
        for kind in kinds[:number_of_strikes]:
            alike = [index for index, call in enumerate(calls) if call == kind]
            chosen[number, fault].append(alike[(struck[kind, fault] + turn) % len(alike)])
            struck.update([(kind, fault), (number, kind)])
    return chosen


@dataclass(frozen=True)
class Extent:
    """How much of what takes long a test is to do; records what the end of the run says of it."""

    is_sample: bool
    record: Callable[[str, object], None]

    def faults(self, points: Sequence[int], sample: Sequence[int]) -> Sequence[int]:
        """At which calls a fault is to strike: at all these points, or at those of a sample."""
        tried = sample if self.is_sample else points
        for name, which in ((FAULTS, points), (SAMPLED_FAULTS, sample), (TRIED, tried)):
            self.record(name, len(which))
        return tried

    def survived(self, number: int) -> None:
        """Note how many of the faults were survived."""
        self.record(SURVIVED, number)

    def interleavings(self) -> int:
        """How many are to be tried."""
        self.record(INTERLEAVINGS, ALL_EXAMPLES)
        self.record(SAMPLED_INTERLEAVINGS, EXAMPLES)
        return EXAMPLES if self.is_sample else ALL_EXAMPLES


def summary(reports: Iterable[pytest.TestReport], *, is_sample: bool) -> list[str]:
    """The lines with which a run of tests ends."""
    noted: Counter[str] = Counter()
    slow = set()
    for report in reports:
        if SLOW in report.keywords:
            slow.add(report.nodeid)
        if report.when == "call":
            noted.update({name: int(str(number)) for name, number in report.user_properties if name in NOTED})
    lines = []
    if noted[TRIED]:
        lines.append(f"fault matrix: {noted[TRIED]:,} faults tried, {noted[SURVIVED]:,} survived")
    if left_out := list(_left_out(slow, noted)):
        head, tail = ("left out", "; make test-all has them") if is_sample else ("make test leaves out", "")
        lines.append(f"{head}: {', '.join(left_out)}{tail}")
    return lines


def _left_out(slow: Iterable[str], noted: Mapping[str, int]) -> Iterator[str]:
    files = Counter(PurePath(nodeid.partition("::")[0]).name for nodeid in slow)
    if files:
        named = ", ".join(f"{number} in {file}" for file, number in sorted(files.items()))
        yield f"{files.total()} slow tests ({named})"
    for everything, sampled in ((FAULTS, SAMPLED_FAULTS), (INTERLEAVINGS, SAMPLED_INTERLEAVINGS)):
        if noted[everything]:
            yield f"{noted[everything] - noted[sampled]:,} of {noted[everything]:,} {everything}"
