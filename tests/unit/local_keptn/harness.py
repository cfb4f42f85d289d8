"""What the tests of the local control plane share: a clock they move, and one way to talk to the gateway."""

from typing import Any

import requests

from local.keptn.control_plane import Keptn
from local.keptn.events import Event
from local.keptn.in_process import URL, session
from local.keptn.release import RELEASE_1_4, Release

SHIPYARD = """
apiVersion: spec.keptn.sh/0.2.2
kind: Shipyard
metadata: {name: shipyard}
spec:
  stages:
    - name: dev
      sequences:
        - name: delivery
          tasks:
            - name: deployment
              properties: {strategy: direct}
            - name: test
        - name: later
          tasks: [{name: wait, triggeredAfter: 1m30s}]
        - name: empty
          tasks: []
    - name: prod
      sequences:
        - name: delivery
          triggeredOn: [{event: dev.delivery.finished}]
          tasks: [{name: deployment}]
        - name: rollback
          triggeredOn:
            - event: dev.delivery.finished
              selector: {match: {result: fail}}
          tasks: [{name: rollback}]
"""


class SimulatedClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Harness:
    """A control plane with the project `podtato`, whose service is `hello`, and a session on its gateway."""

    def __init__(self, release: Release = RELEASE_1_4, **options: Any) -> None:
        self.clock = SimulatedClock()
        self.keptn = Keptn(self.clock, release, "secret", **options)
        self.keptn.create_project("podtato", SHIPYARD, ("hello",))
        self.http = session(self.keptn)
        self.http.headers["x-token"] = "secret"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, URL + path, **options)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.call("GET", path, params=params)

    def after(self, seconds: float) -> None:
        """Let time go by, and everything that is due happen when it is due."""
        end = self.clock.at + seconds
        while (due := self.keptn.next_due()) is not None and due <= end:
            self.clock.at = max(self.clock.at, due)
            self.keptn.settle()
        self.clock.at = end
        self.keptn.settle()

    def trigger(self, sequence: str = "delivery", service: str = "hello", **options: Any) -> str:
        context = self.keptn.trigger("podtato", "dev", service, sequence, **options)
        self.keptn.settle()
        return context

    def open(self, task: str) -> list[Event]:
        return self.keptn.open_events(f"sh.keptn.event.{task}.triggered")

    def task(self, task: str) -> Event:
        """The one open event of a task."""
        (event,) = self.open(task)
        return event

    def reply(self, to: Event, kind: str, **changes: Any) -> None:
        """Send an event about a task and let it be handled. `changes` go to the data."""
        scope = {key: to["data"][key] for key in ("project", "stage", "service")}
        self.send(
            type=to["type"].replace("triggered", kind),
            shkeptncontext=to["shkeptncontext"],
            triggeredid=to["id"],
            data=scope | changes,
        )

    def send(self, **event: Any) -> requests.Response:
        response = self.call("POST", "/v1/event", json={"source": "executor", "data": {}} | event)
        self.keptn.settle()
        return response

    def run(self, to: Event, result: str = "pass", status: str = "succeeded", **data: Any) -> None:
        """Start and finish a task."""
        self.reply(to, "started")
        self.reply(to, "finished", result=result, status=status, **data)

    def state(self, context: str) -> str:
        state = self.keptn.sequence_state(context)
        assert state is not None
        return str(state["state"])

    def execution(self, context: str, stage: str = "dev") -> dict[str, Any]:
        """The one execution in a stage, as a look shows it."""
        answer = self.get(
            "/controlPlane/v1/sequence-execution", project="podtato", keptnContext=context, stage=stage
        )
        (execution,) = answer.json()["sequenceExecutions"]
        return dict(execution)
