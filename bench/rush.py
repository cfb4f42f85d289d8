"""Many tasks at once in one project, of a Keptn whose resource service answers five requests a second."""

from collections.abc import Iterator
from typing import Any

from bench.figures import Figure
from bench.load import all_done, least_executor, percentile, plane, timed_keptn
from local.keptn.timing import AS_SEEN

TASKS, WORKERS = 250, 6
RATE = AS_SEEN.resource_rate  # requests to the resource service a second
CONFIGS = 20  # services with a job config of their own, at another commit
MOST_SECONDS = 3.0  # until 95 of 100 tasks are started; at a new commit, since its list of files came
MOST_REQUESTS = 5  # to the resource service, besides those for job configs that are there
TITLE = (
    f"(g) {TASKS} tasks at once in one project, a service each, at the real Keptn's timing, with {WORKERS} "
    "workers;\n    beside it, an executor that lists each second, and only starts and ends"
)


def measure() -> Iterator[Figure]:
    """Seconds from a task's triggered to its started, and requests to the resource service."""
    with timed_keptn(projects=1, services=TASKS) as (keptn, where), least_executor(where, workers=WORKERS):
        least = all_done(keptn.ask(projects=1, each=TASKS))
    with (
        timed_keptn(projects=1, services=TASKS) as (keptn, where),
        plane(where, workers=WORKERS, idle=1),
    ):
        new = all_done(keptn.ask(projects=1, each=TASKS))
        known = all_done(keptn.ask(projects=1, each=TASKS))
        keptn.ask(configs=CONFIGS)
        configured = all_done(keptn.ask(projects=1, each=TASKS))
    yield from _figures("known commit", known, least, "waits", MOST_REQUESTS)
    yield from _figures("new commit, since listed", new, least, "since_listed", MOST_REQUESTS)
    # While each worker waits for a job config, the tasks that have none wait behind them.
    what = f"{CONFIGS} job configs at {RATE:.0f} a second, since listed"
    seconds = MOST_SECONDS + (CONFIGS - WORKERS) / RATE
    yield from _figures(what, configured, least, "since_listed", MOST_REQUESTS + CONFIGS, seconds)


def _figures(
    what: str,
    answer: dict[str, Any],
    least: dict[str, Any],
    waits: str,
    requests: int,
    seconds: float = MOST_SECONDS,
) -> Iterator[Figure]:
    for percent, most in ((50, None), (95, seconds)):
        took, beside = percentile(answer[waits], percent), percentile(least["waits"], percent)
        yield Figure(f"{what}: to started, p{percent}", took, beside, "s", at_most=most)
    yield Figure(f"{what}: to the last started", answer["last_started"], least["last_started"], "s")
    yield Figure(f"{what}: requests", answer["resources"], least["resources"], at_most=requests)
