"""The example task: says hello to the place that the event names."""

from collections.abc import Mapping
from typing import Any

from tasks import Progress, TaskOutcome


def say_hello(data: Mapping[str, Any], progress: Progress) -> TaskOutcome:
    """Greet `data.sayhello.location`; fails where there is none."""
    location = data.get("sayhello", {}).get("location")
    if not location:
        return TaskOutcome("fail", "The event has no data.sayhello.location to say hello to.")
    progress.report(f"Saying hello to {location}")
    return TaskOutcome("pass", f"Hello, world from {location}!", {"greeted": location})
