"""Where a job config is looked for, and what happens when it can't be had."""

import json
from dataclasses import replace
from typing import cast

import pytest

from execution_plane.clock import Deadline
from execution_plane.keptn.events import Outcome, TriggeredEvent, read_triggered
from execution_plane.ledger.runs import Run
from jobs.images import ImageAllowlist
from jobs.model import Rules
from local.keptn.faults import Answer, DropConnection
from local.keptn.release import RELEASE_0_16, RELEASE_0_18, RELEASE_1_4, Release
from local.keptn.resources import NO_CREDENTIALS, NO_UPSTREAM
from runs.actions import ActionPerformer
from runs.work import Inapplicable, TaskContext, Unreadable, Work
from runs.work_finder import JobConfigWorkFinder
from tests.support.job_configs import lookup
from tests.support.world import SAYHELLO, World

CONFIG = """\
apiVersion: v2
actions:
  - name: {name}
    events: [{{name: {event}}}]
    tasks: [{{name: hello, function: say_hello}}]
"""
MATCHING = CONFIG.format(name="From Keptn", event=SAYHELLO)
OTHER = CONFIG.format(name="From Keptn", event="sh.keptn.event.other.triggered")
LEVELS = [("podtato", "dev", "head"), ("podtato", "dev", ""), ("podtato", "", "")]


def find(
    world: World, event: TriggeredEvent | None = None, rules: Rules | None = None, *, answer: bool = False
) -> Work | None:
    event = event or opened(world)
    now = world.clock.now()
    work_finder = JobConfigWorkFinder(
        lookup(world), ActionPerformer({}, world.clock), rules or Rules(), answer_unhandled_events=answer
    )
    run = Run.claimed(event.ref, "plane", now, now + 3600)
    return work_finder.search(run, Deadline.after(world.clock, 900))(event)


def opened(world: World) -> TriggeredEvent:
    if not world.keptn.open_events(SAYHELLO):
        world.trigger()
    (event,) = world.keptn.open_events(SAYHELLO)
    return read_triggered(event)


def test_without_any_config_in_keptn_the_bundled_one_applies(world: World) -> None:
    work = find(world)

    assert work is not None
    assert not work.is_silent


@pytest.mark.parametrize("release", [RELEASE_0_16, RELEASE_0_18, RELEASE_1_4], ids=lambda each: each.version)
@pytest.mark.parametrize("level", LEVELS, ids=["service", "stage", "project"])
def test_a_config_in_keptn_applies_instead_of_the_bundled_one(
    release: Release, level: tuple[str, str, str]
) -> None:
    world = World(release=release)
    project, stage, service = level
    world.keptn.add_resource(project, "job/config.yaml", OTHER, stage, service)

    assert find(world) is None


def test_the_nearest_config_wins(world: World) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", OTHER, "dev", "head")
    world.keptn.add_resource("podtato", "job/config.yaml", MATCHING, "dev")
    world.keptn.add_resource("podtato", "job/config.yaml", "nonsense: [")

    assert find(world) is None


def test_service_and_stage_are_read_as_they_were_when_the_sequence_was_triggered(world: World) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", MATCHING, "dev")
    event = opened(world)
    world.keptn.add_resource("podtato", "job/config.yaml", OTHER, "dev")

    assert event.ref.commit
    assert find(world, event) is not None


FAULTS = [
    Answer(500),
    Answer(502),
    Answer(429),
    Answer(403),
    Answer(424),
    Answer(404),
    Answer(404, "<html>default backend</html>"),
    Answer(404, '{"message":"Resource not found"}', "application/json"),
    Answer(404, json.dumps({"code": 404, "message": NO_CREDENTIALS}), "application/json"),
    Answer(404, json.dumps({"code": 404, "message": NO_UPSTREAM}), "application/json"),
    Answer(200, "<html>"),
    DropConnection(),
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("level", ["service/head/", "stage/dev/resource", "podtato/resource"])
def test_only_not_found_leads_to_the_next_level(
    world: World, level: str, fault: Answer | DropConnection
) -> None:
    event = opened(world)
    event = replace(event, ref=replace(event.ref, commit=""))
    world.keptn.faults.add(fault, f"resource-service.*{level}")

    with pytest.raises(Unreadable, match="job config could not be read"):
        find(world, event)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("level", ["service/head/", "stage/dev/resource/"])
def test_what_is_listed_and_can_not_be_read_leads_to_no_other_level(
    world: World, level: str, fault: Answer | DropConnection
) -> None:
    service = "head" if level.startswith("service") else ""
    world.keptn.add_resource("podtato", "job/config.yaml", OTHER, "dev", service)
    world.keptn.faults.add(fault, f"resource-service.*{level}")

    with pytest.raises(Unreadable, match="job config could not be read"):
        find(world)


@pytest.mark.parametrize("message", [NO_CREDENTIALS, NO_UPSTREAM])
def test_a_repository_that_is_out_of_reach_does_not_make_the_bundled_config_apply(
    world: World, message: str
) -> None:
    event = opened(world)
    world.keptn.resources.lose_upstream("podtato", message)

    with pytest.raises(Unreadable, match=f"job config could not be read: GET .* 404 {message}"):
        find(world, event)


@pytest.mark.parametrize(
    "message",
    [
        "Project not found",
        "Stage not found",
        "Service not found",
        "Resource not found",
        "Project resource not found",
        "Stage resource not found",
        "Service resource not found",
        "Stage does not exist",
    ],
)
def test_not_found_is_read_in_the_words_of_every_release(world: World, message: str) -> None:
    event = opened(world)
    world.keptn.add_resource("podtato", "job/config.yaml", OTHER)
    body = json.dumps({"code": 404, "message": message})
    world.keptn.faults.add(Answer(404, body, "application/json"), "stage/dev/")

    assert find(world, event) is None


@pytest.mark.parametrize(
    "content", ["resourceContent", '{"resourceContent":"*"}', '{"resourceContent":7}', "[]"]
)
def test_an_answer_without_content_is_not_taken_for_a_config(world: World, content: str) -> None:
    event = opened(world)
    world.keptn.faults.add(Answer(200, content, "application/json"), "resource-service")

    with pytest.raises(Unreadable):
        find(world, event)


def test_a_keptn_that_fails_for_seconds_is_waited_for(world: World) -> None:
    event = opened(world)
    world.keptn.faults.add(Answer(502), "resource-service", times=3)

    assert find(world, event) is not None


def test_an_invalid_config_says_where_it_is(world: World) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", "apiVersion: v9", "dev")

    with pytest.raises(Unreadable, match=r"job/config\.yaml of stage podtato/dev"):
        find(world)


def test_actions_that_are_all_silent_make_silent_work(world: World) -> None:
    world.keptn.add_resource("podtato", "job/config.yaml", MATCHING + "    silent: true\n", "dev")

    work = find(world)

    assert work is not None
    assert work.is_silent


def write_actions(world: World, *actions: str) -> None:
    config = f"apiVersion: v2\nactions: [{', '.join(actions)}]"
    world.keptn.add_resource("podtato", "job/config.yaml", config)


HELLO = f"{{events: [{{name: {SAYHELLO}}}], tasks: [{{image: ours/hello}}]}}"
FORBIDDEN = "tasks: [{image: theirs/a}]"
NOBODY = cast("TaskContext", None)
"""For work that does nothing."""
OURS = Rules(images=ImageAllowlist.parse("ours/*"))


def test_a_forbidden_image_of_an_action_for_other_events_refuses_nothing(world: World) -> None:
    write_actions(world, f"{{events: [{{name: other}}], {FORBIDDEN}}}", HELLO)

    assert find(world, rules=OURS) is not None


def test_a_forbidden_image_of_a_matching_action_ends_its_task_before_anything_runs(world: World) -> None:
    write_actions(world, HELLO, f"{{events: [{{name: {SAYHELLO}}}], {FORBIDDEN}}}")

    work = find(world, rules=OURS)

    assert work is not None
    assert not work.is_silent
    outcome = work.perform(NOBODY, None)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.message) == (
        "errored",
        "job/config.yaml of project podtato, line 2, actions[1].tasks[0].image: "
        "expected an image that this deployment allows, found 'theirs/a'",
    )


def test_a_forbidden_image_of_silent_actions_is_said_in_the_log_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    write_actions(world, f"{{events: [{{name: {SAYHELLO}}}], {FORBIDDEN}, silent: true}}")

    work = find(world, rules=OURS)

    assert work is not None
    assert work.is_silent
    (line,) = [vars(each) for each in caplog.records if each.message == "the event's actions can't be run"]
    assert "found 'theirs/a'" in line["reason"]


def test_an_invalid_config_that_names_no_such_event_does_not_apply(world: World) -> None:
    write_actions(world, "{events: [{name: other}], tasks: [{cmd: a}]}")

    with pytest.raises(Inapplicable, match=r"actions\[0\]\.tasks\[0\]\.cmd"):
        find(world)


@pytest.mark.parametrize("action", [HELLO, "{events: [{name: '['}]}"])
def test_an_invalid_config_that_names_the_event_or_may_do_so_applies(world: World, action: str) -> None:
    write_actions(world, action, "{tasks: [{cmd: a}]}")

    with pytest.raises(Unreadable) as caught:
        find(world)
    assert not isinstance(caught.value, Inapplicable)


def test_where_unhandled_events_are_answered_an_invalid_config_is(world: World) -> None:
    write_actions(world, "{events: [{name: other}], tasks: [{cmd: a}]}")

    with pytest.raises(Unreadable) as caught:
        find(world, answer=True)
    assert not isinstance(caught.value, Inapplicable)
