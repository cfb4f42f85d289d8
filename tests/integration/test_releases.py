"""The main flow against the Keptn releases whose behaviour differs."""

import pytest

from execution_plane.keptn.control_plane import LookUnsupported
from execution_plane.keptn.events import EventRef, Outcome, read_triggered
from execution_plane.keptn.transport import KeptnError, KeptnLacksEndpoint, KeptnUnauthorized
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.table import Ledger
from jobs.model import Rules, Task
from local.aws import create_table
from local.keptn.faults import Answer
from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_0, RELEASE_1_4, Release
from runs.actions import ActionPerformer
from runs.work import TaskContext
from runs.work_finder import JobConfigWorkFinder
from tests.support.job_configs import lookup
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, Plane, World

RELEASES = (RELEASE_0_16, RELEASE_0_18, RELEASE_1_4)
JOB_CONFIG = """\
apiVersion: v2
actions:
  - name: From Keptn's repository
    events: [{name: sh.keptn.event.sayhello.triggered}]
    tasks: [{name: Say hello, function: say_hello}]
"""
INTEGRATION = Integration("keptn-lambda-executor", "1/eu-west-1/x", "eu-west-1", "0.1.0")


@pytest.fixture(params=RELEASES, ids=lambda release: release.version)
def release(request: pytest.FixtureRequest) -> Release:
    chosen: Release = request.param
    return chosen


@pytest.fixture
def world(release: Release) -> World:
    return World(release=release)


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


class NotedTasks:
    """Runs no task; notes its name."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, task: Task, context: TaskContext) -> Outcome:
        context.report("at work")
        self.ran.append(task.name)
        return Outcome("pass", "succeeded", "done")


@pytest.fixture
def noted() -> NotedTasks:
    return NotedTasks()


@pytest.fixture
def plane(world: World, recording: Recording, dynamodb: object, noted: NotedTasks) -> Plane:
    """A plane that reads its job config from Keptn."""
    create_table(dynamodb, "ledger")  # type: ignore[arg-type]
    performer = ActionPerformer({"function": noted}, world.clock)
    work_finder = JobConfigWorkFinder(lookup(world), performer, Rules())
    plane = Plane(
        world,
        Ledger(dynamodb, "ledger"),  # type: ignore[arg-type]
        source="keptn-lambda-executor/1/eu-west-1/x",
        work_finder=work_finder,
        integration=INTEGRATION,
    )
    world.planes.append(plane)
    return plane


def test_a_task_is_done_once_with_the_job_config_of_keptns_repository(
    world: World, plane: Plane, noted: NotedTasks
) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", JOB_CONFIG, "dev", "head")
    task = world.trigger()

    world.cycles(4)

    assert noted.ran == ["Say hello"]
    assert world.keptn.counts(task) == (1, 1)
    assert world.keptn.sequence_state(world.contexts[task])["state"] == "finished"  # type: ignore[index]
    assert world.keptn.open_events(SAYHELLO) == []
    world.cycles(8)
    assert plane.run(task).closed_as == "acknowledged"


def test_without_a_job_config_in_keptn_the_bundled_one_serves(world: World, plane: Plane) -> None:
    task = world.trigger()

    world.cycles(4)

    assert world.keptn.counts(task) == (1, 1)


def test_which_service_has_the_resources_is_found_out_once(
    world: World, plane: Plane, recording: Recording
) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", JOB_CONFIG, "dev", "head")
    client = world.client()
    for _ in range(3):
        client.resource(("podtato", "dev", "head"), "job/config.yaml")

    asked = [path.split("/")[2] for path in recording.asked("GET", "/resource/")]
    probed = ["resource-service"] if "resource-service" not in world.keptn.release.resource_paths else []
    serving = world.keptn.release.resource_paths[-1]
    assert asked == [*probed, serving, serving, serving]


def test_the_plane_is_registered_and_alive(world: World, plane: Plane) -> None:
    world.cycles(2)

    (integration,) = world.keptn.uniform.integrations()
    assert [each["event"] for each in integration["subscriptions"]] == [SAYHELLO]


def test_the_version_is_asked_for_once(world: World, plane: Plane, recording: Recording) -> None:
    client = world.client()

    assert {client.version() for _ in range(3)} == {world.keptn.release.version}
    assert recording.asked("GET", "/metadata") == ["/api/v1/metadata"]


def test_an_aborted_sequence_gets_no_finished(world: World, plane: Plane) -> None:
    task = world.trigger()
    plane.cycle()
    world.clock.advance(10)
    plane.cycle()
    world.keptn.control("podtato", world.contexts[task], "abort")

    world.cycles(10)

    assert world.keptn.counts(task) == (0, 0)
    assert plane.ledger.active() == []


def test_a_paused_sequence_is_left_until_it_goes_on(world: World, plane: Plane) -> None:
    task = world.trigger()
    world.keptn.control("podtato", world.contexts[task], "pause")
    world.cycles(8)
    assert world.keptn.counts(task) == (0, 0)

    world.keptn.control("podtato", world.contexts[task], "resume")
    world.cycles(8)

    assert world.keptn.counts(task) == (1, 1)


def test_a_wrong_token_is_named_as_such(world: World) -> None:
    world.credentials = Stale

    with pytest.raises(KeptnUnauthorized):
        world.client().open_events(SAYHELLO, {})


class Stale:
    """Credentials that Keptn no longer knows."""

    def headers(self) -> dict[str, str]:
        return {"x-token": "old"}

    def renew(self) -> None:
        pass


@pytest.mark.parametrize(
    "release", [RELEASE_1_0, *RELEASES], ids=lambda release: release.version, indirect=True
)
def test_a_gateway_whose_auth_service_is_down_costs_a_cycle_and_nothing_else(
    world: World, plane: Plane
) -> None:
    refused = world.keptn.release.auth_failed
    world.keptn.faults.add(
        Answer(refused.status, refused.body, refused.content_type), "/controlPlane/", times=6
    )
    task = world.trigger()

    world.cycles(8)

    assert world.keptn.counts(task) == (1, 1)


@pytest.mark.parametrize("release", [RELEASE_0_16], ids=lambda release: release.version, indirect=True)
def test_before_looks_an_event_is_taken_once_it_has_settled(world: World, plane: Plane) -> None:
    task = world.trigger()
    with pytest.raises(LookUnsupported):
        world.client().look(ref_of(world, task), plane.source)

    plane.cycle()
    assert plane.ledger.active() == []
    world.clock.advance(4)
    plane.cycle()

    assert [run.event.id for run in plane.ledger.active()] == [task]


def ref_of(world: World, task: str) -> EventRef:
    (event,) = [each for each in world.keptn.open_events(SAYHELLO) if each["id"] == task]
    return read_triggered(event).ref


@pytest.mark.parametrize("release", [RELEASE_1_4], ids=lambda release: release.version, indirect=True)
def test_an_encoding_mistake_is_not_taken_for_a_missing_file(world: World) -> None:
    world.keptn.faults.add(Answer(404, "404 page not found", "text/plain"), "/resource-service/")

    with pytest.raises(KeptnLacksEndpoint, match="resource-service"):
        world.client().resource(("podtato",), "job/config.yaml")


def test_every_refusal_of_the_gateway_is_a_keptn_error(world: World) -> None:
    for refused in (world.keptn.release.unauthenticated, world.keptn.release.auth_failed):
        world.keptn.faults.clear()
        world.keptn.faults.add(Answer(refused.status, refused.body, refused.content_type))
        with pytest.raises(KeptnError) as raised:
            world.client().open_events(SAYHELLO, {})
        assert raised.value.status == refused.status
