"""Reading and matching a large job config for one event, and what libyaml needs for the same file.

The answer has the milliseconds of each (the medians of rounds that take turns) and how many actions matched.
"""

import json
from collections.abc import Callable
from statistics import median
from time import perf_counter

import yaml
from yaml import CSafeLoader
from yaml._yaml import CParser

from bench.job_configs import EVENT, job_config
from jobs import compiled
from jobs.config import read_for_matching
from jobs.matching import matching_actions
from jobs.model import Rules

ROUNDS = 25


def main() -> None:
    """The first round, which fills caches, is not counted."""
    raw = job_config()
    ways: dict[str, Callable[[], object]] = {
        "matched": lambda: _read_and_match(raw),
        "loaded": lambda: yaml.load(raw, Loader=CSafeLoader),
        "composed": lambda: CSafeLoader(raw).get_single_node(),
        "parsed": lambda: _parse(raw),
        "in_c": lambda: CParser(raw).raw_parse(),
    }
    rounds = [{name: _milliseconds(way) for name, way in ways.items()} for _ in range(1 + ROUNDS)]
    answer = {name: median(each[name] for each in rounds[1:]) for name in ways}
    print(json.dumps(answer | {"actions": _read_and_match(raw), "bytes": len(raw)}))


def _read_and_match(raw: bytes) -> int:
    """As for the first event in a fresh worker: patterns and paths are compiled anew."""
    compiled.forget()
    return len(matching_actions(read_for_matching(raw, origin="bench", rules=Rules()), EVENT))


def _parse(raw: bytes) -> None:
    parser = CParser(raw)
    while parser.get_event() is not None:
        pass


def _milliseconds(way: Callable[[], object]) -> float:
    begin = perf_counter()
    way()
    return (perf_counter() - begin) * 1000


main()
