"""The scenarios of containers, with executions of state machines in their place."""

from tests.faults.faulty_ledger import FaultyLedger
from tests.faults.matrix import matrix
from tests.faults.test_containers_matrix import SCENARIOS, ContainerSimulation
from tests.support.sqs import FakeSqs
from tests.support.step_functions import FakeStepFunctions, refusal
from tests.support.world import Plane

THREE = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Build, stateMachine: build}
      - {name: Check, function: check}
      - {name: Ship, stateMachine: ship}
"""


class ExecutionSimulation(ContainerSimulation):
    """A plane whose job config has two executions and a function between them."""

    job_config = THREE
    no_place = refusal("ExecutionLimitExceeded", "too many open executions")

    def new_plane(self) -> Plane:
        self.service = FakeStepFunctions(self.world.aws_clock)
        self.sqs, self.queue_url = FakeSqs(self.world.aws_clock), "failures"
        return Plane(
            self.world,
            FaultyLedger(self.injector),
            source="keptn-lambda-executor/1/eu-west-1/x",
            sfn=self.injector.wrap_fake("stepfunctions", self.service),
            sqs=self.injector.wrap_fake("sqs", self.sqs),
            failure_queue_url=self.queue_url,
        )


test_the_invariants_hold_with_executions = matrix(ExecutionSimulation, *SCENARIOS)
