"""A local Keptn with the real one's timing, which triggers sequences when it is asked to.

It says its URL and token. Asked `{"projects": P, "each": N}`, it triggers N sequences in each of P projects
at once, one a service, and answers once all are finished: how long each task waited for its started, of that
since a list of the stage's files was answered, and what Keptn was asked meanwhile. `{"seconds": S}` has it
wait so long, and answer with what it was asked; `{"configs": N}` gives N services of each project a job
config, evenly spread.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from execution_plane.clock import SystemClock
from local.keptn.control_plane import Keptn
from local.keptn.events import Event, moment_of
from local.keptn.faults import Delay
from local.keptn.resources import Place
from local.keptn.server import KeptnServer
from local.keptn.timing import AS_SEEN

CLOCK = SystemClock()
LISTED_AT: list[float] = []
TASKS = int(os.environ["TASKS"])
PROJECTS, SERVICES = int(os.environ["PROJECTS"]), int(os.environ["SERVICES"])
TASK = "sh.keptn.event.sayhello"
LONGEST = 600.0  # seconds for everything that was triggered to finish
SHIPYARD = f"""\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {{name: shipyard}}
spec:
  stages: [{{name: dev, sequences: [{{name: hello, tasks: [{", ".join(["{name: sayhello}"] * TASKS)}]}}]}}]
"""
CONFIG = """\
apiVersion: v2
actions:
- {name: Greet, events: [{name: sh.keptn.event.sayhello.triggered}], tasks: [{name: Hello, function: hello}]}
"""
ASKED = {"lists": r"event/triggered/[^?]*\?(?!.*eventID)", "resources": "/resource-service/", "others": ""}


def main() -> None:
    """Serve until standard input ends."""
    with KeptnServer(timing=AS_SEEN) as server:
        note_lists(server.keptn)
        services = tuple(f"service-{number}" for number in range(SERVICES))
        for number in range(PROJECTS):
            server.keptn.create_project(f"project-{number}", SHIPYARD, services)
        counts = {name: server.faults.add(Delay(0), pattern) for name, pattern in ASKED.items()}
        say({"url": server.url, "token": server.token})
        for line in sys.stdin:
            asked = json.loads(line)
            before = {name: rule.seen for name, rule in counts.items()}
            answer: dict[str, Any] = {}
            if "seconds" in asked:
                CLOCK.sleep(asked["seconds"])
            elif "configs" in asked:
                for service in services[:: SERVICES // asked["configs"]][: asked["configs"]]:
                    for number in range(PROJECTS):
                        name = f"project-{number}"
                        server.keptn.add_resource(name, "job/config.yaml", CONFIG, "dev", service)
            else:
                answer = run(server.keptn, asked["projects"], services[: asked["each"]])
            say(answer | {name: rule.seen - before[name] for name, rule in counts.items()})


def run(keptn: Keptn, projects: int, services: Sequence[str]) -> dict[str, Any]:
    """Trigger a sequence for each service of so many projects at once; what became of them."""
    begun = CLOCK.now()
    contexts = [
        keptn.trigger(f"project-{project}", "dev", service, "hello", {})
        for service in services
        for project in range(projects)
    ]
    under_way = contexts
    while under_way and CLOCK.now() < begun + LONGEST:
        CLOCK.sleep(0.2)
        under_way = [context for context in under_way if not is_over(keptn, context)]
    tasks = [task for context in contexts for task in tasks_of(keptn.events(context))]
    listed_at = min((at for at in LISTED_AT if at > begun), default=0.0)
    return {
        "since_listed": [started - max(triggered, listed_at) for triggered, started in tasks],
        "under_way": len(under_way),
        "waits": [started - triggered for triggered, started in tasks],
        "last_started": max(started for _, started in tasks) - begun,
    }


def note_lists(keptn: Keptn) -> None:
    """Note when each list of files is answered."""
    uris = keptn.resources.uris

    def noted(place: Place) -> list[str]:
        LISTED_AT.append(keptn.lines.over[place.project])
        return uris(place)

    keptn.resources.uris = noted  # type: ignore[method-assign]


def is_over(keptn: Keptn, context: str) -> bool:
    """Whether a sequence has ended."""
    state = keptn.sequence_state(context)
    return state is not None and state["state"] == "finished"


def tasks_of(events: Sequence[Event]) -> Iterator[tuple[float, float]]:
    """When each task of a sequence was triggered, and when it was started."""
    moments = {each["id"]: moment_of(each) for each in events if each["type"] == f"{TASK}.triggered"}
    for each in events:
        if each["type"] == f"{TASK}.started":
            yield moments[each["triggeredid"]], moment_of(each)


def say(answer: object) -> None:
    """Answer with one line."""
    print(json.dumps(answer), flush=True)


main()
