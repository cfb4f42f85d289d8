"""Job configs with containers, each from its trigger to Keptn's count of replies, on the fake ECS."""

import io
import json
import tarfile
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from execution_plane.keptn.events import LONGEST_TEXT, Outcome
from execution_plane.keptn.uniform import Integration
from execution_plane.ledger.job_configs import JobConfigs
from execution_plane.ledger.runs import SUBMIT_LEASE, State
from local.keptn.faults import Answer
from local.keptn.uniform import LogQuery
from runs.work import TaskContext
from tests.conftest import PlaneMaker
from tests.support.container_runs import (
    ONE,
    SILENT_FIRST,
    THREE,
    begin,
    counts,
    end,
    message,
    progress,
    replies,
)
from tests.support.ecs import refusal
from tests.support.job_configs import Functions, use_job_config, write
from tests.support.world import SAYHELLO, Plane, World

TWO = """\
apiVersion: v2
actions:
  - name: Deliver
    events: [{name: sayhello}]
    tasks:
      - {name: Build, image: builder, maxPollDuration: 3600}
      - {name: Ship, image: shipper, maxPollDuration: 3600}
"""
TWO_ACTIONS = """\
apiVersion: v2
actions:
  - name: One
    events: [{name: sayhello}]
    tasks: [{name: First, function: first}]
  - name: Another
    events: [{name: sayhello}]
    tasks: [{name: Second, function: second}]
"""


@pytest.fixture
def task(world: World) -> str:
    return world.trigger("APAC")


def test_the_worker_does_not_wait_for_a_container(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)

    begin(plane)

    run = plane.run(task)
    assert run.state is State.WAITING
    assert run.step is not None
    assert run.step.handle == plane.ecs.running[0].arn
    assert counts(world, task) == (1, 0)


def test_a_containers_end_finishes_the_task_with_what_it_wrote(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)

    end(plane, "Hello, APAC")

    assert counts(world, task) == (1, 1)
    assert (world.finished(task)["result"], message(world, task)) == ("pass", "Hello, APAC")
    world.cycles(2)
    assert plane.run(task).state is State.CLOSED


def test_the_command_is_expanded_and_the_environment_is_given(plane: Plane, task: str) -> None:
    use_job_config(plane, ONE)

    begin(plane)

    (started,) = plane.ecs.running
    (override,) = started.request["overrides"]["containerOverrides"]
    (container,) = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert (container["entryPoint"], override["command"]) == (["echo"], ["Hello, APAC"])
    assert {each["name"]: each["value"] for each in override["environment"]} == {
        "WHERE": "APAC",
        "KEPTN_PROJECT": "podtato",
        "KEPTN_STAGE": "dev",
        "KEPTN_SERVICE": "head",
    }
    assert not {"environment", "environmentFiles", "secrets"} & container.keys()


def test_a_definition_is_registered_once_for_all_events(plane: Plane, world: World) -> None:
    use_job_config(plane, ONE)
    for _ in range(2):
        world.trigger("APAC")
        begin(plane)
        end(plane)

    assert len(plane.ecs.registered) == 1
    assert len(plane.ecs.tasks) == 2


def test_several_tasks_go_on_one_after_the_other(plane: Plane, world: World, task: str) -> None:
    functions = use_job_config(plane, THREE)
    begin(plane)
    end(plane, "built", 'keptn-outcome: {"image": "x:1"}')

    assert functions.begun == [f"{task} check"]
    assert counts(world, task) == (1, 0)
    end(plane, "shipped")

    assert counts(world, task) == (1, 1)
    assert world.finished(task)["sayhello"] == {"image": "x:1"}
    assert message(world, task) == (
        "Task 'Build': pass\nbuilt\n\nTask 'Check': pass\ncheck is done\n\nTask 'Ship': pass\nshipped"
    )
    assert progress(world) == ["Task 1 of 3: Build", "Task 2 of 3: Check", "Task 3 of 3: Ship"]


def test_a_failed_container_ends_its_action_and_says_how(plane: Plane, world: World, task: str) -> None:
    functions = use_job_config(plane, THREE)
    begin(plane)

    end(plane, "no compiler", exit_code=3)

    assert functions.begun == []
    assert counts(world, task) == (1, 1)
    assert (world.finished(task)["result"], world.finished(task)["status"]) == ("fail", "errored")
    assert message(world, task) == (
        "The container ended with exit code 3: Essential container in task exited\n\nLogs:\nno compiler"
    )
    assert counts(world, task) == (1, 1)


def test_an_image_that_cannot_be_pulled_fails_the_task_with_ecs_reason(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    begin(plane)

    end(plane, exit_code=None, stop_code="TaskFailedToStart", reason="CannotPullContainerError: not found")

    assert "TaskFailedToStart" in message(world, task)
    assert "CannotPullContainerError: not found" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_container_past_its_deadline_is_stopped_and_reported(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    plane.clock.advance(601)

    begin(plane)
    assert plane.ecs.running == []
    plane.clock.advance(61)
    begin(plane)

    assert message(world, task) == (
        "The container was still running after 600 s (maxPollDuration) and was stopped."
    )
    assert counts(world, task) == (1, 1)


def test_a_lost_end_is_found_by_the_controller(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    plane.ecs.end()
    plane.clock.advance(15)

    begin(plane)

    assert counts(world, task) == (1, 1)


def test_a_doubled_end_changes_nothing(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    event = plane.ecs.end()
    plane.work(event)

    assert plane.work(event) == "no run waits for this container"
    assert counts(world, task) == (1, 1)


def test_another_containers_end_is_ignored(plane: Plane, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    event = plane.ecs.end()
    event["detail"]["startedBy"] = "another-token"

    assert plane.work(event) == "no run waits for this container"
    assert plane.run(task).state is State.WAITING


def test_a_container_that_ecs_forgot_fails_the_task(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    plane.ecs.end()
    plane.clock.advance(3700)

    begin(plane)

    assert "ECS no longer knows how" in message(world, task)


def test_no_capacity_is_tried_again_until_there_is_some(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = ["Capacity is unavailable at this time.", "Capacity is unavailable at this time."]
    for _ in range(9):
        begin(plane)
        plane.clock.advance(10)

    assert len(plane.ecs.running) == 1
    end(plane, "at last")
    assert message(world, task) == "at last"


@pytest.mark.parametrize(
    "text",
    [
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "You've reached the limit on the number of tasks you can run concurrently",
        "The service was unable to place the task: insufficient capacity.",
    ],
)
@pytest.mark.parametrize("code", ["ClientException", "InvalidParameterException"])
def test_no_capacity_is_none_in_whichever_form_ecs_says_so(
    plane: Plane, world: World, task: str, code: str, text: str
) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = [refusal(code, text)]
    for _ in range(5):
        begin(plane)
        plane.clock.advance(10)

    end(plane, "at last")
    assert message(world, task) == "at last"


def test_no_capacity_until_the_deadline_fails_the_task_with_ecs_reason(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = ["Capacity is unavailable at this time."] * 100
    for _ in range(70):
        begin(plane)
        plane.clock.advance(10)

    assert plane.ecs.tasks == {}
    assert "Capacity is unavailable at this time." in message(world, task)


def test_a_refusal_fails_the_task_at_once(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = [refusal("InvalidParameterException", "No subnet.")]

    begin(plane)

    assert "No subnet." in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_submission_without_an_answer_is_found_and_not_made_again(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    run_task = plane.ecs.run_task

    def unanswered(**request: Any) -> None:
        run_task(**request)
        raise refusal("ServerException", "Internal error")

    plane.ecs.run_task = unanswered
    begin(plane)
    plane.ecs.run_task = run_task
    plane.clock.advance(SUBMIT_LEASE)
    begin(plane)

    assert len(plane.ecs.tasks) == 1
    end(plane, "once")
    assert message(world, task) == "once"


def test_a_submission_that_never_arrived_is_made_again(plane: Plane, task: str) -> None:
    use_job_config(plane, ONE)
    plane.ecs.refusals = [refusal("ServerException", "Internal error")]
    begin(plane)
    assert plane.ecs.tasks == {}
    plane.clock.advance(SUBMIT_LEASE)

    begin(plane)

    assert len(plane.ecs.running) == 1
    run = plane.run(task)
    assert run.step is not None
    assert run.step.handle == plane.ecs.running[0].arn


def test_an_aborted_sequence_stops_its_container_and_sends_nothing(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    world.keptn.control("podtato", world.contexts[task], "abort")

    world.cycles(12)

    (stopped,) = plane.ecs.tasks.values()
    assert stopped.reason == "Its Keptn sequence was aborted or timed out."
    assert counts(world, task) == (1, 0)
    assert (plane.run(task).state, plane.run(task).closed_as) == (State.CLOSED, "cancelled")


def test_a_silent_container_runs_on_without_a_reply(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE.replace("name: Greet", "name: Greet\n    silent: true"))
    begin(plane)
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.cycles(5)
    assert len(plane.ecs.running) == 1

    end(plane, "unheard")
    world.cycles(12)

    assert replies(world, task) == []
    assert counts(world, task) == (0, 0)
    assert plane.run(task).state is State.CLOSED


def test_silent_work_goes_on_when_keptn_has_given_its_event_up(plane: Plane, world: World, task: str) -> None:
    """Nobody sends a started, so Keptn times the task out after ten minutes."""
    use_job_config(plane, TWO.replace("name: Deliver", "name: Deliver\n    silent: true"))
    begin(plane)
    world.cycles(40, 20.0)
    assert world.keptn.open_events(SAYHELLO) == []

    end(plane)
    end(plane)
    world.cycles(12)

    assert len(plane.ecs.tasks) == 2
    assert replies(world, task) == []
    assert plane.run(task).state is State.CLOSED


def test_how_a_silent_container_ended_is_logged_although_keptn_has_given_its_event_up(
    plane: Plane, world: World, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    use_job_config(plane, TWO.replace("name: Deliver", "name: Deliver\n    silent: true"))
    begin(plane)
    world.cycles(40, 20.0)
    end(plane, "it broke", exit_code=7)

    (line,) = [vars(each) for each in caplog.records if each.message == "a silent action's task ended"]
    assert "exit code 7" in line["reason"]
    assert "it broke" in line["reason"]


def test_a_silent_action_beside_another_is_not_heard_of_and_holds_up_nothing(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, SILENT_FIRST)
    begin(plane)
    end(plane, "unheard", exit_code=1)
    end(plane, "heard")

    assert (world.finished(task)["result"], message(world, task)) == ("pass", "heard")
    assert not any("Measure" in text for text in progress(world))
    assert counts(world, task) == (1, 1)


def test_an_invalid_job_config_ends_the_task_with_its_level_line_and_field(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, ONE.replace("alpine", "[alpine]"))

    begin(plane)

    assert counts(world, task) == (1, 1)
    assert world.finished(task)["status"] == "errored"
    assert message(world, task) == (
        "job/config.yaml of project podtato, line 7, actions[0].tasks[0].image: expected a text, found a list"
    )


def test_of_a_huge_log_the_end_is_kept_with_where_all_of_it_is(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)

    end(plane, *(f"{number:09d} {'x' * 1013}" for number in range(10_240)), "the last line")

    text = message(world, task)
    assert len(text.encode()) <= LONGEST_TEXT
    assert text.startswith("(10485774 bytes, cut to the last ")
    assert "all of it is in /aws/ecs/containers, keptn/task/" in text.splitlines()[0]
    assert text.endswith("the last line")
    assert counts(world, task) == (1, 1)


def test_a_huge_log_leaves_room_to_say_why_another_task_failed(plane: Plane, world: World, task: str) -> None:
    second = ONE.partition("actions:\n")[2].replace("Greet", "Again").replace("Hello\n", "Other\n")
    use_job_config(plane, ONE + second)
    begin(plane)
    long_log = [f"{number:05d} {'x' * 100}" for number in range(1000)]

    end(plane, *long_log, "why it failed", exit_code=3)
    end(plane, *long_log, "how it passed")

    text = message(world, task)
    assert len(text.encode()) <= LONGEST_TEXT
    for words in (
        "Task 'Hello': fail\nThe container ended with exit code 3",
        "why it failed",
        "how it passed",
    ):
        assert words in text
    assert text.count("all of it is in /aws/ecs/containers, keptn/task/") == 2


def test_a_log_that_is_not_utf_8_can_be_told(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)

    end(plane, "\udcff\ufffd broken \x00", "fine")

    assert message(world, task).endswith("fine")
    assert counts(world, task) == (1, 1)


def test_two_actions_both_run_and_the_worst_counts(plane: Plane, world: World, task: str) -> None:
    second = ONE.partition("actions:\n")[2].replace("Greet", "Again").replace("Hello\n", "Other\n")
    use_job_config(plane, ONE + second)
    begin(plane)
    end(plane, "first", exit_code=1)
    end(plane, "second")

    assert len(plane.ecs.tasks) == 2
    assert counts(world, task) == (1, 1)
    assert world.finished(task)["result"] == "fail"
    assert "first" in message(world, task)
    assert message(world, task).endswith("Task 'Other': pass\nsecond")
    assert counts(world, task) == (1, 1)


def test_a_failure_that_the_task_forgives_is_a_warning(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE.replace("name: Hello\n", "name: Hello\n        onError: warning\n"))
    begin(plane)

    end(plane, exit_code=1)

    assert (world.finished(task)["result"], world.finished(task)["status"]) == ("warning", "succeeded")
    assert counts(world, task) == (1, 1)


def test_a_task_without_any_time_is_not_begun(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE.replace("600", "0"))

    begin(plane)

    assert plane.ecs.tasks == {}
    assert "maxPollDuration is 0" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_run_goes_on_with_the_job_config_with_which_it_began(
    plane: Plane, world: World, task: str, dynamodb: Any
) -> None:
    """Hours later, in other execution environments, and without a question to Keptn."""
    job_configs = JobConfigs(dynamodb, "ledger-APAC")
    use_job_config(plane, THREE, job_configs=job_configs)
    begin(plane)
    world.clock.advance(100)
    world.keptn.faults.add(Answer(500), "/resource-service")
    functions = use_job_config(plane, "apiVersion: v2\nactions: what\n", job_configs=job_configs)
    end(plane, "built it")
    world.clock.advance(100)
    use_job_config(plane, "", job_configs=job_configs)
    end(plane, "shipped it")

    assert functions.begun == [f"{task} check"]
    assert "built it" in message(world, task)
    assert "shipped it" in message(world, task)
    assert counts(world, task) == (1, 1)


def test_a_job_config_that_changes_meanwhile_and_is_not_kept_ends_the_task(
    plane: Plane, world: World, task: str
) -> None:
    use_job_config(plane, THREE)
    begin(plane)
    use_job_config(plane, THREE.replace("Ship", "Sink"))

    end(plane, exit_code=3)

    told = message(world, task)
    assert "The job config was changed" in told
    assert "ended: exit code 3" in told
    assert f"keptn/task/{next(iter(plane.ecs.tasks)).rpartition('/')[2]}" in told


def test_what_ran_before_a_job_config_became_invalid_is_told(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, TWO)
    begin(plane)
    end(plane, "built it", exit_code=0)
    use_job_config(plane, "apiVersion: v2\nactions: what\n")

    end(plane, exit_code=3)

    told = message(world, task)
    assert "Task 'Build': pass\nbuilt it" in told
    assert "line 2" in told
    assert "ended: exit code 3" in told


@pytest.mark.parametrize("stop_code", ["TerminationNotice", "SpotInterruption", "ServiceSchedulerInitiated"])
def test_a_container_that_ecs_ended_has_not_passed_whatever_its_exit_code(
    plane: Plane, world: World, task: str, stop_code: str
) -> None:
    use_job_config(plane, ONE)
    begin(plane)

    end(plane, exit_code=0, stop_code=stop_code, reason="Fargate is retiring the host")

    assert world.finished(task)["result"] == "fail"
    assert f"ended by ECS ({stop_code}), with exit code 0: Fargate is retiring" in message(world, task)


def test_a_task_that_breaks_its_runner_is_one_failed_task(plane: Plane, world: World, task: str) -> None:
    functions = use_job_config(plane, TWO_ACTIONS)

    def breaks(context: TaskContext) -> None:
        if len(functions.begun) == 1:
            raise OSError(7, "Argument list too long")

    functions.on_run = breaks
    begin(plane)

    assert world.finished(task)["result"] == "fail"
    assert "Task 'First': fail\nThe task could not be run: OSError: [Errno 7] Argument list" in message(
        world, task
    )
    assert "Task 'Second': pass" in message(world, task)


def test_a_lost_worker_at_a_containers_end_is_replaced(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    event = plane.ecs.end()
    with patch.object(plane.logs, "get_log_events", _die), pytest.raises(KeyboardInterrupt):
        plane.work(event)
    assert plane.run(task).state is State.RUNNING
    plane.clock.advance(301)

    begin(plane, times=2)

    assert counts(world, task) == (1, 1)


def test_an_end_that_kills_every_worker_is_given_up(plane: Plane, world: World, task: str) -> None:
    use_job_config(plane, ONE)
    begin(plane)
    plane.ecs.end()
    with patch.object(plane.logs, "get_log_events", _die):
        for _ in range(60):
            plane.cycle()
            while plane.queue.invocations:
                with pytest.raises(KeyboardInterrupt):
                    plane.work(plane.queue.invocations.pop())
            plane.clock.advance(30)

    assert "its end could not be handled: the worker was lost 3 times" in message(world, task)
    assert counts(world, task) == (1, 1)


def _die(**_: Any) -> None:
    raise KeyboardInterrupt


def test_files_are_archived_for_the_container(plane: Plane, world: World, aws: None) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    use_job_config(
        plane, ONE.replace("image: alpine", "image: alpine\n        files: [/locust, run.sh]"), s3=s3
    )
    write(plane, {"locust/a.py": b"\x00\xff", "locust/b/c.py": b"c"})
    write(plane, {"run.sh": b"stage"}, service="")
    task = world.trigger("APAC")

    begin(plane)

    assert counts(world, task) == (1, 0), message(world, task)
    (started,) = plane.ecs.running
    files = started.request["overrides"]["containerOverrides"][1]
    bucket, key, folder = files["command"]
    assert (files["name"], folder) == ("files", "/keptn")
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    assert found == {"locust/a.py": b"\x00\xff", "locust/b/c.py": b"c", "run.sh": b"stage"}
    definition = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert definition[0]["dependsOn"] == [{"containerName": "files", "condition": "SUCCESS"}]


@pytest.mark.parametrize("file", ["nowhere", "$(WHERE)"])
def test_files_that_are_not_there_fail_the_task(plane: Plane, world: World, task: str, file: str) -> None:
    use_job_config(plane, ONE.replace("image: alpine", f"image: alpine\n        files: [{file}]"))
    write(plane, {"APAC": b"the name of a file is not expanded"})

    begin(plane)

    assert message(world, task) == f"could not find file or directory {file} for task Hello"
    assert plane.ecs.tasks == {}


def test_secrets_are_referred_to_and_masked(plane: Plane, world: World, task: str, aws: None) -> None:
    secrets = boto3.client("secretsmanager")
    arn = secrets.create_secret(Name="keptn/db", SecretString=json.dumps({"PASSWORD": "s3cr3t!"}))["ARN"]
    env = "- {name: db, valueFrom: secret}"
    config = ONE.replace("env: [{", f"env:\n          {env}\n          - {{").replace("event}]", "event}")
    use_job_config(plane, config, secrets=secrets, SECRET_PREFIX="keptn/")
    begin(plane)

    (started,) = plane.ecs.running
    (container,) = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert container["secrets"] == [{"name": "PASSWORD", "valueFrom": f"{arn}:PASSWORD::"}]
    assert "s3cr3t!" not in json.dumps(started.request) + json.dumps(container)
    end(plane, "the password is s3cr3t!", 'keptn-outcome: {"said": "s3cr3t\\u0021"}')
    assert message(world, task) == "the password is ***"
    assert world.finished(task)["sayhello"] == {"said": "***"}


def test_a_single_key_of_a_secret_is_all_that_a_container_gets_of_it(
    plane: Plane, world: World, task: str, aws: None
) -> None:
    secrets = boto3.client("secretsmanager")
    content = json.dumps({"password": "s3cr3t!", "user": "somebody"})
    arn = secrets.create_secret(Name="keptn/db", SecretString=content)["ARN"]
    env = "env: [{name: DB_PASSWORD, value: db/password, valueFrom: secretKey}, {"
    use_job_config(plane, ONE.replace("env: [{", env), secrets=secrets, SECRET_PREFIX="keptn/")
    begin(plane)

    (started,) = plane.ecs.running
    (container,) = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert container["secrets"] == [{"name": "DB_PASSWORD", "valueFrom": f"{arn}:password::"}]
    end(plane, "somebody used s3cr3t!")
    assert message(world, task) == "somebody used ***"


def test_a_secrets_files_are_masked_and_stand_in_nothing_but_the_container(
    plane: Plane, world: World, task: str, aws: None
) -> None:
    secrets = boto3.client("secretsmanager")
    content = json.dumps({"key.pem": "-----BEGIN\nMIIabcdef\n-----END"})
    arn = secrets.create_secret(Name="keptn/tls", SecretString=content)["ARN"]
    fields = "image: alpine\n        secretFiles: [{name: tls, mountPath: /etc/tls}]"
    use_job_config(plane, ONE.replace("image: alpine", fields), secrets=secrets, SECRET_PREFIX="keptn/")
    begin(plane)

    (started,) = plane.ecs.running
    definition = plane.ecs.definitions[started.request["taskDefinition"]]
    assert definition["containerDefinitions"][1]["secrets"] == [
        {"name": "SECRET_0_0", "valueFrom": f"{arn}:key.pem::"}
    ]
    assert "MIIabcdef" not in json.dumps(definition) + json.dumps(started.request)
    end(plane, "read MIIabcdef")
    assert message(world, task) == "read ***"


def test_an_image_is_pulled_with_the_credentials_of_a_secret(plane: Plane, task: str, aws: None) -> None:
    secrets = boto3.client("secretsmanager")
    content = json.dumps({"username": "robot", "password": "s3cr3t!"})
    arn = secrets.create_secret(Name="keptn/registry", SecretString=content)["ARN"]
    fields = "image: registry.example.com/tool\n        imagePullSecrets: [{name: registry}]"
    use_job_config(plane, ONE.replace("image: alpine", fields), secrets=secrets, SECRET_PREFIX="keptn/")
    begin(plane)

    (started,) = plane.ecs.running
    (container,) = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert container["repositoryCredentials"] == {"credentialsParameter": arn}
    assert "secrets" not in container


@pytest.mark.parametrize(
    ("fields", "store", "reason"),
    [
        ("imagePullSecrets: [{name: db}]", "secretsmanager", "the secret db has no username and password"),
        (
            "imagePullSecrets: [{name: db}]",
            "ssm",
            "from Secrets Manager alone, so db can't be used with SecretStore",
        ),
        (
            "imagePullSecrets: [{name: no}]",
            "secretsmanager",
            "imagePullSecrets: the secret keptn/no is not found.",
        ),
        (
            "secretFiles: [{name: no, mountPath: /x}]",
            "ssm",
            "secretFiles: the secret keptn/no is not found.",
        ),
        (
            "secretFiles: [{name: db, mountPath: /x}]",
            "secretsmanager",
            "the key 'a/b' of the secret db can't be the name of a file",
        ),
    ],
)
def test_secrets_that_a_container_can_not_have_fail_its_task(
    plane: Plane, world: World, task: str, aws: None, fields: str, store: str, reason: str
) -> None:
    secrets, parameters = boto3.client("secretsmanager"), boto3.client("ssm")
    secrets.create_secret(Name="keptn/db", SecretString=json.dumps({"a/b": "c"}))
    parameters.put_parameter(Name="/keptn/db/username", Value="u", Type="SecureString")
    config = ONE.replace("image: alpine", f"image: alpine\n        {fields}")
    use_job_config(plane, config, secrets=secrets, ssm=parameters, SECRET_PREFIX="keptn/", SECRET_STORE=store)

    begin(plane)

    assert reason in message(world, task)
    assert plane.ecs.tasks == {}


def test_what_does_not_fit_the_overrides_gets_a_definition_of_its_own(plane: Plane, task: str) -> None:
    use_job_config(plane, ONE.replace("Hello, $(WHERE)", "x" * 9000))

    begin(plane)

    (started,) = plane.ecs.running
    (container,) = plane.ecs.definitions[started.request["taskDefinition"]]["containerDefinitions"]
    assert started.request["overrides"] == {"containerOverrides": []}
    assert container["command"] == ["x" * 9000]
    assert {"name": "WHERE", "value": "APAC"} in container["environment"]


def test_a_function_after_a_container_begins_once_even_if_the_worker_dies(
    plane: Plane, world: World, task: str
) -> None:
    functions = use_job_config(plane, THREE)
    begin(plane)
    functions.run = _dies(functions)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        end(plane, "built")
    plane.clock.advance(940)

    begin(plane, times=3)

    assert len(functions.begun) == 1
    assert counts(world, task) == (1, 1)
    assert "The worker was lost while the task ran" in message(world, task)


def _dies(functions: Functions) -> Any:
    def run(*_: Any) -> Outcome:
        functions.begun.append("it")
        raise KeyboardInterrupt

    return run


def test_an_idle_cycle_asks_ecs_nothing(plane: Plane, world: World) -> None:
    use_job_config(plane, ONE)
    plane.cycle()
    assert plane.ecs.described == 0
    for _ in range(3):
        world.trigger("APAC")
    begin(plane)
    plane.cycle()
    assert plane.ecs.described == 1
    assert len(world.keptn.open_events(SAYHELLO)) == 3


def test_what_follows_a_container_knows_the_events_subscription_labels_and_task_count(
    world: World, new_plane: PlaneMaker
) -> None:
    plane = new_plane(integration=Integration("executor", "1", "APAC", "0.1.0"))
    functions = use_job_config(plane, THREE)
    seen: list[Any] = []
    functions.on_run = lambda context: seen.append(context.event.data)
    task = world.trigger("APAC", labels={"build": "7"})
    begin(plane)

    end(plane)
    end(plane)

    (integration,) = world.keptn.uniform.integrations()
    (subscription,) = integration["subscriptions"]
    assert [data["temporaryData"] for data in seen] == [
        {"distributor": {"subscriptionID": subscription["id"]}}
    ]
    assert world.finished(task)["labels"] == {"build": "7"}
    assert [
        event["data"]["message"] for event in world.keptn.received if "status.changed" in event["type"]
    ] == ["Task 1 of 3: Build", "Task 2 of 3: Check", "Task 3 of 3: Ship"]


def test_a_container_that_fails_is_in_the_integrations_error_log(world: World, new_plane: PlaneMaker) -> None:
    plane = new_plane(integration=Integration("executor", "1", "APAC", "0.1.0"))
    use_job_config(plane, ONE)
    task = world.trigger("APAC")
    begin(plane)

    end(plane, exit_code=3)

    (entry,) = world.keptn.uniform.logs(LogQuery())
    assert entry["triggeredid"] == task
    assert entry["message"].startswith("The container ended with exit code 3")
