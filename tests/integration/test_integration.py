"""A plane as an integration of Keptn's, seen and steered on the bridge page of the local control plane."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from control.controller import EveryPollFailed
from control.integration import leave
from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.subscriptions import Subscription
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.notes import Notes
from execution_plane.ledger.table import LedgerUnavailable
from local.keptn import in_process
from local.keptn.faults import Answer, LoseEvent
from local.keptn.uniform import INTEGRATION_TTL, LogQuery
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.support.recording import Recording, record
from tests.support.world import SAYHELLO, Plane, World

BRIDGE = "http://keptn.test/bridge/integrations"
GOODBYE = "sh.keptn.event.saygoodbye.triggered"
APAC = Integration("keptn-lambda-executor", "1/ap-south-1/apac", "ap-south-1", "0.1.0", "poller-apac")
EU = Integration("keptn-lambda-executor", "1/eu-west-1/eu", "eu-west-1", "0.1.0", "poller-eu")
UNIFORM_DOWN = r"/uniform/"


@pytest.fixture
def recording(world: World) -> Recording:
    return record(world)


@pytest.fixture
def registered(recording: Recording, new_plane: PlaneMaker) -> Plane:
    return new_plane(integration=APAC)


def integrations(world: World) -> list[dict[str, Any]]:
    return world.keptn.uniform.integrations()


def subscriptions(world: World) -> list[dict[str, Any]]:
    (integration,) = integrations(world)
    found: list[dict[str, Any]] = integration["subscriptions"]
    return found


def logs(world: World) -> list[dict[str, Any]]:
    return world.keptn.uniform.logs(LogQuery())


class BridgePage:
    """A user before the bridge."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._browser = in_process.session(world.keptn)

    def shows(self) -> str:
        return self._browser.get(BRIDGE).text

    def submit(self, form: Mapping[str, str], subscription: str = "") -> requests.Response:
        (integration,) = integrations(self._world)
        target = f"{BRIDGE}/{integration['id']}/subscription"
        return self._browser.post(f"{target}/{subscription}" if subscription else target, data=form)


@pytest.fixture
def bridge(world: World) -> BridgePage:
    return BridgePage(world)


def test_a_plane_shows_itself_with_its_place_and_subscriptions(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()

    (integration,) = integrations(world)
    metadata = integration["metadata"]
    assert (integration["name"], metadata["location"]) == ("keptn-lambda-executor", "ap-south-1")
    assert metadata["integrationversion"] == "0.1.0"
    assert metadata["kubernetesmetadata"] == {
        "namespace": "1/ap-south-1/apac",
        "deploymentname": "poller-apac",
        "podname": "",
    }
    assert [each["event"] for each in subscriptions(world)] == [SAYHELLO]
    assert all(part in bridge.shows() for part in ("ap-south-1", "1/ap-south-1/apac", SAYHELLO))


def test_planes_of_one_name_are_two_integrations(world: World, new_plane: PlaneMaker) -> None:
    for plane in (new_plane("APAC", integration=APAC), new_plane("EU", integration=EU)):
        plane.cycle()

    namespaces = [each["metadata"]["kubernetesmetadata"]["namespace"] for each in integrations(world)]
    assert namespaces == ["1/ap-south-1/apac", "1/eu-west-1/eu"]


def test_another_execution_environment_is_the_same_integration(world: World, registered: Plane) -> None:
    registered.cycle()
    known = integrations(world)

    registered.cycle(registered.new_poller())

    assert integrations(world) == known


def test_a_new_version_is_shown_and_keeps_the_subscriptions(
    world: World, registered: Plane, new_plane: PlaneMaker, bridge: BridgePage
) -> None:
    registered.cycle()
    bridge.submit({"event": GOODBYE})
    known = subscriptions(world)

    newer = Integration(APAC.name, APAC.namespace, APAC.location, "0.2.0")
    new_plane("other", integration=newer).cycle()

    (integration,) = integrations(world)
    assert integration["metadata"]["integrationversion"] == "0.2.0"
    assert integration["subscriptions"] == known


def test_a_subscription_changed_in_the_bridge_rules_the_next_cycle(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": SAYHELLO, "services": "another"}, subscription["id"])
    task = world.trigger("APAC")

    world.cycles(2)
    assert world.keptn.counts(task) == (0, 0)

    bridge.submit({"event": SAYHELLO, "services": "another, head"}, subscription["id"])
    world.cycles(1)
    assert world.keptn.counts(task) == (1, 1)


def test_a_subscription_added_in_the_bridge_is_polled_in_the_next_cycle(
    registered: Plane, bridge: BridgePage, recording: Recording
) -> None:
    registered.cycle()
    bridge.submit({"event": GOODBYE, "projects": "podtato"})
    recording.clear()

    registered.cycle()

    assert {path.rpartition("/")[2] for path in recording.asked("GET", "triggered")} == {SAYHELLO, GOODBYE}
    assert any("project=podtato" in path for path in queries(recording, GOODBYE))


def queries(recording: Recording, event_type: str) -> list[str]:
    return [str(each.request.url) for each in recording.answers if event_type in str(each.request.url)]


def test_a_pinned_plane_keeps_the_templates_subscriptions(
    world: World, recording: Recording, new_plane: PlaneMaker, bridge: BridgePage
) -> None:
    plane = new_plane(integration=APAC, is_steered=False)
    plane.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": GOODBYE}, subscription["id"])
    recording.clear()

    plane.cycle()

    assert [path.rpartition("/")[2] for path in recording.asked("GET", "triggered")] == [SAYHELLO]


def test_subscriptions_deleted_in_the_bridge_do_not_come_back(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": SAYHELLO, "action": "delete"}, subscription["id"])
    task = world.trigger("APAC")

    for poller in (registered.poller, registered.new_poller()):
        registered.cycle(poller)

    assert subscriptions(world) == []
    assert world.keptn.counts(task) == (0, 0)


def test_a_run_goes_on_when_its_subscription_is_gone(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    task = world.trigger("APAC")
    registered.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": SAYHELLO, "action": "delete"}, subscription["id"])

    world.cycles(3)

    assert world.keptn.counts(task) == (1, 1)
    assert registered.ledger.active() == []


def test_a_forgotten_integration_is_registered_anew_with_what_it_had(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    bridge.submit({"event": GOODBYE})
    registered.cycle()
    world.clock.advance(INTEGRATION_TTL + 1)
    assert integrations(world) == []
    task = world.trigger("APAC")

    world.cycles(1)

    assert sorted(each["event"] for each in subscriptions(world)) == sorted([SAYHELLO, GOODBYE])
    assert world.keptn.counts(task) == (1, 1)


def test_a_plane_that_keptn_forgot_over_a_weekend_has_the_bridges_subscriptions_again(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    """Office hours: after two days without a heartbeat, another execution environment begins."""
    registered.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": SAYHELLO, "services": "another"}, subscription["id"])
    bridge.submit({"event": "sh.keptn.event.>"})
    registered.cycle()
    chosen = [(each["event"], each["filter"]) for each in subscriptions(world)]
    world.clock.advance(INTEGRATION_TTL + 1)
    registered.poller = registered.new_poller()
    excluded = world.trigger("APAC")

    world.cycles(3)

    assert [(each["event"], each["filter"]) for each in subscriptions(world)] == chosen
    assert world.keptn.counts(excluded) == (0, 0)


def test_a_plane_that_keptn_forgot_without_any_subscriptions_gets_none(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    (subscription,) = subscriptions(world)
    bridge.submit({"event": SAYHELLO, "action": "delete"}, subscription["id"])
    registered.cycle()
    world.clock.advance(INTEGRATION_TTL + 1)

    registered.cycle(registered.new_poller())

    assert subscriptions(world) == []


def test_what_keptn_forgot_is_not_registered_while_nobody_can_tell_what_it_had(
    world: World, registered: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registered.cycle()
    world.clock.advance(INTEGRATION_TTL + 1)

    def unavailable(*_: object) -> None:
        raise LedgerUnavailable("DynamoDB: throttled")

    cold = registered.new_poller()
    with monkeypatch.context() as patch:
        patch.setattr(Notes, "read", unavailable)
        registered.cycle(cold)
    assert integrations(world) == []
    assert any(vars(each).get("reason") == "DynamoDB: throttled" for each in caplog.records)

    registered.cycle(cold)
    assert [each["event"] for each in subscriptions(world)] == [SAYHELLO]


def test_a_table_that_takes_no_notes_costs_no_task(
    world: World, registered: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise LedgerUnavailable("DynamoDB: throttled")

    monkeypatch.setattr(Notes, "write", unavailable)
    task = world.trigger("APAC")

    world.cycles(2)

    assert world.keptn.counts(task) == (1, 1)


def test_subscriptions_that_stay_the_same_are_kept_once(
    registered: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Notes.write

    def note(notes: Notes, key: str, text: str) -> None:
        written.append(key)
        write(notes, key, text)

    monkeypatch.setattr(Notes, "write", note)

    for _ in range(3):
        registered.cycle()
    registered.cycle(registered.new_poller())

    assert len(written) == 1


def deploy(plane: Plane, *event_types: str) -> None:
    """Deploy the plane anew, with other event types in its template."""
    plane._subscriptions = tuple(Subscription(event_type) for event_type in event_types)
    plane.poller = plane.new_poller()


def differences(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if "the template's subscriptions have no effect" in each.message]


def test_event_types_that_the_bridge_overrules_are_said_once_for_each_deployment(
    world: World, registered: Plane, bridge: BridgePage, caplog: pytest.LogCaptureFixture
) -> None:
    registered.cycle()
    bridge.submit({"event": GOODBYE, "projects": "podtato"})
    registered.cycle(registered.new_poller())
    assert differences(caplog) == []

    deploy(registered, SAYHELLO, "sh.keptn.event.load.triggered")
    for poller in (registered.poller, registered.poller, registered.new_poller()):
        registered.cycle(poller)

    (line,) = differences(caplog)
    assert line.levelname == "WARNING"
    assert vars(line)["bridge"] == [f"{GOODBYE} projects=podtato", SAYHELLO]
    assert vars(line)["template"] == ["sh.keptn.event.load.triggered", SAYHELLO]
    (entry,) = logs(world)
    assert entry["message"] == (
        "This integration's subscriptions rule, and differ from its template's. "
        f"Here: {GOODBYE} projects=podtato; {SAYHELLO}. In the template: sh.keptn.event.load.triggered; "
        f"{SAYHELLO}. Change them here, or deploy the template with Subscriptions=template."
    )

    deploy(registered, "sh.keptn.event.other.triggered")
    registered.cycle()
    assert len(differences(caplog)) == 2


def test_a_template_that_says_the_same_as_the_bridge_is_no_difference(
    registered: Plane, bridge: BridgePage, caplog: pytest.LogCaptureFixture
) -> None:
    registered.cycle()
    bridge.submit({"event": GOODBYE})
    registered.cycle()

    deploy(registered, GOODBYE, SAYHELLO)
    registered.cycle()

    assert differences(caplog) == []


def test_a_plane_that_is_pinned_to_its_template_differs_from_the_bridge_without_a_word(
    new_plane: PlaneMaker, bridge: BridgePage, caplog: pytest.LogCaptureFixture
) -> None:
    plane = new_plane(integration=APAC, is_steered=False)
    plane.cycle()
    bridge.submit({"event": GOODBYE})

    deploy(plane, "sh.keptn.event.load.triggered")
    plane.cycle()

    assert differences(caplog) == []


def test_a_forgotten_integration_costs_one_heartbeat_in_its_cycle(
    world: World, registered: Plane, recording: Recording
) -> None:
    registered.cycle()
    world.clock.advance(INTEGRATION_TTL + 1)
    recording.clear()

    registered.cycle()
    registered.cycle()

    assert [answer.status_code for answer in recording.answers if "/ping" in str(answer.request.url)] == [
        404,
        200,
    ]


def test_while_no_subscriptions_are_known_runs_are_served_and_none_is_started(
    world: World, registered: Plane
) -> None:
    served = world.trigger("APAC")
    registered.cycle()
    world.keptn.faults.add(Answer(503), UNIFORM_DOWN)
    cold = registered.new_poller()
    registered.work_all()
    new = world.trigger("APAC")

    report = registered.cycle(cold)
    world.clock.advance(10)
    registered.cycle(cold)

    assert registered.ledger.get(served).closed_as == "acknowledged"  # type: ignore[union-attr]
    assert world.keptn.counts(new) == (0, 0)
    assert report.polls_failed == 1


def test_a_tick_without_subscriptions_says_what_keptn_answered_and_what_would_do_without(
    world: World, registered: Plane
) -> None:
    world.keptn.faults.add(Answer(403, "<html>Forbidden</html>"), UNIFORM_DOWN)
    now, end = Deadline.after(world.clock, 0), Deadline.after(world.clock, 60)

    with pytest.raises(EveryPollFailed) as failed:
        registered.poller.cycle_until(now, 0, end)

    assert str(failed.value) == (
        "no request for open events succeeded: no task is taken until Keptn says which subscriptions this "
        "plane has, as Subscriptions=bridge wants it: GET /controlPlane/v1/uniform/registration: 403 "
        "Forbidden; check KeptnApiTokenSecretArn, and what a proxy before Keptn allows"
    )


def test_a_failed_heartbeat_leaves_the_subscriptions_that_are_known(world: World, registered: Plane) -> None:
    registered.cycle()
    world.keptn.faults.add(Answer(503), UNIFORM_DOWN)
    task = world.trigger("APAC")

    world.cycles(1)

    assert world.keptn.counts(task) == (1, 1)


def test_overlapping_subscriptions_run_a_task_once(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    bridge.submit({"event": SAYHELLO, "projects": "podtato"})
    bridge.submit({"event": SAYHELLO, "stages": "dev", "services": "head"})
    task = world.trigger("APAC")

    world.cycles(3)

    assert registered.tasks.begun == [task]
    assert world.keptn.counts(task) == (1, 1)


def test_what_cannot_be_polled_for_is_ignored_with_one_line(
    registered: Plane, bridge: BridgePage, recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    registered.cycle()
    for event in ("sh.keptn.event.>", "sh.keptn.event.*.triggered", "sh.keptn.event.dev.delivery.triggered"):
        bridge.submit({"event": event})
    recording.clear()

    for _ in range(3):
        registered.cycle()

    assert {path.rpartition("/")[2] for path in recording.asked("GET", "triggered")} == {SAYHELLO}
    assert sum("a subscription is ignored" in line for line in caplog.messages) == 3


def test_what_cannot_be_polled_for_is_in_the_bridges_error_log_once(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.cycle()
    bridge.submit({"event": "sh.keptn.event.>"})

    for poller in (registered.poller, registered.poller, registered.new_poller()):
        registered.cycle(poller)

    (entry,) = logs(world)
    assert entry["message"] == (
        "The subscription to sh.keptn.event.> is ignored: only a task's triggered event, without wildcards, "
        "can be polled for."
    )


def test_filters_that_are_null_let_everything_pass(world: World, registered: Plane) -> None:
    registered.cycle()
    (integration,) = integrations(world)
    (subscription,) = integration["subscriptions"]
    world.keptn.uniform.put_subscription(integration["id"], {"event": SAYHELLO}, subscription["id"])
    assert subscriptions(world)[0]["filter"] == {"projects": None, "stages": None, "services": None}
    task = world.trigger("APAC")

    world.cycles(1)

    assert world.keptn.counts(task) == (1, 1)


def test_a_task_sees_its_subscription_and_keptn_never_does(world: World, registered: Plane) -> None:
    seen: list[Any] = []

    def look_at_data(context: TaskContext) -> Outcome:
        seen.append(context.event.data["temporaryData"])
        context.report("at work")
        return Outcome("pass", "succeeded", "done")

    registered.tasks.does = look_at_data
    world.trigger("APAC", temporaryData={"other": 1})

    world.cycles(1)

    (subscription,) = subscriptions(world)
    assert seen == [{"other": 1, "distributor": {"subscriptionID": subscription["id"]}}]
    sent = [event for event in world.keptn.received if event["source"] == registered.source]
    assert [event["type"].rpartition(".")[2] for event in sent] == ["started", "changed", "finished"]
    assert "temporaryData" not in json.dumps(sent)


def test_an_idle_cycle_costs_one_heartbeat_and_one_poll_for_each_event_type(
    world: World, registered: Plane, bridge: BridgePage, recording: Recording
) -> None:
    registered.cycle()
    for number in range(29):
        kind = f"sh.keptn.event.task{number % 4}.triggered"
        bridge.submit({"event": kind, "projects": f"p{number}", "stages": "dev"})
    assert len(subscriptions(world)) == 30
    recording.clear()

    registered.cycle()

    assert len(recording.asked("GET")) == 5
    assert len(recording.asked("PUT", "/ping")) == 1
    assert len(recording.answers) == 6


def test_an_errored_task_is_in_the_error_log_once_and_tied_to_it(
    world: World, registered: Plane, bridge: BridgePage
) -> None:
    registered.tasks.does = lambda _: Outcome.errored("The image was not found.")
    task = world.trigger("APAC")

    world.cycles(5)

    (entry,) = logs(world)
    (integration,) = integrations(world)
    assert entry["integrationid"] == integration["id"]
    assert entry["message"] == "The image was not found."
    assert (entry["triggeredid"], entry["task"]) == (task, "sayhello")
    assert entry["shkeptncontext"] == world.contexts[task]
    assert entry["gitcommitid"] == world.keptn.resources.head("podtato", "dev")
    assert "The image was not found." in bridge.shows()


def test_a_task_that_merely_fails_is_no_error(world: World, registered: Plane) -> None:
    registered.tasks.does = lambda _: Outcome("fail", "succeeded", "too slow")
    world.trigger("APAC")

    world.cycles(2)

    assert logs(world) == []


def test_a_worker_that_was_lost_is_in_the_error_log(world: World, registered: Plane) -> None:
    task = world.trigger("APAC")
    registered.cycle()
    run = registered.run(task)
    for _ in range(3):
        run = registered.ledger.move(run, run.acquired(world.clock.now()))
        run = registered.ledger.move(run, run.taken_back(world.clock.now()))

    registered.cycle()
    registered.cycle(registered.new_poller())

    (entry,) = logs(world)
    assert "lost 3 times" in entry["message"]
    assert entry["triggeredid"] == task


def test_a_refused_event_is_in_the_error_log_once_for_all_execution_environments(
    world: World, registered: Plane
) -> None:
    refused = {
        "id": "e1",
        "type": SAYHELLO,
        "shkeptncontext": "no uuid",
        "gitcommitid": "0f3b2f9c",
        "data": {},
    }
    world.keptn.faults.add(
        Answer(200, json.dumps({"events": [refused], "nextPageKey": "0"}), "application/json"), "/triggered/"
    )

    for _ in range(3):
        registered.cycle(registered.new_poller())

    (entry,) = logs(world)
    assert entry["message"] == "The event can't be handled: its shkeptncontext is not a UUID."
    assert (entry["triggeredid"], entry["task"], entry["shkeptncontext"]) == ("e1", "sayhello", "no uuid")
    assert entry["gitcommitid"] == "0f3b2f9c"


def test_an_entry_of_before_an_upgrade_that_had_no_commit_is_not_sent_again(
    world: World, registered: Plane
) -> None:
    registered.tasks.does = lambda _: Outcome.errored("The image was not found.")
    task = world.trigger("APAC")
    registered.cycle()
    (integration,) = integrations(world)
    tied = {"shkeptncontext": world.contexts[task], "task": "sayhello", "triggeredid": task}
    message = {"integrationid": integration["id"], "message": "The image was not found."}
    world.keptn.uniform.log([tied | message])

    world.cycles(5)

    (entry,) = logs(world)
    assert entry["gitcommitid"] == ""


def test_replies_that_keptn_never_counts_are_in_the_error_log_once(world: World, registered: Plane) -> None:
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST", body="finished")
    task = world.trigger("APAC")

    world.cycles(400)

    entries = logs(world)
    assert [entry["triggeredid"] for entry in entries] == [task]
    assert "does not count" in entries[0]["message"]


def test_the_error_log_has_no_credentials(world: World, registered: Plane) -> None:
    registered.tasks.does = lambda _: Outcome.errored(f"curl -H 'x-token: {world.keptn.token}' failed")
    world.trigger("APAC")

    world.cycles(1)

    (entry,) = logs(world)
    assert entry["message"] == "curl -H 'x-token: ***' failed"


def test_a_log_that_fails_costs_no_reply_and_is_sent_later(world: World, registered: Plane) -> None:
    fault = world.keptn.faults.add(Answer(500), "/v1/log", times=2)
    task = world.trigger("APAC")
    registered.cycle()
    run = registered.run(task)
    for _ in range(3):
        run = registered.ledger.move(run, run.acquired(world.clock.now()))
        run = registered.ledger.move(run, run.taken_back(world.clock.now()))

    world.cycles(4)

    assert fault.seen >= 2
    assert world.keptn.counts(task) == (1, 1)
    assert len(logs(world)) == 1


def test_the_error_log_comes_after_the_reply(world: World, registered: Plane, recording: Recording) -> None:
    registered.tasks.does = lambda _: Outcome.errored("broken")
    world.trigger("APAC")
    registered.cycle()
    recording.clear()

    registered.work_all()

    posts = recording.asked("POST")
    assert posts == ["/api/v1/event", "/api/v1/event", "/api/controlPlane/v1/log"]


def test_a_plane_that_leaves_is_gone_and_no_other_is(world: World, new_plane: PlaneMaker) -> None:
    for plane in (new_plane("APAC", integration=APAC), new_plane("EU", integration=EU)):
        plane.cycle()

    leave(world.client(), APAC, Deadline.after(world.clock, 30))

    (left,) = integrations(world)
    assert left["metadata"]["location"] == "eu-west-1"


def test_a_poller_that_registers_the_plane_anew_while_it_leaves_leaves_nothing_behind(
    world: World, registered: Plane
) -> None:
    """The last one, whose first requests to Keptn went out as its function was deleted."""
    registered.cycle()

    def register() -> None:
        if not integrations(world):
            world.clock.on_advance.remove(register)
            registered.cycle(registered.new_poller())
            assert len(integrations(world)) == 1

    world.clock.on_advance.append(register)

    leave(world.client(), APAC, Deadline.after(world.clock, 60))

    assert register not in world.clock.on_advance
    assert integrations(world) == []


def test_a_busy_poller_registers_nothing_beyond_its_slots_first_cycle(
    world: World, registered: Plane
) -> None:
    world.trigger("APAC")
    clock = world.clock
    after_a_while = [*range(3)]

    def unregister() -> None:
        if after_a_while:
            after_a_while.pop()
        else:
            for each in integrations(world):
                world.client().unregister(each["id"])

    clock.on_advance.append(unregister)

    registered.poller.cycle_until(Deadline.after(clock, 30), 1.0, Deadline.after(clock, 60))

    assert integrations(world) == []


def test_a_plane_without_time_does_not_begin_to_leave(world: World, registered: Plane) -> None:
    registered.cycle()

    leave(world.client(), APAC, Deadline.after(world.clock, 2))

    assert len(integrations(world)) == 1
