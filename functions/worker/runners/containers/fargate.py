"""The sizes in which Fargate runs a task."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from jobs.model import Resources
from runs.work import TaskUnusable

MEBIBYTE: Final = 1024 * 1024
UNITS_PER_CORE: Final = 1024
LARGEST: Final = Decimal(2**63 - 1)  # of a quantity in Kubernetes; a larger one counts as this


@dataclass(frozen=True)
class Size:
    """CPU in Fargate's units, 1024 a core; memory in MiB."""

    cpu: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cpu / UNITS_PER_CORE:g} CPU and {self.memory} MiB"


def _sizes() -> Iterator[Size]:
    """Source: Amazon ECS developer guide, "Fargate task sizes"; smallest CPU first."""
    yield from (Size(256, memory) for memory in (512, 1024, 2048))
    for cpu, low, high, step in (
        (512, 1, 4, 1),
        (1024, 2, 8, 1),
        (2048, 4, 16, 1),
        (4096, 8, 30, 1),
        (8192, 16, 60, 4),
        (16384, 32, 120, 8),
    ):
        yield from (Size(cpu, 1024 * memory) for memory in range(low, high + 1, step))


SIZES: Final = tuple(_sizes())


def wanted(resources: Resources | None, default: Size) -> Size:
    """What a task asks for: its limits, else its requests, else, where it has neither, the default.

    Where a task has resources of its own, none of the defaults apply (reference: the job executor).
    """
    if resources is None:
        return default
    limits, requests = resources.limits, resources.requests
    cpu = max(limits.cpu or Decimal(0), requests.cpu or Decimal(0))
    memory = max(limits.memory or Decimal(0), requests.memory or Decimal(0))
    return Size(_whole(cpu * UNITS_PER_CORE), _whole(memory / MEBIBYTE))


def fitting(size: Size) -> Size:
    """The smallest of Fargate's sizes that holds `size`. Raises TaskUnusable if there is none."""
    for each in SIZES:
        if each.cpu >= size.cpu and each.memory >= size.memory:
            return each
    raise TaskUnusable(f"The task asks for {size}; Fargate's largest size is {SIZES[-1]}.")


def _whole(amount: Decimal) -> int:
    return int(min(amount, LARGEST).to_integral_value(ROUND_CEILING))
