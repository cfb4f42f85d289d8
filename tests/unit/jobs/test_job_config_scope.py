"""What a problem of a job config refuses: the file, or only the action that can't be run.

The job executor refuses a file that it can't decode, and finds what else is wrong when it runs a task.
"""

import pytest

from jobs.config import InvalidJobConfig, JobConfig, Rules, read, read_for_matching
from jobs.images import ImageAllowlist

RULES = Rules(images=ImageAllowlist.parse("ours/*"))
SOUND = "{name: Sound, events: [{name: sound}], tasks: [{image: ours/a}]}"


def config_of(*actions: str, rules: Rules = RULES) -> JobConfig:
    text = "".join(f"- {action}\n" for action in actions)
    return read_for_matching(f"apiVersion: v2\nactions:\n{text}".encode(), origin="c.yaml", rules=rules)


def refusal_of(text: str) -> InvalidJobConfig:
    with pytest.raises(InvalidJobConfig) as caught:
        read_for_matching(text.encode(), origin="c.yaml", rules=RULES)
    return caught.value


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ("image: theirs/a", "image"),
        ("securityContext: {privileged: true}", "securityContext.privileged"),
        ("env: [{name: A, valueFrom: field}]", "env[0].valueFrom"),
        ("env: [{name: A, valueFrom: event, value: '$['}]", "env[0].value"),
        ("resources: {limits: {cpu: lots}}", "resources.limits.cpu"),
        ("resources: {requests: {memory: -1}}", "resources.requests.memory"),
        ("onError: ignore", "onError"),
        ("image: ours/a, function: a", ""),
    ],
)
def test_what_is_wrong_with_a_task_refuses_its_action(task: str, field: str) -> None:
    first, second = config_of(SOUND, f"{{name: Unsound, tasks: [{{name: a}}, {{{task}}}]}}").actions

    assert first.objections == ()
    (objection,) = second.objections
    assert (objection.line, objection.field) == (4, f"actions[1].tasks[1].{field}".rstrip("."))


def test_all_that_is_wrong_with_an_action_is_said_in_the_order_of_the_file() -> None:
    (action,) = config_of(
        "tasks:\n  - onError: x\n    image: theirs/a\n  - resources: {limits: {cpu: x, memory: y}}"
    ).actions

    assert [(each.line, each.field) for each in action.objections] == [
        (4, "actions[0].tasks[0].onError"),
        (5, "actions[0].tasks[0].image"),
        (6, "actions[0].tasks[1].resources.limits.cpu"),
        (6, "actions[0].tasks[1].resources.limits.memory"),
    ]


def test_a_check_of_a_whole_file_refuses_it_for_any_of_its_actions() -> None:
    raw = f"apiVersion: v2\nactions: [{SOUND}, {{tasks: [{{image: theirs/a}}]}}]".encode()

    with pytest.raises(InvalidJobConfig, match=r"line 2, actions\[1\]\.tasks\[0\]\.image: expected an image"):
        read(raw, origin="c.yaml", rules=RULES)


@pytest.mark.parametrize(
    "action",
    [
        "{events: [{name: '['}]}",
        "{events: [{jsonpath: {property: '$['}}]}",
        "{tasks: [{imagePullSecret: a}]}",
        "{tasks: [{maxPollDuration: soon}]}",
        "{tasks: [{cmd: a}]}",
        "{silent: 1}",
    ],
)
def test_what_the_job_executor_can_t_decode_or_match_refuses_the_file(action: str) -> None:
    assert len(refusal_of(f"apiVersion: v2\nactions: [{SOUND}, {action}]").problems) == 1


def test_a_refused_file_tells_of_its_actions_tasks_too() -> None:
    problems = refusal_of("apiVersion: v1\nactions: [{tasks: [{image: theirs/a}]}]").problems

    assert [each.field for each in problems] == ["apiVersion", "actions[0].tasks[0].image"]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nactions: [{events: [{name: deploy}]}]",
        "actions: [{events: [{name: deploy}]}]",
        "apiVersion: v2\nactions: [{events: [{name: deploy}], tasks: [{plugin: a}]}]",
        "apiVersion: v2\nactions: [{events: [{name: deploy}], tasks: a}]",
        "apiVersion: v2\nactions: [{events: [{name: deploy}], silent: 1, name: [a]}]",
        "apiVersion: v2\nactions: [{events: [{name: deploy, jsonpath: {property: '['}}]}]",
        "apiVersion: v2\nactions: [{}, {events: [], tasks: [{cmd: a}]}, {events: [{name: deploy}]}]",
    ],
)
def test_an_invalid_file_may_concern_the_events_that_its_actions_name_and_no_others(text: str) -> None:
    refusal = refusal_of(text)

    assert refusal.may_concern("sh.keptn.event.deployment.triggered")
    assert not refusal.may_concern("sh.keptn.event.test.triggered")


@pytest.mark.parametrize("text", ["", "apiVersion: v3", "apiVersion: v2\nactions: [{tasks: [{cmd: a}]}]"])
def test_an_invalid_file_that_names_no_events_concerns_none(text: str) -> None:
    assert not refusal_of(text).may_concern("sh.keptn.event.test.triggered")


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: [",
        "- a",
        "apiVersion: v2\nactions: {}",
        "apiVersion: v2\naction: []",
        "apiVersion: v2\nactions: [a]",
        "apiVersion: v2\nactions: [{event: a}]",
        "apiVersion: v2\nactions: [{events: a}]",
        "apiVersion: v2\nactions: [{events: [a]}]",
        "apiVersion: v2\nactions: [{events: [{type: a}]}]",
        "apiVersion: v2\nactions: [{events: [{name: [a]}]}]",
        "apiVersion: v2\nactions: [{events: [{name: '['}]}]",
        "apiVersion: v2\nactions: [{events: [], events: [{name: a}]}]",
        "apiVersion: v2\nactions: [{<<: a}]",
        "apiVersion: v2\nactions: [{events: [{}], tasks: [{cmd: a}]}]",
    ],
)
def test_an_invalid_file_whose_events_can_t_be_read_may_concern_every_event(text: str) -> None:
    assert refusal_of(text).may_concern("sh.keptn.event.test.triggered")
