"""A hundred tasks at once at a known commit, beside what the control plane alone allows."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.load import all_done, least_executor, percentile, plane, timed_keptn

PROJECTS, EACH, WORKERS = 10, 10, 50
TITLE = (
    f"(h) {PROJECTS * EACH:,} tasks at once in {PROJECTS} projects, at the real Keptn's timing and a known "
    f"commit, with {WORKERS} workers;\n    beside it, an executor that only lists, starts and ends"
)


def measure() -> Iterator[Figure]:
    """Seconds; the processes share this machine, which the real Keptn and AWS do not.

    Keptn's own reads of the shipyard, two for each sequence, let it trigger 2.5 tasks a second. A task in
    each project comes first: what it costs to learn of a commit is measured by itself.
    """
    with (
        timed_keptn(projects=PROJECTS, services=EACH) as (keptn, where),
        plane(where, workers=WORKERS, idle=1),
    ):
        all_done(keptn.ask(projects=PROJECTS, each=1))
        ours = all_done(keptn.ask(projects=PROJECTS, each=EACH))
    with (
        timed_keptn(projects=PROJECTS, services=EACH) as (keptn, where),
        least_executor(where, workers=WORKERS),
    ):
        all_done(keptn.ask(projects=PROJECTS, each=1))
        alone = all_done(keptn.ask(projects=PROJECTS, each=EACH))
    for what, most, of in (
        ("to the last started", 1.5, lambda answer: answer["last_started"]),
        ("triggered to started, p50", 2, lambda answer: percentile(answer["waits"], 50)),
        ("triggered to started, p95", None, lambda answer: percentile(answer["waits"], 95)),
    ):
        yield Figure(what, of(ours), of(alone), "s", at_most=most, bounds_ratio=most is not None)
    yield Figure("requests to the resource service", ours["resources"], alone["resources"])
