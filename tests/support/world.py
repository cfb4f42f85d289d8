"""Whole execution planes around one local control plane, in one process and on one clock.

Everything is real but for what only AWS has: the functions' queue is a list, so that a test decides what is
invoked when, twice, late or never.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from control.controller import Controller, TickReport
from control.integration import RegisteredPlane
from control.kept_subscriptions import KeptSubscriptions
from execution_plane.clock import Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.error_log import ErrorLog
from execution_plane.keptn.events import Outcome, TriggeredEvent
from execution_plane.keptn.subscriptions import FixedSubscriptions, Subscription, SubscriptionSource
from execution_plane.keptn.transport import Credentials, Transport
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.notes import Notes
from execution_plane.ledger.replies import Replies
from execution_plane.ledger.runs import Run
from execution_plane.ledger.table import Ledger
from execution_plane.settings import Match, PollerSettings
from execution_plane.shared_clients import SharedClients, all_steps
from execution_plane.steps import Steps
from local.keptn import in_process
from local.keptn.control_plane import Keptn
from local.keptn.release import RELEASE_1_4, Release
from poller import assemble
from runs.work import Find, Resumption, TaskContext, Work, WorkFinder
from tests.support.clock import Inline, SimulatedClock, SkewedClock
from tests.support.ecs import FakeEcs, FakeLogs
from tests.support.schedule import Schedule
from tests.support.step_functions import FakeStepFunctions
from worker import assemble as assemble_worker
from worker import serve

if TYPE_CHECKING:
    import requests

LEAST_STEP = 0.001  # seconds that clocks surely tell apart
LONGEST_DISPATCH = 300.0  # seconds in which Keptn opens the task of a sequence whose service is free
SAYHELLO = "sh.keptn.event.sayhello.triggered"
FUNCTION_SECONDS = 900.0

SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {name: shipyard}
spec:
  stages:
    - name: dev
      sequences:
        - name: sequence1
          tasks:
            - name: sayhello
"""


class Token:
    """Credentials that are always the control plane's."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def headers(self) -> Mapping[str, str]:
        return {"x-token": self._keptn.token}

    def renew(self) -> None:
        pass


def poller_settings(source: str, **more: Any) -> PollerSettings:
    """The poller's settings, with what a test wants to be other than by default."""
    environment = {"EVENT_TYPES": SAYHELLO, "WORKER_FUNCTION_NAME": "worker", "PLANE_SOURCE": source}
    return replace(PollerSettings.from_environment(environment), **more)


def accepted() -> dict[str, Any]:
    """Lambda's answer to an asynchronous invocation."""
    return {"StatusCode": 202, "Payload": BytesIO()}


@dataclass
class LambdaQueue:
    """Lambda's queue of asynchronous invocations; has the one method of boto3's client that we use."""

    invocations: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0
    """How many invocations are refused from here on, as if the function were not there."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        if self.refusals:
            self.refusals -= 1
            error = {"Code": "ResourceNotFoundException", "Message": f"Function not found: {FunctionName}"}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 404}}, "Invoke")  # type: ignore[typeddict-item]
        assert InvocationType == "Event"
        self.invocations.append(json.loads(Payload))
        return accepted()


@dataclass
class Tasks:
    """A work_finder whose work is a function of the test's; notes each event whose task begins.

    An event whose data has `work: silent` is answered with nothing, and one with `work: none` is not handled.
    """

    does: Callable[[TaskContext], Outcome] = lambda _: Outcome("pass", "succeeded", "done")
    begun: list[str] = field(default_factory=list)
    is_silent: bool = False

    def search(self, _: Run, __: Deadline) -> Find:
        return self.find

    def find(self, event: TriggeredEvent) -> Work | None:
        work = event.data.get("work")
        if work == "none":
            return None
        return Work(is_silent=self.is_silent or work == "silent", perform=self._perform)

    def _perform(self, context: TaskContext, _: Resumption | None) -> Outcome:
        context.lease.begin(())
        self.begun.append(context.event.ref.id)
        return self.does(context)


class Plane:
    """One execution plane: a ledger, any number of pollers, and a worker that runs when the test says so."""

    def __init__(
        self,
        world: "World",
        ledger: Ledger,
        *,
        source: str,
        match: Match | None = None,
        work_finder: WorkFinder | None = None,
        draining: bool = False,
        sqs: Any = None,
        failure_queue_url: str | None = None,
        event_types: tuple[str, ...] = (SAYHELLO,),
        subscriptions: Sequence[Subscription] | None = None,
        integration: Integration | None = None,
        is_steered: bool = True,
        run_deadline: int = 3600,
        pool: Executor | None = None,
        patient: bool = True,
        ecs: Any = None,
        sfn: Any = None,
    ) -> None:
        self.world = world
        self.clock = world.clock
        self.source = source
        self.queue = LambdaQueue()
        self.tasks = Tasks()
        self.ledger = ledger
        self.pool = pool or Inline()
        self._settings = poller_settings(
            source,
            match=match,
            run_deadline=run_deadline,
            drain=draining,
            failure_queue_url=failure_queue_url,
        )
        self.ecs: Any = ecs or FakeEcs(world.aws_clock)
        self.sfn: Any = sfn or FakeStepFunctions(world.aws_clock)
        self.logs: Any = FakeLogs()
        if subscriptions is None:
            subscriptions = tuple(Subscription(event_type) for event_type in event_types)
        self._subscriptions = subscriptions
        self._integration = integration
        self._is_steered = is_steered
        self.sqs = sqs
        self.work_finder: WorkFinder = work_finder or self.tasks
        self._patient = patient
        self.poller = self.new_poller()

    def new_poller(self) -> Controller:
        """A poller as in a new execution environment."""
        control_plane = self.world.client()
        errors = ErrorLog(control_plane)
        clients = SharedClients(self.world.aws_clock, control_plane, self.ledger, cast("Any", None))
        subscriptions = self._subscription_source(control_plane, errors)
        return assemble(self._settings, clients, self._client, subscriptions, errors, self.pool)

    def probing_steps(self) -> Steps:
        """The same as a poller finds them, which asks again and again."""
        return all_steps(self._client, probes=True)

    def steps(self) -> Steps:
        """The steps of its runs, as an execution environment finds them."""
        return all_steps(self._client)

    def _client(self, service: str) -> Any:
        """What stands for boto3's client of a service."""
        clients = {"lambda": self.queue, "sqs": self.sqs, "ecs": self.ecs, "stepfunctions": self.sfn}
        return clients[service]

    def drain(self) -> None:
        """Deploy the plane anew, with the parameter Drain."""
        self._settings = replace(self._settings, drain=True)
        self.poller = self.new_poller()

    def _subscription_source(self, control_plane: ControlPlane, errors: ErrorLog) -> SubscriptionSource:
        if self._integration is None:
            return FixedSubscriptions(self._subscriptions)
        return RegisteredPlane(
            control_plane,
            self._integration,
            self._subscriptions,
            is_steered=self._is_steered,
            kept=KeptSubscriptions(Notes(self.ledger._client, self.ledger._table), self._integration),
            errors=errors,
        )

    def cycle(self, poller: Controller | None = None) -> TickReport:
        """One cycle; nothing else happens."""
        report = TickReport()
        (poller or self.poller).cycle(Deadline.after(self.clock, 120), report)
        return report

    def minutes(self, minutes: float = 1, **schedule: Any) -> Schedule:
        """Have the schedule tick, and the timers come, for so long; time passes."""
        running = Schedule(self, **schedule)
        running.run(60.0 * minutes)
        running.stop()
        return running

    def work(
        self, payload: Mapping[str, Any], seconds: float = FUNCTION_SECONDS, *, invocation: str = ""
    ) -> str:
        """One invocation of the worker, in a new execution environment; with a request id of its own, if
        none is given.
        """
        control_plane = self.world.client()
        clients = SharedClients(self.world.aws_clock, control_plane, self.ledger, cast("Any", None))
        worker = replace(
            assemble_worker({"JOB_CONFIG": "bundled"}, clients, self._client),
            replies=Replies(control_plane, self.ledger, self.world.aws_clock, patient=self._patient),
            work_finder=self.work_finder,
            pool=self.pool,
        )
        deadline = Deadline.after(self.clock, seconds)
        return serve(worker, payload, deadline, invocation or str(uuid4()))

    def deliver_end(self, event: Mapping[str, Any]) -> None:
        """Put a step's end into Lambda's queue, as EventBridge does."""
        self.queue.invocations.append(dict(event))

    def work_all(self) -> list[str]:
        """Everything in Lambda's queue, once each."""
        invocations, self.queue.invocations[:] = list(self.queue.invocations), []
        return [self.work(payload) for payload in invocations]

    def run(self, event_id: str) -> Run:
        """The ledger's item of an event."""
        run = self.ledger.get(event_id)
        assert run is not None
        return run


class World:
    """A control plane with its clock, and the planes around them with AWS's."""

    def __init__(
        self, clock: SimulatedClock | None = None, release: Release = RELEASE_1_4, **keptn: Any
    ) -> None:
        self.clock = clock or SimulatedClock()
        self.keptn = Keptn(self.clock, release, **keptn)
        self.aws_clock = SkewedClock(self.clock)
        self.clock.on_advance.append(self.keptn.settle)
        self.keptn.create_project("podtato", SHIPYARD, services=("head",))
        self.planes: list[Plane] = []
        self.contexts: dict[str, str] = {}
        self.credentials: Callable[[], Credentials] = lambda: Token(self.keptn)
        self._session: requests.Session | None = None
        self.wrap_session: Callable[[requests.Session], requests.Session] = lambda session: session

    @property
    def session(self) -> "requests.Session":
        """How everybody reaches the control plane, with no sockets between."""
        if self._session is None:
            self._session = self.wrap_session(in_process.session(self.keptn))
        return self._session

    def client(self) -> ControlPlane:
        """A client of the control plane as a new execution environment has it."""
        return ControlPlane(
            Transport(in_process.URL, self.credentials(), self.aws_clock, session=self.session)
        )

    def trigger(self, location: str = "APAC", **data: Any) -> str:
        """Trigger the sequence of the user's document; gives the id of the sayhello task that it opens.

        `contexts` has its Keptn context. Its service is one that no other sequence is in.
        """
        service = self.keptn.free_service("podtato", "dev", "head")
        before = {event["id"] for event in self.keptn.open_events(SAYHELLO)}
        context = self.keptn.trigger(
            "podtato", "dev", service, "sequence1", {"sayhello": {"location": location}, **data}
        )
        self.settle()
        too_late = self.clock.now() + LONGEST_DISPATCH
        while not (opened := {event["id"] for event in self.keptn.open_events(SAYHELLO)} - before):
            due = self.keptn.next_due()
            assert due is not None, "Keptn opened no task"
            assert self.clock.now() < too_late, f"Keptn opened no task: {self.keptn.executions(context)}"
            self.clock.advance(max(due - self.clock.now(), LEAST_STEP))
        assert len(opened) == 1
        task = str(opened.pop())
        self.contexts[task] = context
        return task

    def finished(self, task: str) -> dict[str, Any]:
        """The data of the only finished that Keptn was sent for a task."""
        (event,) = [
            each
            for each in self.keptn.received
            if each.get("triggeredid") == task and each["type"].endswith(".finished")
        ]
        data: dict[str, Any] = event["data"]
        return data

    def settle(self) -> None:
        """Let Keptn handle what is due."""
        self.keptn.settle()

    def cycles(self, number: int, seconds: float = 10.0) -> None:
        """Everything as usual for a while: each cycle polls, works, and time passes."""
        for _ in range(number):
            for plane in self.planes:
                plane.cycle()
                plane.work_all()
            self.clock.advance(seconds)
