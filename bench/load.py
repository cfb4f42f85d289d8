"""Load on a local Keptn with the real one's timing, and who serves it; both in processes of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any

from bench.talking import Talking, silent, talking


@contextmanager
def timed_keptn(*, projects: int, services: int, tasks: int = 1) -> Iterator[tuple[Talking, dict[str, str]]]:
    """A Keptn with a sequence of so many tasks in each project; and where an executor finds it."""
    settings = {"PROJECTS": str(projects), "SERVICES": str(services), "TASKS": str(tasks)}
    with talking("bench.subjects.timed_keptn", settings) as keptn:
        where = keptn.hear()
        yield keptn, {"KEPTN_URL": where["url"], "KEPTN_TOKEN": where["token"]}


@contextmanager
def plane(keptn: dict[str, str], *, workers: int, idle: float = 10, busy: float = 1) -> Iterator[None]:
    """An execution plane that serves it, polling each `idle` seconds without tasks, each `busy` with them."""
    settings = {"KIND": "plane", "WORKERS": str(workers), "IDLE": str(idle), "BUSY": str(busy)}
    with silent("bench.subjects.executor", {**keptn, **settings}):
        yield


@contextmanager
def least_executor(keptn: dict[str, str], *, workers: int, busy: float = 1) -> Iterator[None]:
    """What starts each task as soon as a list has it, and looks nothing up."""
    settings = {"KIND": "least", "WORKERS": str(workers), "IDLE": str(busy), "BUSY": str(busy)}
    with silent("bench.subjects.executor", {**keptn, **settings}):
        yield


def percentile(values: list[float], percent: int) -> float:
    """The value that so many percent do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def all_done(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if all sequences have ended. Raises RuntimeError."""
    if answer["under_way"]:
        raise RuntimeError(f"{answer['under_way']} sequences did not end")
    return answer
