"""A task's life in the local ECS, as a client of it sees it; the containers are processes of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.ecs.host_engine import HostEngine
from tests.unit.local_ecs.harness import CLUSTER, NETWORK, Harness, client, harness, shell


@pytest.fixture
def ecs(aws: None) -> Iterator[Harness]:
    with harness(HostEngine()) as running:
        yield running


def test_a_task_runs_to_its_end_and_its_log_is_kept(ecs: Harness) -> None:
    task = ecs.run(
        ecs.register({"name": "main", "image": "alpine", "entryPoint": ["echo"], "command": ["hi"]})
    )

    assert (task["lastStatus"], task["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    end = ecs.end()
    assert (end["lastStatus"], end["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert end["stoppedReason"] == "Essential container in task exited"
    assert [container["exitCode"] for container in end["containers"]] == [0]
    assert ecs.logs("main", task["taskArn"]) == ["hi"]


def test_the_end_is_told_as_eventbridge_tells_it(ecs: Harness) -> None:
    task = ecs.run(
        ecs.register(shell("main", "exit 3")), startedBy="run-1", tags=[{"key": "a", "value": "b"}]
    )

    event = ecs.event()

    assert (event["source"], event["detail-type"]) == ("aws.ecs", "ECS Task State Change")
    assert event["resources"] == [task["taskArn"]]
    detail = event["detail"]
    assert detail["clusterArn"].endswith(f":cluster/{CLUSTER}")
    assert (detail["startedBy"], detail["containers"][0]["exitCode"]) == ("run-1", 3)
    assert detail["stoppedAt"].endswith("Z")
    assert json.loads(json.dumps(event)) == event


def test_while_it_runs_it_is_running(ecs: Harness) -> None:
    task = ecs.run(ecs.register(shell("main", "while :; do sleep 0.1; done")), startedBy="us")
    arn = task["taskArn"]

    while ecs.shown(arn)["lastStatus"] != "RUNNING":
        pass

    assert ecs.client.list_tasks(cluster=CLUSTER, startedBy="us")["taskArns"] == [arn]
    assert ecs.client.list_tasks(cluster=CLUSTER, startedBy="others")["taskArns"] == []
    ecs.client.stop_task(cluster=CLUSTER, task=arn, reason="The run was cancelled.")
    end = ecs.end()
    assert (end["stopCode"], end["stoppedReason"]) == ("UserInitiated", "The run was cancelled.")
    assert end["containers"][0]["exitCode"] == 143
    assert ecs.client.list_tasks(cluster=CLUSTER)["taskArns"] == []
    assert ecs.client.list_tasks(cluster=CLUSTER, desiredStatus="STOPPED")["taskArns"] == [arn]


def test_what_ignores_the_request_to_stop_is_killed(ecs: Harness) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    arn = ecs.run(ecs.register(shell("main", script, stopTimeout=1)))["taskArn"]
    while ecs.shown(arn)["lastStatus"] != "RUNNING" or not ecs.logs("main", arn):
        pass

    ecs.client.stop_task(cluster=CLUSTER, task=arn)

    assert ecs.end()["containers"][0]["exitCode"] == 137


def test_the_same_token_starts_one_task(ecs: Harness) -> None:
    definition = ecs.register(shell("main", "true"))

    first, second = (ecs.run(definition, clientToken="token") for _ in range(2))

    assert first["taskArn"] == second["taskArn"]
    with pytest.raises(ecs.client.exceptions.ConflictException):
        ecs.run(definition, clientToken="token", startedBy="somebody else")


def test_overrides_replace_the_command_and_add_to_the_environment(ecs: Harness) -> None:
    definition = ecs.register(shell("main", "false", environment=[{"name": "A", "value": "a"}]))
    override = {"name": "main", "command": ["echo $A $B"], "environment": [{"name": "B", "value": "b"}]}

    arn = ecs.run(definition, overrides={"containerOverrides": [override]})["taskArn"]

    assert ecs.end()["containers"][0]["exitCode"] == 0
    assert ecs.logs("main", arn) == ["a b"]


def test_overrides_that_ecs_would_not_take_are_refused(ecs: Harness) -> None:
    override = {"name": "main", "command": ["x" * 8192]}

    with pytest.raises(ecs.client.exceptions.InvalidParameterException, match="8192"):
        ecs.run(ecs.register(shell("main", "true")), overrides={"containerOverrides": [override]})


def test_an_init_container_fills_the_volume_that_the_other_reads(ecs: Harness) -> None:
    mounts = [{"sourceVolume": "keptn", "containerPath": "/keptn"}]
    init = shell("init", "echo hello > /keptn/greeting", essential=False, mountPoints=mounts)
    after = [{"containerName": "init", "condition": "SUCCESS"}]
    main = shell("main", "cat /keptn/greeting", mountPoints=mounts, dependsOn=after)

    arn = ecs.run(ecs.register(main, init, volumes=[{"name": "keptn"}]))["taskArn"]

    assert {each["name"]: each["exitCode"] for each in ecs.end()["containers"]} == {"main": 0, "init": 0}
    assert ecs.logs("main", arn) == ["hello"]


def test_a_failed_init_container_starts_nothing_else(ecs: Harness) -> None:
    init = shell("init", "echo no such archive; exit 4", essential=False)
    main = shell("main", "echo never", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}])

    arn = ecs.run(ecs.register(init, main))["taskArn"]

    end = ecs.end()
    assert (end["stopCode"], end["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    assert [each.get("exitCode") for each in end["containers"]] == [4, None]
    assert ecs.logs("init", arn) == ["no such archive"]
    assert ecs.logs("main", arn) == []


def test_what_cannot_be_started_fails_at_once_with_a_reason(ecs: Harness) -> None:
    ecs.run(ecs.register({"name": "main", "image": "alpine", "entryPoint": ["/no/such/program"]}))

    end = ecs.end()

    assert end["stopCode"] == "TaskFailedToStart"
    assert end["stoppedReason"].startswith("CannotStartContainerError: ")
    assert end["containers"][0]["reason"] == end["stoppedReason"]
    assert "exitCode" not in end["containers"][0]


def test_without_a_log_group_a_task_does_not_start(ecs: Harness) -> None:
    definition = ecs.register(shell("main", "true"))
    client("logs").delete_log_group(logGroupName="containers")

    ecs.run(definition)

    assert "ResourceNotFoundException" in ecs.end()["stoppedReason"]


def test_secrets_become_variables(ecs: Harness) -> None:
    arn = client("secretsmanager").create_secret(Name="s", SecretString='{"USER": "u", "PASSWORD": "p"}')[
        "ARN"
    ]
    client("ssm").put_parameter(Name="/keptn/s/KEY", Value="k", Type="SecureString")
    parameter = client("ssm").get_parameter(Name="/keptn/s/KEY")["Parameter"]["ARN"]
    secrets = [{"name": "P", "valueFrom": f"{arn}:PASSWORD::"}, {"name": "K", "valueFrom": parameter}]

    task = ecs.run(ecs.register(shell("main", "echo $P $K", secrets=secrets)))

    assert ecs.end()["containers"][0]["exitCode"] == 0
    assert ecs.logs("main", task["taskArn"]) == ["p k"]


def test_a_secret_that_is_not_there_keeps_the_task_from_starting(ecs: Harness) -> None:
    arn = client("secretsmanager").create_secret(Name="s", SecretString='{"USER": "u"}')["ARN"]

    ecs.run(ecs.register(shell("main", "true", secrets=[{"name": "P", "valueFrom": f"{arn}:PASSWORD::"}])))

    assert ecs.end()["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets")


def test_a_long_log_of_any_bytes_is_kept_line_by_line(ecs: Harness, tmp_path: Path) -> None:
    long_line = b"x" * 300_000
    (tmp_path / "output").write_bytes(b"first\n\xff\xfe\n" + long_line + b"\n" + b"y\n" * 20_000 + b"last")

    ecs.run(
        ecs.register({"name": "main", "image": "i", "entryPoint": ["cat"], "command": [f"{tmp_path}/output"]})
    )

    arn = ecs.end()["taskArn"]
    stream = f"keptn/main/{arn.rpartition('/')[2]}"
    pages = (
        client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName="containers", logStreamNames=[stream])
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    assert lines[:2] == ["first", "\ufffd\ufffd"]
    assert "".join(lines[2:6]) == long_line.decode()
    assert lines[-1] == "last"
    assert lines.count("y") == 20_000


def test_ecs_may_have_no_capacity(ecs: Harness) -> None:
    ecs.ecs.refuse_next("RESOURCE:FARGATE")

    answer = ecs.client.run_task(
        cluster=CLUSTER, taskDefinition=ecs.register(shell("main", "true")), networkConfiguration=NETWORK
    )

    assert (answer["tasks"], answer["failures"]) == ([], [{"reason": "RESOURCE:FARGATE"}])


def test_a_task_that_is_not_there_is_missing(ecs: Harness) -> None:
    answer = ecs.client.describe_tasks(cluster=CLUSTER, tasks=["nobody"])

    assert answer["failures"] == [{"arn": "nobody", "reason": "MISSING"}]


def test_another_cluster_is_not_found(ecs: Harness) -> None:
    with pytest.raises(ecs.client.exceptions.ClusterNotFoundException):
        ecs.client.list_tasks(cluster="another")


def test_nothing_of_a_task_is_left_behind(ecs: Harness, tmp_path: Path) -> None:
    note = tmp_path / "home"
    ecs.run(ecs.register(shell("main", f"sleep 1000 & pwd > {note}")))
    ecs.end()

    assert not Path(note.read_text().strip()).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cpu": "256", "memory": "4096"}, "No Fargate configuration"),
        ({"cpu": "300", "memory": "512"}, "No Fargate configuration"),
        ({"family": "no spaces"}, "Family"),
        ({"networkMode": "bridge"}, "awsvpc"),
        ({"executionRoleArn": ""}, "execution role"),
    ],
)
def test_a_definition_that_fargate_does_not_take_is_refused(
    ecs: Harness, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ecs.client.exceptions.ClientException, match=message):
        ecs.register(shell("main", "true"), **changes)


def test_definitions_are_found_again_by_family(ecs: Harness) -> None:
    first, second = (ecs.register(shell("main", "true"), tags=[{"key": "k", "value": "v"}]) for _ in range(2))

    assert ecs.client.list_task_definitions(familyPrefix="keptn")["taskDefinitionArns"] == [first, second]
    newest = ecs.client.list_task_definitions(familyPrefix="keptn", sort="DESC", maxResults=1)
    assert newest["taskDefinitionArns"] == [second]
    found = ecs.client.describe_task_definition(taskDefinition="keptn", include=["TAGS"])
    assert found["taskDefinition"]["taskDefinitionArn"] == second
    assert found["tags"] == [{"key": "k", "value": "v"}]
    with pytest.raises(ecs.client.exceptions.ClientException, match="Unable to describe"):
        ecs.client.describe_task_definition(taskDefinition="keptn:3")
