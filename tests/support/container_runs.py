"""Runs with containers on the fake ECS: their job configs, their steps, and what Keptn has of them."""

from typing import Any

from tests.support.world import Plane, World

ONE = """\
apiVersion: v2
actions:
  - name: Greet
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks:
      - name: Hello
        image: alpine
        cmd: [echo]
        args: ["Hello, $(WHERE)"]
        maxPollDuration: 600
        env: [{name: WHERE, value: $.data.sayhello.location, valueFrom: event}]
"""
THREE = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Build, image: builder}
      - {name: Check, function: check}
      - {name: Ship, image: shipper}
"""
BY_WORK = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello, jsonpath: {property: $.data.work, match: heard}}]
    tasks:
      - {name: Build, image: builder}
      - {name: Check, function: check}
      - {name: Ship, image: shipper}
  - name: Measure
    silent: true
    events: [{name: sayhello, jsonpath: {property: $.data.work, match: silent}}]
    tasks:
      - {name: Weigh, image: scales}
      - {name: Compare, function: compare}
"""
SILENT_FIRST = """\
apiVersion: v2
actions:
  - name: Unheard
    silent: true
    events: [{name: sayhello}]
    tasks: [{name: Measure, image: alpine}]
  - name: Heard
    events: [{name: sayhello}]
    tasks: [{name: Hello, image: alpine}]
"""


def begin(plane: Plane, times: int = 1) -> None:
    """Poll and work until the container is on its way."""
    for _ in range(times):
        plane.cycle()
        plane.work_all()


def end(plane: Plane, *lines: str, exit_code: int | None = 0, **how: Any) -> str:
    """The only container writes its lines and ends, and EventBridge says so."""
    arn = plane.ecs.running[0].arn
    plane.logs.written[f"keptn/task/{arn.rpartition('/')[2]}"] = list(lines)
    event = plane.ecs.end(exit_code=exit_code, **how)
    plane.clock.advance(1)
    return plane.work(event)


def message(world: World, task: str) -> str:
    return str(world.finished(task)["message"])


def counts(world: World, task: str) -> tuple[int, int]:
    """Keptn's count of the started and the finished, once it has handled what it was sent."""
    world.settle()
    return world.keptn.counts(task)


def replies(world: World, task: str) -> list[dict[str, Any]]:
    return [event for event in world.keptn.events(world.contexts[task]) if event.get("triggeredid") == task]


def progress(world: World) -> list[str]:
    """What the planes have said of how far they are."""
    return [each["data"]["message"] for each in world.keptn.received if "status.changed" in each["type"]]
