"""What a large job config costs the worker, beside what libyaml needs to read it, and that it costs the
poller nothing.

The target is for the tree: a tree of the file is the least that something can be looked up in. The other
lines tell what the same file costs with more and with less than a tree.
"""

from collections.abc import Iterator

from bench.figures import Figure
from bench.fresh import answer_of, poller_environment
from bench.job_configs import ACTIONS
from bench.stub_server import Behaviour, stub_server

TITLE = f"(f) Reading and matching a job config of {ACTIONS} actions for one event, beside libyaml by PyYAML"
WORKERS_OWN = {"jobs", "yaml", "_yaml", "re2", "_re2"}


def measure() -> Iterator[Figure]:
    """Milliseconds, and what a tick has loaded."""
    answer = answer_of("bench.subjects.job_config", {})
    matched, tree = answer["matched"], answer["composed"]
    yield Figure("beside libyaml's tree (CSafeLoader)", matched, tree, "ms", at_most=3, bounds_ratio=True)
    yield Figure("beside yaml.load with libyaml (CSafeLoader)", matched, answer["loaded"], "ms")
    yield Figure("beside libyaml's events alone (CParser)", matched, answer["parsed"], "ms")
    yield Figure("beside libyaml in C alone, which gives Python nothing", matched, answer["in_c"], "ms")
    yield Figure("actions that match", answer["actions"], 1, exactly=1)
    with stub_server(Behaviour(events=1)) as stub:
        modules = answer_of("bench.subjects.loaded_modules", poller_environment(stub.url))
    unwanted = {name for name in modules if name.partition(".")[0] in WORKERS_OWN}
    yield Figure("modules of jobs, yaml and re2 in the poller after a tick", len(unwanted), 0, exactly=0)
