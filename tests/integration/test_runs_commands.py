"""`./plane` against a deployed plane: what each command prints of runs in each state, and its exit code."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner, Result

import cli.runs.app
import cli.runs.plane
from cli.__main__ import app
from cli.planefile import configuration
from cli.runs import screen
from cli.runs.aws import Aws, Unusable
from cli.runs.forecast import View, next_step
from cli.runs.words import duration, printable
from execution_plane.clock import SystemClock
from execution_plane.keptn.events import Outcome
from execution_plane.keptn.look import Look, Standing
from execution_plane.keptn.transport import Transport
from execution_plane.ledger.runs import Run, State
from execution_plane.ledger.table import Ledger, LedgerUnavailable
from execution_plane.telemetry import invocation, logger
from local.keptn import in_process
from local.keptn.faults import Answer
from local.operating import publish
from local.stack import Stack
from tests.faults.invariants import bring_to_rest
from tests.support.clock import SimulatedClock
from tests.support.container_runs import ONE, begin
from tests.support.container_runs import end as end_container
from tests.support.job_configs import use_job_config
from tests.support.world import SAYHELLO, Plane, World

STACK = "keptn-apac"
ACCOUNT = "123456789012"
GROUPS = {name: f"/aws/lambda/{STACK}/{name.lower()}" for name in ("Poller", "Worker", "Lifecycle")}

CONTAINERS = "/aws/ecs/plane"

Runs = Callable[..., Result]


@pytest.fixture
def world() -> World:
    """As of today: CloudWatch Logs takes no line that is older than two weeks."""
    return World(SimulatedClock(SystemClock().now()))


@pytest.fixture
def outputs(plane: Plane) -> Mapping[str, str]:
    """The stack of the plane's, deployed to moto's AWS; gives its outputs."""
    secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString=plane.world.keptn.token)
    queue = boto3.client("sqs").create_queue(QueueName="failures")["QueueUrl"]
    stack = Stack(
        STACK,
        "eu-west-1",
        ACCOUNT,
        parameters={"KeptnApiUrl": in_process.URL, "MatchValue": "APAC", "MatchProperty": "$.data.x"},
        resources={
            "LedgerTable": "ledger-APAC",
            "ApiTokenSecret": secret["ARN"],
            "FailureQueue": queue,
            "TimerQueue": "timers",
            "PollerFunction": "poller",
            "WorkerFunction": "worker",
            "WorkerRole": "role",
            "Schedule": "schedule",
            **{f"{name}LogGroup": group for name, group in GROUPS.items()},
        },
    )
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for name in ("PollerFunction", "WorkerFunction"):
        definition = stack.function(name)
        boto3.client("lambda").create_function(
            FunctionName=definition.name,
            Runtime="python3.13",
            Role=role,
            Handler=definition.handler,
            Code={"ZipFile": b"nothing"},
            Environment={"Variables": dict(definition.variables)},
        )
    boto3.client("logs").create_log_group(logGroupName=CONTAINERS)
    known = {**stack.outputs(), "ContainerLogGroupName": CONTAINERS}
    publish(Aws(region="eu-west-1").client, STACK, known)
    return known


@pytest.fixture
def runs(
    world: World, plane: Plane, outputs: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runs]:
    """Call a command, on the world's clock, with the world's Keptn and ECS."""
    monkeypatch.setattr(cli.runs.plane, "Transport", partial(Transport, session=world.session))
    monkeypatch.setattr(cli.runs.app, "SystemClock", lambda: world.aws_clock)
    monkeypatch.setattr(invocation, "name", invocation.name)  # which `end` sets for its process
    others = Aws.client
    monkeypatch.setattr(Aws, "client", lambda aws, name: plane.ecs if name == "ecs" else others(aws, name))

    def call(*arguments: str, stack: str = STACK, typed: str = "") -> Result:
        environment = {"COLUMNS": "200", "AWS_DEFAULT_REGION": "eu-west-1"}
        return CliRunner().invoke(app, ["--stack", stack, *arguments], env=environment, input=typed)

    yield call
    logger.setLevel("INFO")


def told(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def claimed(world: World, plane: Plane) -> str:
    task = world.trigger()
    plane.cycle()
    return task


def running(world: World, plane: Plane) -> str:
    task = claimed(world, plane)
    run = plane.run(task)
    plane.ledger.move(run, run.acquired(world.aws_clock.now()))
    return task


def waiting(world: World, plane: Plane) -> str:
    use_job_config(plane, ONE)
    task = world.trigger()
    begin(plane)
    return task


def unreported(world: World, plane: Plane) -> str:
    task = claimed(world, plane)
    world.keptn.faults.add(Answer(429), "/v1/event", "POST", body="finished")
    plane.work_all()
    return task


def repaired(world: World, plane: Plane) -> str:
    """Its finished was lost by Keptn, and sent again."""
    task = claimed(world, plane)
    plane.work_all()
    done = plane.run(task)
    plane.ledger.move(done, done.repairing(world.aws_clock.now()))
    return task


def adopted(world: World, plane: Plane) -> str:
    task = claimed(world, plane)
    plane.work_all()
    world.settle()
    look = Look(Standing.OPEN, starts=1)
    run = Run.adopted(plane.run(task).event, plane.source, world.aws_clock.now(), look)
    plane.ledger._client.delete_item(TableName="ledger-APAC", Key={"event_id": {"S": task}})
    plane.ledger.create(run)
    return task


def cancelled(world: World, plane: Plane) -> str:
    task = running(world, plane)
    world.keptn.control("podtato", world.contexts[task], "abort")
    world.settle()
    world.cycles(8)
    assert plane.run(task).closed_as == "cancelled"
    return task


def acknowledged(world: World, plane: Plane) -> str:
    task = world.trigger()
    world.clock.advance(1)
    bring_to_rest(world)
    return task


STATES: Mapping[str, tuple[Callable[[World, Plane], str], str]] = {
    "claimed": (claimed, "claimed"),
    "running": (running, "running"),
    "waiting for a container": (waiting, "waits for its container"),
    "done and unreported": (unreported, "done, to be reported"),
    "repaired": (repaired, "done, repaired"),
    "adopted": (adopted, "done, to be reported"),
    "cancelled": (cancelled, "cancelled"),
    "closed": (acknowledged, "pass"),
}


@pytest.mark.parametrize(("reach", "says"), STATES.values(), ids=STATES)
def test_each_state_is_told_with_what_happens_next(
    world: World, plane: Plane, runs: Runs, reach: Callable[[World, Plane], str], says: str
) -> None:
    task = reach(world, plane)

    shown = runs("show", task)
    story = told(runs("show", task, "--json"))

    assert shown.exit_code == 0, shown.output
    assert says in shown.stdout
    assert f"http://keptn.test/bridge/project/podtato/sequence/{world.contexts[task]}" in shown.stdout
    assert story["sentence"] in " ".join(shown.stdout.split())
    assert (story["says"], story["event_id"]) == (says, task)
    times = [moment["at"] for moment in story["history"]]
    assert times == sorted(times)
    is_active = plane.run(task).is_active
    assert [each["event_id"] for each in told(runs("list", "--json"))] == ([task] if is_active else [])
    assert [each["event_id"] for each in told(runs("list", "--closed", "--json"))] == (
        [] if is_active else [task]
    )
    assert task[:8] in runs("list", *([] if is_active else ["--closed"])).stdout


@pytest.mark.parametrize("state", STATES)
def test_in_each_state_logs_are_shown_and_only_what_works_is_ended(
    world: World, plane: Plane, runs: Runs, state: str
) -> None:
    reach, says = STATES[state]
    task = reach(world, plane)
    before = plane.run(task)
    works = before.state in {State.CLAIMED, State.RUNNING, State.WAITING}

    logged = runs("logs", task)
    ended = runs("end", task, "--reason", "it hangs", "--yes")

    assert (logged.exit_code, logged.stdout) == (
        0,
        "The logs have no line about it: they come seconds late, and go after LogRetentionDays.\n",
    )
    assert ended.exit_code == (0 if works else 1), ended.output
    assert (plane.run(task) == before) is not works
    if works:
        assert told(runs("show", task, "--json"))["result"] == "errored"
    else:
        assert "the run is closed" in ended.stderr or "its outcome is known" in ended.stderr
        assert says in runs("show", task).stdout


def test_the_story_has_what_keptn_was_told_beside_what_the_ledger_remembers(
    world: World, plane: Plane, runs: Runs
) -> None:
    task = acknowledged(world, plane)

    story = told(runs("show", task, "--json"))

    told_by = [(moment["who"], moment["what"]) for moment in story["history"]]
    assert told_by[0] == ("Keptn", "sayhello triggered")
    assert ("ledger", "claimed") in told_by
    assert ("Keptn", "started received") in told_by
    assert ("Keptn", "finished received") in told_by
    assert told_by[-1] == ("ledger", "closed")
    assert (story["keptn"]["is_open"], story["keptn"]["sequence"]) == (False, "finished")


@pytest.mark.parametrize("length", [8, 36])
def test_a_run_is_found_by_its_context_and_by_how_an_id_begins(
    world: World, plane: Plane, runs: Runs, length: int
) -> None:
    task = acknowledged(world, plane)

    for given in (task[:length], world.contexts[task][:length]):
        assert told(runs("show", given, "--json"))["event_id"] == task


def test_a_run_that_was_closed_weeks_ago_is_found(world: World, plane: Plane, runs: Runs) -> None:
    task = acknowledged(world, plane)
    world.clock.advance(20 * 86_400)

    assert told(runs("show", task[:8], "--json"))["event_id"] == task
    assert told(runs("list", "--closed", "--since", "30d", "--json")) != []
    assert told(runs("list", "--closed", "--json")) == []


def test_an_id_that_may_be_several_runs_is_refused_with_their_ids(
    world: World, plane: Plane, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [claimed(world, plane) for _ in range(2)]
    event = plane.run(tasks[0]).event
    both = plane.ledger.active()
    monkeypatch.setattr(
        Ledger,
        "active",
        lambda _: [Run.claimed(event, "s", run.claimed_at, 0) for run in both],
    )

    result = runs("show", event.context)

    assert result.exit_code == 1
    assert "may be any of 2 runs" in result.stderr


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["show", "abc"], 1, "too short"),
        (["show", "not-there"], 1, "this plane has no run of not-there"),
        (["logs", "not-there"], 1, "this plane has no run of not-there"),
        (["end", "not-there", "--reason", "x"], 1, "this plane has no run of not-there"),
        (
            ["list", "--closed", "--since", "yesterday"],
            2,
            "'yesterday' is no duration: write 30m, 24h or 7d.",
        ),
        (["show", ""], 1, "too short"),
        (["end", "x"], 2, "--reason"),
        (["end", "some-run", "--reason", " "], 2, "--reason is empty"),
        (["list", "--failed"], 2, "give --closed too"),
        (["list", "--since", "7d"], 2, "give --closed too"),
        (["list", "--follow", "--json"], 2, "leave out --json"),
        (["--ca-bundle", "/nowhere/ca.pem", "doctor"], 2, "does not exist"),
        (["--stack", "", "list"], 2, "--stack is empty"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_what_can_not_be_done_is_one_sentence_and_an_exit_code(
    runs: Runs, given: list[str], code: int, words: str
) -> None:
    result = runs(*given)

    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_stack_that_is_not_there_is_said(runs: Runs) -> None:
    result = runs("list", stack="nowhere")

    assert result.exit_code == 2
    assert result.stderr == "plane: there is no stack nowhere in eu-west-1: give --stack and --region.\n"


def test_only_what_failed_is_listed_if_that_is_asked_for(world: World, plane: Plane, runs: Runs) -> None:
    acknowledged(world, plane)
    plane.tasks.does = lambda _: Outcome.errored("it broke")
    failed = acknowledged(world, plane)

    assert [each["event_id"] for each in told(runs("list", "--closed", "--failed", "--json"))] == [failed]
    assert "it broke" in runs("list", "--closed", "--failed").stdout


def test_keptn_that_does_not_answer_spoils_nothing_else(world: World, plane: Plane, runs: Runs) -> None:
    task = claimed(world, plane)
    world.keptn.faults.add(Answer(503), "/controlPlane")

    shown = runs("show", task)

    assert shown.exit_code == 0
    assert "Keptn was not asked, or did not answer: GET /controlPlane" in shown.stdout
    assert "a worker was invoked once" in shown.stdout


def test_a_run_from_before_the_upgrade_is_shown_as_far_as_it_goes(
    world: World, plane: Plane, runs: Runs
) -> None:
    task = acknowledged(world, plane)
    client, key = plane.ledger._client, {"event_id": {"S": task}}
    item = client.get_item(TableName="ledger-APAC", Key=key)["Item"]
    old = {name: value for name, value in item.items() if name not in {"short", "closed_on"}}
    old = {name: value for name, value in old.items() if not name.startswith("h0")}
    client.put_item(TableName="ledger-APAC", Item=old)

    story = told(runs("show", task, "--json"))

    of_the_ledger = [each["what"] for each in story["history"] if each["who"] == "ledger"]
    assert of_the_ledger == ["claimed", "started is sent", "finished was sent", "closed"]
    assert story["says"] == "pass"


def test_what_a_container_wrote_is_in_the_story_and_in_the_logs(
    world: World, plane: Plane, runs: Runs
) -> None:
    task = waiting(world, plane)
    arn = plane.ecs.running[0].arn
    end_container(plane, "Hello", exit_code=3)
    write(CONTAINERS, f"keptn/task/{arn.rpartition('/')[2]}", world.clock.now(), "Hello from inside")
    bring_to_rest(world)

    story = told(runs("show", task, "--json"))
    lines = told(runs("logs", task, "--json"))

    assert [line["text"] for line in story["log"]] == ["Hello from inside"]
    assert [(line["who"], line["text"]) for line in lines] == [("container", "Hello from inside")]
    details = {each["what"]: each["detail"] for each in story["history"]}
    assert details["its service has the step"] == arn
    assert details["taken up by a worker"].startswith("exit code 3")
    assert "Hello from inside" in runs("show", task).stdout


def test_the_lines_of_all_functions_about_a_run_are_merged_by_time(
    world: World, plane: Plane, runs: Runs
) -> None:
    task = acknowledged(world, plane)
    began = plane.run(task).claimed_at

    def line(message: str, **more: str) -> str:
        return json.dumps({"level": "INFO", "message": message, "event_id": task, **more})

    write(
        GROUPS["Poller"],
        "a",
        began + 3,
        line("run closed", closed_as="acknowledged"),
        line("x", event_id="other"),
    )
    write(GROUPS["Worker"], "b", began + 1, line("run done", result="pass"), f"REPORT of {task}", "of nobody")
    write(GROUPS["Worker"], "c", began - 3600, line("long before"))

    lines = told(runs("logs", task, "--json"))

    assert [(each["who"], each["text"]) for each in lines] == [
        ("worker", "run done  result=pass"),
        ("worker", f"REPORT of {task}"),
        ("poller", "run closed  closed_as=acknowledged"),
    ]
    assert "run done  result=pass" in runs("logs", task).stdout


def test_lines_are_followed_until_the_run_is_closed_and_no_more_come(
    world: World, plane: Plane, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = running(world, plane)
    began = plane.run(task).claimed_at
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        assert len(looks) < 10
        if len(looks) == 1:
            write(GROUPS["Worker"], "a", began + 1, json.dumps({"message": "first", "event_id": task}))
        if len(looks) == 2:
            write(GROUPS["Worker"], "b", began + 0.5, json.dumps({"message": "late", "event_id": task}))
            world.keptn.control("podtato", world.contexts[task], "abort")
            world.settle()
            world.cycles(8)

    monkeypatch.setattr(world.aws_clock, "sleep", sleep)

    shown = runs("logs", task, "--follow")

    assert shown.exit_code == 0, shown.output
    assert [line.split()[-1] for line in shown.stdout.splitlines()] == ["first", "late"]
    assert runs("logs", task, "--follow", "--json").exit_code == 2


def write(group: str, stream: str, at: float, *lines: str) -> None:
    logs = boto3.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events: list[Any] = [{"timestamp": int(at * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_a_run_is_ended_once_that_is_confirmed(world: World, plane: Plane, runs: Runs) -> None:
    task = claimed(world, plane)

    refused = runs("end", task, "--reason", "it hangs", typed="n\n")
    assert refused.exit_code == 1
    assert plane.run(task).state is State.CLAIMED

    ended = runs("end", task, "--reason", "it hangs", typed="y\n")

    assert ended.exit_code == 0
    assert "Ended. The next poll sends Keptn its finished, errored." in ended.stdout
    bring_to_rest(world)
    assert world.finished(task)["message"] == "An operator ended the task: it hangs"
    record = plane.ledger.record(task)
    assert record
    (by,) = [entry.by for entry in record.history if entry.what == "ended by an operator"]
    assert by.startswith("operator/")


def test_what_is_closed_is_not_ended(world: World, plane: Plane, runs: Runs) -> None:
    task = acknowledged(world, plane)

    result = runs("end", task, "--reason", "x", "--yes")

    assert result.exit_code == 1
    assert result.stderr == "plane: the run is closed: Keptn no longer lists its task.\n"


def test_drain_and_resume_do_what_the_parameter_does(world: World, plane: Plane, runs: Runs) -> None:
    def drains() -> str:
        found = boto3.client("lambda").get_function_configuration(FunctionName="poller")
        assert found["Environment"]["Variables"]["KEPTN_API_URL"] == in_process.URL
        return str(found["Environment"]["Variables"]["DRAIN"])

    claimed(world, plane)
    first, again = runs("drain"), runs("drain")

    assert drains() == "true"
    assert "drains from its next tick on; 1 run is active" in first.stdout
    assert "drains already" in again.stdout

    assert "takes new tasks from its next tick on" in runs("resume").stdout
    assert "does not drain" in runs("resume").stdout
    assert drains() == "false"


def test_a_disabled_schedule_is_said_wherever_somebody_would_wait_for_it(
    world: World, plane: Plane, runs: Runs, outputs: Mapping[str, str]
) -> None:
    task = claimed(world, plane)
    client = boto3.client("scheduler")
    found = client.get_schedule(Name="schedule")
    client.update_schedule(
        Name="schedule",
        State="DISABLED",
        ScheduleExpression=found["ScheduleExpression"],
        FlexibleTimeWindow=found["FlexibleTimeWindow"],
        Target=found["Target"],
    )

    assert "The schedule is disabled" in runs("show", task).stdout
    assert "The schedule is disabled" in runs("end", task, "--reason", "x", "--yes").stdout
    assert "disabled: nothing is polled" in runs("doctor").stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_screen_of_any_width_no_word_of_a_list_is_cut(world: World, plane: Plane, columns: int) -> None:
    plane.tasks.does = lambda _: Outcome.errored("the load test of the checkout came to nothing")
    closed = plane.run(acknowledged(world, plane))
    active = plane.run(claimed(world, plane))
    view = View()
    step = next_step(active, view, world.aws_clock.now())
    console = Console(width=columns, file=io.StringIO(), force_terminal=True, color_system=None)

    console.print(screen.active_table([(active, step, view)], world.aws_clock.now()))
    console.print(screen.closed_table([closed], world.aws_clock.now()))

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= columns
    words = " ".join(lines).split()
    for each in ("podtato", "sayhello", "claimed", "worker", "errored", "checkout", "nothing"):
        assert each in words


@pytest.mark.parametrize(
    ("option", "value"),
    [("--project", "podtato"), ("--stage", "dev"), ("--service", "head"), ("--task", "sayhello")],
)
def test_a_list_has_only_those_that_are_asked_for(
    world: World, plane: Plane, runs: Runs, option: str, value: str
) -> None:
    closed, active = acknowledged(world, plane), claimed(world, plane)

    for lists, task in (("--closed", closed), ("--json", active)):
        assert task[:8] in runs("list", lists, option, value).stdout
        assert task[:8] not in runs("list", lists, option, "other").stdout


def test_what_a_program_reads_is_not_wrapped(world: World, plane: Plane, runs: Runs) -> None:
    plane.tasks.does = lambda _: Outcome("pass", "succeeded", "so " * 50 + "it ends")
    task = acknowledged(world, plane)

    (row,) = [line for line in runs("list", "--closed").stdout.splitlines() if line.startswith(task[:8])]
    assert row.endswith("so it ends")


def test_ctrl_c_is_no_success_while_a_command_is_under_way(
    world: World, plane: Plane, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = claimed(world, plane)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.runs.ending.end", interrupt)

    assert runs("end", task, "--reason", "it hangs", "--yes").exit_code == 130


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "; docs/operations.md lists what each command needs"),
        ("ExpiredTokenException", "; log in to AWS again"),
    ],
)
def test_a_ledger_that_the_user_may_not_read_is_said_with_what_to_do(
    world: World, plane: Plane, runs: Runs, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    def refuse(_: Ledger) -> None:
        refusal = ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")
        raise LedgerUnavailable(f"DynamoDB: {refusal}") from refusal

    monkeypatch.setattr(Ledger, "active", refuse)

    result = runs("list")

    assert result.exit_code == 2
    assert result.stderr.endswith(f"{words}\n")


def test_a_list_is_kept_up_to_date_until_ctrl_c(
    world: World, plane: Plane, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt
        claimed(world, plane)

    monkeypatch.setattr(world.aws_clock, "sleep", sleep)

    result = runs("list", "--follow")

    assert result.exit_code == 0
    assert plane.ledger.active()[-1].event.id[:8] in result.stdout


def test_of_a_long_message_the_beginning_and_the_end_are_shown(
    world: World, plane: Plane, runs: Runs
) -> None:
    text = "\n".join(["It failed:", *(f"line {number}" for number in range(100))])
    plane.tasks.does = lambda _: Outcome.errored(text)
    task = acknowledged(world, plane)

    shown = runs("show", task).stdout

    assert "It failed:" in shown
    assert "… 81 lines, which `--json` has …" in shown
    assert "line 99" in shown
    assert "line 50" not in shown
    assert told(runs("show", task, "--json"))["outcome"]["message"] == text


@pytest.mark.parametrize(
    ("profile", "region", "words"),
    [("nobody", "eu-west-1", "nobody"), (None, None, "no AWS region is known: give --region")],
)
def test_what_is_wrong_with_the_aws_configuration_is_one_sentence(
    profile: str | None, region: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Unusable, match=words):
        Aws(profile, region)


def test_without_a_stack_it_is_the_folders_only_one(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = CliRunner().invoke(app, ["list"])
    assert nothing.exit_code == 2
    assert "no plane is named, and this folder has no plane's file: give --stack." in nothing.output

    (tmp_path / "samconfig-apac.toml").write_text(configuration(STACK, "eu-west-1", {}))
    assert CliRunner().invoke(app, ["list"]).output == "No run is active.\n"
    assert "no stack elsewhere" in CliRunner().invoke(app, ["list", "--stack", "elsewhere"]).output

    (tmp_path / "samconfig-eu.toml").write_text(configuration("keptn-eu", "eu-west-1", {}))
    several = CliRunner().invoke(app, ["list"])
    assert several.exit_code == 2
    assert "2 planes' files (samconfig-apac.toml, samconfig-eu.toml): say which by --stack." in several.output


def test_a_sequence_is_triggered_at_the_planes_own_keptn_with_its_login(
    world: World, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEPTN_API_TOKEN", raising=False)
    where = ["--project", "podtato", "--stage", "dev", "--service", "head", "--sequence", "sequence1"]

    shown = runs("trigger", *where)

    assert shown.exit_code == 0, shown.output
    world.settle()
    (event,) = world.keptn.open_events(SAYHELLO)
    assert f"Keptn context {event['shkeptncontext']}" in shown.output


def test_help_says_what_there_is(runs: Runs) -> None:
    shown = runs("--help").stdout

    for command in (
        "deploy",
        "trigger",
        "follow",
        "list",
        "show",
        "logs",
        "end",
        "drain",
        "resume",
        "doctor",
        "lint",
        "demo",
    ):
        assert command in shown


def test_what_anybody_wrote_does_not_steer_the_terminal(world: World, plane: Plane, runs: Runs) -> None:
    plane.tasks.does = lambda _: Outcome("pass", "succeeded", "\033[2J[red]gone[/red]")
    task = acknowledged(world, plane)

    shown = runs("show", task).stdout

    assert "\033[2J" not in shown
    assert "[red]gone[/red]" in shown
    assert printable("a\033b\n") == "a�b\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (185, "3 min 5 s"), (7200, "2 h"), (100_000, "1 d 3 h"), (-3, "0 s")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("ahead", [420.0, -420.0])
def test_a_story_is_told_by_one_clock_where_keptns_differs(
    world: World, plane: Plane, runs: Runs, ahead: float
) -> None:
    world.aws_clock.skew = ahead
    task = acknowledged(world, plane)

    shown = runs("show", task)

    who = [each["who"] for each in told(runs("show", task, "--json"))["history"]]
    assert who[0] == "Keptn"
    assert who[-1] != "Keptn"
    compared = "7 min behind" if ahead > 0 else "7 min ahead of"
    assert f"Its clock is {compared} this machine's, and its times are put right." in shown.stdout
