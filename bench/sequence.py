"""How soon a sequence's tasks start, and what it costs Keptn to be asked so often."""

from collections.abc import Iterator
from typing import Any

from bench.figures import Figure
from bench.load import all_done, least_executor, percentile, plane, timed_keptn

TASKS, ROUNDS = 5, 3
INTERVALS = (10, 1)
MOST_SECONDS = 1.5  # from a task's triggered to its started, but for a sequence's first, p50
IDLE_AGAIN = 32.0  # seconds
WATCHED = 30.0  # seconds in which an idle plane's requests are counted
TITLE = (
    f"(i) A sequence of {TASKS} tasks on a quiet plane, by PollIntervalSeconds, at the real Keptn's timing;\n"
    "    beside it, an executor that lists each second, and only starts and ends"
)


def measure() -> Iterator[Figure]:
    """Seconds from a task's triggered to its started, and requests to Keptn."""
    with timed_keptn(projects=1, services=1, tasks=TASKS) as (keptn, where), least_executor(where, workers=1):
        least = [all_done(keptn.ask(projects=1, each=1)) for _ in range(ROUNDS)]
    for interval in INTERVALS:
        with (
            timed_keptn(projects=1, services=1, tasks=TASKS) as (keptn, where),
            plane(where, workers=2, idle=interval),
        ):
            answers = []
            for _ in range(ROUNDS):
                answers.append(all_done(keptn.ask(projects=1, each=1)))
                keptn.ask(seconds=IDLE_AGAIN)
            idle = keptn.ask(seconds=WATCHED)
        yield from _figures(interval, answers, least, idle)


def _figures(
    interval: int, answers: list[dict[str, Any]], least: list[dict[str, Any]], idle: dict[str, Any]
) -> Iterator[Figure]:
    first = [answer["waits"][0] for answer in answers]
    others, beside = ([wait for answer in some for wait in answer["waits"][1:]] for some in (answers, least))
    yield Figure(f"{interval} s: first task, longest of {ROUNDS}", max(first), unit="s")
    yield Figure(
        f"{interval} s: other tasks, p50", percentile(others, 50), percentile(beside, 50), "s", MOST_SECONDS
    )
    yield Figure(f"{interval} s: other tasks, p95", percentile(others, 95), percentile(beside, 95), "s")
    yield Figure(f"{interval} s: requests for a sequence", _requests(answers), _requests(least))
    yield Figure(f"{interval} s: lists a minute, idle", idle["lists"] * 60 / WATCHED, exactly=60 / interval)
    yield Figure(f"{interval} s: other requests, idle", idle["resources"] + idle["others"], exactly=0)


def _requests(answers: list[dict[str, Any]]) -> float:
    """How many a sequence took, in the mean."""
    kinds = ("lists", "resources", "others")
    return sum(float(answer[kind]) for answer in answers for kind in kinds) / len(answers)
