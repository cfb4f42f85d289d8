"""The sizes in which Fargate runs what a task asks for."""

from decimal import Decimal

import pytest

from jobs import quantities
from jobs.model import Amounts, Resources
from runners.containers.fargate import SIZES, Size, fitting, wanted
from runs.work import TaskUnusable

DEFAULT = Size(1024, 4096)


def size_of(*, limits: tuple[str, str] = ("", ""), requests: tuple[str, str] = ("", "")) -> Size:
    return fitting(wanted(Resources(amounts(*limits), amounts(*requests)), DEFAULT))


def amounts(cpu: str, memory: str) -> Amounts:
    return Amounts(quantities.parse(cpu) if cpu else None, quantities.parse(memory) if memory else None)


@pytest.mark.parametrize(
    ("limits", "requests", "size"),
    [
        (("", ""), ("", ""), Size(256, 512)),
        (("250m", "512Mi"), ("", ""), Size(256, 512)),
        (("251m", "512Mi"), ("", ""), Size(512, 1024)),
        (("250m", "513Mi"), ("", ""), Size(256, 1024)),
        (("", "3Gi"), ("", ""), Size(512, 3072)),
        (("1", ""), ("", ""), Size(1024, 2048)),
        (("1", "8193Mi"), ("", ""), Size(2048, 9216)),
        (("", "1G"), ("", ""), Size(256, 1024)),
        (("", ""), ("2", "1Gi"), Size(2048, 4096)),
        (("1", "2Gi"), ("50m", "128Mi"), Size(1024, 2048)),
        (("9", "17Gi"), ("", ""), Size(16384, 32768)),
        (("16", "120Gi"), ("", ""), Size(16384, 122880)),
    ],
)
def test_a_task_gets_the_smallest_size_that_holds_what_it_asks_for(
    limits: tuple[str, str], requests: tuple[str, str], size: Size
) -> None:
    assert size_of(limits=limits, requests=requests) == size


def test_a_task_without_resources_of_its_own_gets_the_default() -> None:
    assert wanted(None, DEFAULT) == DEFAULT


@pytest.mark.parametrize("limits", [("17", ""), ("", "121Gi"), ("1e999", ""), ("", "1e999")])
def test_what_no_size_of_fargates_holds_is_refused(limits: tuple[str, str]) -> None:
    with pytest.raises(TaskUnusable, match="Fargate's largest size is 16 CPU and 122880 MiB") as refused:
        size_of(limits=limits)

    assert len(str(refused.value)) < 200


def test_every_size_holds_itself() -> None:
    assert [fitting(size) for size in SIZES] == list(SIZES)
    assert size_of(limits=("0", "0")) == SIZES[0]
    assert wanted(Resources(Amounts(Decimal("0.0001"))), DEFAULT).cpu == 1
