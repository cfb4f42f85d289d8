"""For every call of a run with HTTP calls as tasks, and every way it can go wrong: the run to its end.

Above all a task's own call: lost, late, doubled, unanswered, or made by a worker that dies over it.
"""

from collections import Counter
from dataclasses import dataclass, field

from execution_plane.settings import Allowlists
from runners.cancel_scope import CancelScope
from runners.http.exchange import ExchangeFailed, HttpResponse, Request
from runners.http.runner import MOST_TRIES, HttpRunner
from runners.python_function import no_secrets
from tests.faults import test_containers_matrix
from tests.faults.injection import HTTP_CALL, Call, Fault, Injector
from tests.faults.matrix import matrix
from tests.support.job_configs import use_job_config

CALLS = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Announce, http: {url: "http://hooks.example.com/announce", body: "{}"}}
      - {name: Build, image: builder}
      - {name: Tell, http: {url: "http://hooks.example.com/tell", body: "{}"}}
"""
IDEMPOTENT = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Put, http: {url: "http://hooks.example.com/put", method: PUT, body: "{}", idempotent: true}}
"""


@dataclass
class Hooks:
    """Whom the tasks call. `sent` counts what was sent there, `received` what came of it."""

    injector: Injector
    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)

    def exchange(self, request: Request, scope: CancelScope) -> HttpResponse:
        self.sent[request.target] += 1

        def receive() -> HttpResponse:
            self.received[request.target] += 1
            return HttpResponse(200)

        answer: HttpResponse = self.injector.make(
            Call("hooks", HTTP_CALL),
            receive,
            failure=ExchangeFailed("the connection broke", was_sent=True),
            timeout=ExchangeFailed("the answer had not come by the task's deadline", was_sent=True),
            shrug=lambda: HttpResponse(202),
        )
        return answer


class CallSimulation(test_containers_matrix.ContainerSimulation):
    """A plane whose job config has a call before a container, and one behind it."""

    config = CALLS
    most_sent = 1

    def __init__(self, point: int | None = None, fault: Fault | None = None) -> None:
        super().__init__(point, fault)
        self.hooks = Hooks(self.injector)
        runner = HttpRunner(lambda: Allowlists(("hooks.example.com",)), self.hooks.exchange, no_secrets)
        self.functions = use_job_config(self.plane, self.config, runners={"http": runner})

    def come_to_rest(self) -> None:
        super().come_to_rest()
        assert all(number <= self.most_sent for number in self.hooks.sent.values()), self.hooks.sent


class IdempotentCallSimulation(CallSimulation):
    """A plane whose job config has a call that may be sent again."""

    config = IDEMPOTENT
    most_sent = MOST_TRIES


def a_call_before_a_container_and_one_behind_it(simulation: CallSimulation) -> None:
    simulation.cycles(2)
    simulation.end()
    simulation.cycles(3)


def aborted_around_a_call(simulation: CallSimulation) -> None:
    simulation.injector.others = simulation.abort
    simulation.cycles(2)
    simulation.end()
    simulation.cycles(3)


def a_call_that_may_be_sent_again(simulation: CallSimulation) -> None:
    simulation.cycles(4)


test_the_invariants_hold_with_calls = matrix(
    CallSimulation, a_call_before_a_container_and_one_behind_it, aborted_around_a_call
)
test_the_invariants_hold_with_idempotent_calls = matrix(
    IdempotentCallSimulation, a_call_that_may_be_sent_again
)


def test_an_idempotent_call_is_sent_again_where_another_is_not() -> None:
    """The first call of either is answered by nobody."""
    sent = []
    for new_simulation, scenario in (
        (CallSimulation, a_call_before_a_container_and_one_behind_it),
        (IdempotentCallSimulation, a_call_that_may_be_sent_again),
    ):
        simulation = new_simulation()
        simulation.injector.ambush = (HTTP_CALL, 0, Fault.UNANSWERED)
        scenario(simulation)
        simulation.come_to_rest()
        sent.append(dict(simulation.hooks.sent))
    assert sent == [{"/announce": 1}, {"/put": 2}]
