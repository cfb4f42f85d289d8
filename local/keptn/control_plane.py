"""The whole control plane behind its gateway, and what a test or the demo asks of it directly."""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from execution_plane.clock import Clock
from local.keptn import intake, shipyard
from local.keptn.controller import Ignored, ShipyardController
from local.keptn.course import Surroundings
from local.keptn.datastore import Datastore
from local.keptn.events import Event, NewId
from local.keptn.execution import SequenceExecution
from local.keptn.faults import Faults
from local.keptn.release import RELEASE_1_4, Release
from local.keptn.resources import Place, ResourceService
from local.keptn.sequence_states import SequenceState
from local.keptn.shipyard import Shipyard
from local.keptn.timing import PROMPT, ResourceLines, Timing
from local.keptn.uniform import Uniform


class ProjectExists(Exception):
    """There is a project of this name already."""


class ServiceExists(Exception):
    """There is a service of this name already."""


class NotFound(Exception):
    """There is no such project, stage or service."""


@dataclass
class Project:
    """A project as its shipyard describes it. Every service is in every stage."""

    name: str
    shipyard_text: str
    shipyard: Shipyard
    created: float
    git_credentials: dict[str, Any]
    """What Keptn shows of them: `remoteURL`, `user` and `https` without its token."""
    services: dict[str, float] = field(default_factory=dict)
    """When each was created, in seconds since the epoch."""

    @property
    def stages(self) -> list[str]:
        """The names of its stages."""
        return [stage.name for stage in self.shipyard.stages]

    @property
    def upstream_url(self) -> str:
        """Where its git repository is."""
        return str(self.git_credentials["remoteURL"])


def random_id() -> str:
    """A new UUID."""
    return str(uuid.uuid4())


class Keptn:
    """A Keptn control plane in memory. Its methods may be called from any thread.

    Nothing happens by itself: whoever owns it calls `settle()` when `next_due()` has come.
    """

    def __init__(
        self,
        clock: Clock,
        release: Release = RELEASE_1_4,
        token: str = "keptn-token",
        *,
        timing: Timing = PROMPT,
        validate_events: bool = False,
        new_id: NewId = random_id,
    ) -> None:
        self.clock = clock
        self.release = release
        self.token = token
        self.validate_events = validate_events and release.can_validate_events
        self.new_id = new_id
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Notified when there is something new to settle, and when something was settled."""
        self.faults = Faults()
        self.datastore = Datastore(release.stores_subscriptions)
        self.resources = ResourceService()
        self.lines = ResourceLines(clock, timing)
        self.resource_requests = 0
        """How many requests came to the resource service over the API."""
        self.uniform = Uniform(clock, new_id)
        self.projects: dict[str, Project] = {}
        self.received: list[Event] = []
        """Every event that came in over the API or by `trigger`, as it was published."""
        self.controller = ShipyardController(
            Surroundings(clock, release, self.datastore, self.resources, self.lines, new_id, timing)
        )

    def settle(self) -> None:
        """Do everything that is due by now, in order."""
        with self.changed:
            if self.controller.settle():
                self.changed.notify_all()

    def next_due(self) -> float | None:
        """When there is next something to settle, in seconds since the epoch; None if nothing is."""
        with self.lock:
            return self.controller.next_due()

    def wait_for(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until something that this control plane knows is so, while another thread settles.

        `timeout` is in real seconds; false if it was not so by then.
        """
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def accept(self, event: Event) -> None:
        """Publish an event: the history stores it at once, the controller handles it later."""
        with self.changed:
            self.received.append(event)
            self.datastore.store(event)
            self.controller.accept(event)
            self.changed.notify_all()

    def control(self, project: str, keptn_context: str, command: str, stage: str = "") -> None:
        """`pause`, `resume` or `abort` a sequence."""
        with self.changed:
            self.controller.control(project, keptn_context, command, stage)
            self.changed.notify_all()

    def trigger(
        self,
        project: str,
        stage: str,
        service: str,
        sequence: str,
        data: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        source: str = "local",
    ) -> str:
        """Send a sequence's triggered event; gives the Keptn context. It starts with the next `settle()`."""
        scope = {"project": project, "stage": stage, "service": service}
        body = {
            "type": f"sh.keptn.event.{stage}.{sequence}.triggered",
            "source": source,
            "data": {**(data or {}), **scope, **({"labels": dict(labels)} if labels else {})},
        }
        event = intake.rewrite(body, self.clock.now(), self.new_id)
        self.accept(event)
        return str(event["shkeptncontext"])

    def create_project(
        self,
        name: str,
        shipyard_text: str,
        services: tuple[str, ...] = (),
        git_credentials: dict[str, Any] | None = None,
    ) -> Project:
        """Create a project with its stages, and these services in each of them.

        Raises InvalidShipyard, ProjectExists.
        """
        with self.lock:
            if name in self.projects:
                raise ProjectExists("project already exists")
            plan = shipyard.read(shipyard_text)
            credentials = git_credentials or {"remoteURL": f"https://git.example.com/{name}.git"}
            project = Project(name, shipyard_text, plan, self.clock.now(), credentials)
            self.projects[name] = project
            self.resources.create_project(name, project.stages, shipyard_text)
            self.controller.records.add_project(name, plan)
            for service in services:
                self.create_service(name, service)
            return project

    def delete_project(self, name: str) -> None:
        """Delete a project with all that there is of it.

        Raises NotFound.
        """
        with self.lock:
            self.project(name)
            del self.projects[name]
            self.controller.records.drop_project(name)
            self.datastore.drop(name)
            self.resources.drop_project(name)

    def project(self, name: str) -> Project:
        """A project.

        Raises NotFound.
        """
        with self.lock:
            if name not in self.projects:
                raise NotFound("project not found")
            return self.projects[name]

    def create_service(self, project: str, service: str) -> None:
        """Create a service in every stage.

        Raises NotFound, ServiceExists.
        """
        with self.lock:
            known = self.project(project)
            if service in known.services:
                raise ServiceExists("service already exists")
            known.services[service] = self.clock.now()
            for stage in known.stages:
                self.resources.create_service(project, stage, service)

    def free_service(self, project: str, stage: str, like: str) -> str:
        """A service that no sequence of the stage is in, so that a new one there starts at once.

        It is `like` itself, or the first of `like-2`, `like-3` and so on; it is created if it is not there.
        Raises NotFound for an unknown project.
        """
        with self.lock:
            known = self.project(project)
            names = (f"{like}-{number}" if number > 1 else like for number in count(1))
            free = next(name for name in names if not self.controller.is_busy(project, stage, name))
            if free not in known.services:
                self.create_service(project, free)
            return free

    def delete_service(self, project: str, service: str) -> None:
        """Delete a service from every stage, if there is one.

        Raises NotFound for an unknown project.
        """
        with self.lock:
            known = self.project(project)
            if service in known.services:
                del known.services[service]
                for stage in known.stages:
                    self.resources.delete_service(project, stage, service)
                    self.controller.records.last_events.pop((project, stage, service), None)

    def add_resource(
        self, project: str, uri: str, content: str | bytes, stage: str = "", service: str = ""
    ) -> str:
        """Store a resource in a project, stage or service; gives the commit id.

        A service that is not there yet is created. Raises NotFound, ResourceError.
        """
        with self.lock:
            if service and service not in self.project(project).services:
                self.create_service(project, service)
            raw = content.encode() if isinstance(content, str) else content
            return self.resources.write(Place(project, stage, service), {uri: raw})

    def sequence_state(self, keptn_context: str) -> SequenceState | None:
        """The state of a context as `GET /sequence` shows it; None if there is none."""
        with self.lock:
            return self.controller.records.states.find(keptn_context)

    def executions(self, keptn_context: str) -> list[SequenceExecution]:
        """The executions of a context, oldest first."""
        with self.lock:
            records = self.controller.records
            return [each for name in self.projects for each in records.executions(name, keptn_context)]

    def counts(self, triggered_id: str) -> tuple[int, int]:
        """How many started and finished events the controller counted for a task."""
        with self.lock:
            return self.controller.counts(triggered_id)

    def events(self, keptn_context: str) -> list[Event]:
        """The history of a context, oldest first."""
        with self.lock:
            return self.datastore.of_context(keptn_context)

    def open_events(self, event_type: str) -> list[Event]:
        """The open events of a type in all projects, newest first within each."""
        with self.lock:
            return [
                opened.event for name in self.projects for opened in self.controller.listing(name, event_type)
            ]

    @property
    def ignored(self) -> list[Ignored]:
        """The events that the controller dropped, each with the reason."""
        with self.lock:
            return list(self.controller.ignored)
