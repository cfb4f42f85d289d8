"""Many tasks at once in one project, whose git repository Keptn reads one request at a time."""

from collections.abc import Iterator
from typing import Any

from bench.figures import Figure
from bench.load import all_done, percentile, plane, timed_keptn

TASKS, WORKERS = 250, 6
MOST_SECONDS = 15.0  # until 95 of 100 tasks are started
LEVELS = 3
TITLE = (
    f"(g) {TASKS} tasks at once in one project, a service each, at the real Keptn's timing, with {WORKERS} "
    "workers;\n    beside it, the same where each task's job config is asked for anew"
)


def measure() -> Iterator[Figure]:
    """Seconds from a task's triggered to its started, and requests to the resource service.

    Warm is the same once more: at the same commit, in the same execution environments.
    """
    cold, warm = _measured(remembers=True, times=2)
    (each,) = _measured(remembers=False, times=1)
    for what, answer in (("cold", cold), ("warm", warm)):
        yield Figure(f"{what}: triggered to started, p50", *_both(answer, each, 50), "s")
        yield Figure(
            f"{what}: triggered to started, p95", *_both(answer, each, 95), "s", at_most=MOST_SECONDS
        )
        yield Figure(f"{what}: to the last started", answer["last_started"], each["last_started"], "s")
        most = LEVELS * TASKS if what == "cold" else LEVELS
        asked = answer["resources"]
        yield Figure(f"{what}: requests to the resource service", asked, each["resources"], at_most=most)


def _measured(*, remembers: bool, times: int) -> list[dict[str, Any]]:
    with (
        timed_keptn(projects=1, services=TASKS) as (keptn, where),
        plane(where, workers=WORKERS, idle=1, remembers=remembers),
    ):
        return [all_done(keptn.ask(projects=1, each=TASKS)) for _ in range(times)]


def _both(answer: dict[str, Any], other: dict[str, Any], percent: int) -> tuple[float, float]:
    return percentile(answer["waits"], percent), percentile(other["waits"], percent)
