"""A thousand tasks at once, beside what the control plane alone allows."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.load import all_done, least_executor, percentile, plane, timed_keptn

PROJECTS, EACH, WORKERS = 10, 100, 50
TITLE = (
    f"(h) {PROJECTS * EACH:,} tasks at once in {PROJECTS} projects, at the real Keptn's timing, with "
    f"{WORKERS} workers;\n    beside it, an executor that only lists, starts and ends, {WORKERS} at a time"
)


def measure() -> Iterator[Figure]:
    """Seconds; the processes share this machine, which the real Keptn and AWS do not."""
    with (
        timed_keptn(projects=PROJECTS, services=EACH) as (keptn, where),
        plane(where, workers=WORKERS, idle=1),
    ):
        ours = all_done(keptn.ask(projects=PROJECTS, each=EACH))
    with (
        timed_keptn(projects=PROJECTS, services=EACH) as (keptn, where),
        least_executor(where, workers=WORKERS),
    ):
        alone = all_done(keptn.ask(projects=PROJECTS, each=EACH))
    yield Figure("to the last started", ours["last_started"], alone["last_started"], "s")
    for percent in (50, 95):
        took, least = (percentile(each["waits"], percent) for each in (ours, alone))
        yield Figure(f"triggered to started, p{percent}", took, least, "s")
    yield Figure("requests to the resource service", ours["resources"], alone["resources"])
