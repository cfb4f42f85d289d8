"""What Keptn and AWS say of a run: each asked once, and what can't be learned is said, not raised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cli.keptn import bridge_link
from cli.runs.aws import Unusable
from cli.runs.forecast import View
from cli.runs.plane import Plane
from control.plan import Seen
from execution_plane.keptn.control_plane import LookUnsupported
from execution_plane.keptn.credentials import SecretUnreadable
from execution_plane.keptn.look import Look
from execution_plane.keptn.transport import KeptnError
from execution_plane.ledger.runs import Run, State
from execution_plane.steps import StepStatus

PAGE = "100"  # events, the most that Keptn gives at once
MOST_PAGES = 20
ALIKE = 5.0  # seconds


@dataclass(frozen=True)
class KeptnSays:
    """Keptn's own view of a run's task. Where `problem` is not empty, it could not be asked."""

    is_open: bool | None = None
    """Whether it lists the task as open."""
    look: Look | None = None
    is_looked: bool = False
    sequence: str = ""
    """The sequence's state, such as `started` or `finished`."""
    events: Sequence[Mapping[str, Any]] = ()
    """The task's triggered event and all that was sent about it, by anybody, oldest first."""
    skew: float = 0.0
    """Seconds by which Keptn's clock is ahead of this machine's."""
    problem: str = ""
    bridge: str = ""
    """Where its Bridge shows the sequence."""

    @property
    def is_skewed(self) -> bool:
        """Whether the clocks differ by more than a measure by the second can err."""
        return abs(self.skew) > ALIKE


def ask_keptn(plane: Plane, run: Run) -> KeptnSays:
    """Ask Keptn about a run's task. Never raises for what Keptn or the user's permissions lack."""
    bridge = ""
    try:
        bridge = bridge_link(plane.api_url, run.event.project, run.event.context)
        keptn = plane.keptn
        is_open = keptn.fetch_event(run.event) is not None
        look, is_looked = None, True
        try:
            look = keptn.look(run.event, run.source)
        except LookUnsupported:
            is_looked = False
        sequence, events = _sequence(plane, run), _events(plane, run)
        return KeptnSays(is_open, look, is_looked, sequence, events, plane.keptn_skew(), bridge=bridge)
    except (KeptnError, Unusable, SecretUnreadable) as problem:
        return KeptnSays(problem=str(problem), bridge=bridge)


def view_of(plane: Plane, run: Run, says: KeptnSays) -> View:
    """What the plan goes by: as Keptn and AWS say it, and where they don't, as it was last known."""
    seen = Seen.ABSENT if says.is_open is False else Seen.OPEN
    return View(
        seen, status_of(plane, [run]).get(run.event.id, StepStatus.UNKNOWN), says.look, says.is_looked
    )


def status_of(plane: Plane, runs: Sequence[Run]) -> Mapping[str, StepStatus]:
    """How the steps of waiting runs fare, by event id, as far as their services say."""
    if not any(run.state is State.WAITING for run in runs):
        return {}
    return plane.steps.observe(runs, plane.clock.now())


def _sequence(plane: Plane, run: Run) -> str:
    path = f"/controlPlane/v1/sequence/{quote(run.event.project, safe='')}"
    body = plane.transport.get(path, {"keptnContext": run.event.context}).body
    states = (body.get("states") if isinstance(body, dict) else None) or []
    return str(states[0].get("state", "")) if states and isinstance(states[0], dict) else ""


def _events(plane: Plane, run: Run) -> Sequence[Mapping[str, Any]]:
    """The events of the run's context that are about its task."""
    params = {"keptnContext": run.event.context, "project": run.event.project, "pageSize": PAGE}
    found: list[Mapping[str, Any]] = []
    for _ in range(MOST_PAGES):
        body = plane.transport.get("/mongodb-datastore/event", params).body
        events = (body.get("events") if isinstance(body, dict) else None) or []
        found += [event for event in events if isinstance(event, dict)]
        key = str(body.get("nextPageKey") or "0") if isinstance(body, dict) else "0"
        if key == "0":
            break
        params["nextPageKey"] = key
    about = [event for event in found if run.event.id in (event.get("id"), event.get("triggeredid"))]
    return sorted(about, key=lambda event: str(event.get("time")))
