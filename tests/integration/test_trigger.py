import io
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.ending import FAILED, NO_RESULT, PASSED
from cli.keptn import bridge_link
from cli.trigger import main
from execution_plane.clock import SystemClock
from execution_plane.keptn.events import Outcome
from local.keptn import in_process
from local.keptn.control_plane import Keptn
from local.keptn.faults import Answer, LoseEvent
from tests.support.login import Login, serving
from tests.support.world import SAYHELLO, SHIPYARD, Plane, World

SEQUENCE = ["--project", "podtato", "--stage", "dev", "--service", "head", "--sequence", "sequence1"]
APAC = ["--data", '{"sayhello": {"location": "APAC"}}']


def trigger(world: World, *arguments: str) -> tuple[int, str]:
    """The exit code and what was shown."""
    shown = io.StringIO()
    code = main(
        ["trigger", "--url", in_process.URL, *SEQUENCE, *arguments],
        clock=world.clock,
        out=shown,
        session=in_process.session(world.keptn),
    )
    return code, shown.getvalue()


def follow(world: World, *arguments: str) -> tuple[int, str]:
    """The same for what a command says is to be typed."""
    shown = io.StringIO()
    code = main(arguments, clock=world.clock, out=shown, session=in_process.session(world.keptn))
    return code, shown.getvalue()


@pytest.fixture(autouse=True)
def _token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPTN_API_TOKEN", world.keptn.token)


@contextmanager
def at_work(world: World, plane: Plane) -> Iterator[None]:
    """The plane cycles whenever time passes."""

    def work() -> None:
        world.clock.on_advance[:] = [world.keptn.settle]
        world.keptn.settle()
        plane.cycle()
        plane.work_all()
        world.keptn.settle()
        world.clock.on_advance[:] = [work]

    world.clock.on_advance[:] = [work]
    yield
    world.clock.on_advance[:] = [world.keptn.settle]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome("pass", "succeeded", "Hello, world from APAC!"), PASSED),
        (Outcome("warning", "succeeded", "so-so"), PASSED),
        (Outcome("fail", "succeeded", "no"), FAILED),
        (Outcome.errored("broken"), FAILED),
    ],
)
def test_the_exit_code_is_the_sequences_result(
    world: World, plane: Plane, outcome: Outcome, code: int
) -> None:
    plane.tasks.does = lambda _: outcome

    with at_work(world, plane):
        exit_code, shown = trigger(world, *APAC, "--follow")

    assert exit_code == code
    assert outcome.message in shown
    assert shown.splitlines()[-1] == f"The sequence is finished: {outcome.result}."


def test_every_event_is_shown_once_and_in_order(world: World, plane: Plane) -> None:
    with at_work(world, plane):
        _, shown = trigger(world, *APAC, "--follow")

    kinds = [line.split()[3:] for line in shown.splitlines()[2:-1]]
    assert kinds == [
        ["dev.sequence1", "triggered"],
        ["sayhello", "triggered"],
        ["sayhello", "started"],
        ["sayhello", "pass", "done"],
        ["dev.sequence1", "pass"],
    ]


@pytest.mark.parametrize("end", ["abort", "time out"])
def test_a_sequence_that_is_aborted_or_timed_out_has_failed(world: World, end: str) -> None:
    def abort() -> None:
        world.keptn.settle()
        for event in world.keptn.open_events(SAYHELLO):
            world.keptn.control("podtato", event["shkeptncontext"], "abort")

    if end == "abort":
        world.clock.on_advance[:] = [abort]

    code, shown = trigger(world, "--follow")

    assert code == FAILED
    assert "aborted" in shown or "timedOut" in shown


def test_without_follow_it_ends_when_keptn_has_the_event(world: World) -> None:
    code, shown = trigger(world, "--label", "build=7", "--label", "who=me=you", *APAC)
    world.settle()

    (event,) = world.keptn.open_events(SAYHELLO)
    assert code == PASSED
    assert event["shkeptncontext"] in shown
    assert event["data"]["labels"] == {"build": "7", "who": "me=you"}
    assert event["data"]["sayhello"] == {"location": "APAC"}


def test_data_and_token_may_be_in_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEPTN_API_TOKEN")
    (tmp_path / "token").write_text(f"{world.keptn.token}\n")
    (tmp_path / "data.json").write_text(json.dumps({"sayhello": {"location": "EU"}}))

    code, _ = trigger(world, "--token-file", f"{tmp_path}/token", "--data", f"@{tmp_path}/data.json")
    world.settle()

    assert code == PASSED
    assert world.keptn.open_events(SAYHELLO)[0]["data"]["sayhello"] == {"location": "EU"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--data", "{"], "--data is no JSON"),
        (["--data", "[]"], "--data is no JSON object"),
        (["--data", "@/missing.json"], "--data /missing.json can't be read"),
        (["--label", "x"], "is no KEY=VALUE"),
        (["--token-file", "/missing"], "--token-file /missing can't be read"),
        (["--token-env", "MISSING"], "there is no API token in the environment variable MISSING"),
        (["--token", ""], "there is no API token in --token"),
        (
            ["--token", "x", "--token-env", "Y"],
            "give one of --token-env, --token-file, ",
        ),
        (["--token", "a\nb"], "no header can have; check --token\n"),
        (["--token", "wrong"], "401 incorrect api key auth; check --token\n"),
        (["--ca-bundle", "/missing.pem"], "--ca-bundle /missing.pem: the file can't be read (No such file"),
        (["--ca-bundle", __file__], "the file holds no certificates in PEM form"),
        (
            ["--url", "https://user:secret@keptn.test/api"],
            "--url is 'https://***@keptn.test/api': it must be a",
        ),
        (["--url", "keptn.test/api"], "--url is 'keptn.test/api': it must begin with https:// (or http://)"),
        (["--url", "https:///api"], "it names no host"),
        (
            ["--url", "https://me:hidden@keptn.test/api"],
            "--url is 'https://***@keptn.test/api'",
        ),
        (["--data", "[" * 100_000], "--data is no JSON"),
        (["--oauth-file", "/missing"], "--oauth-file /missing can't be read"),
        (["--oauth-file", __file__], "is no JSON object: expected"),
    ],
)
def test_what_cannot_work_is_named_in_one_line(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    code, shown = trigger(world, *arguments)

    error = capsys.readouterr().err
    assert (code, shown) == (NO_RESULT, "")
    assert problem in error
    assert error.count("\n") == 1
    assert "a\nb" not in error
    assert "hidden" not in error


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "there is no API token in --token-file"),
        (b"\xef\xbb\xbf\n", "there is no API token in --token-file"),
        ("token".encode("utf-16"), "is no text in UTF-8"),
    ],
)
def test_a_token_file_without_a_token_is_no_result(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, problem: str
) -> None:
    (tmp_path / "token").write_bytes(content)

    code, _ = trigger(world, "--token-file", f"{tmp_path}/token")

    assert code == NO_RESULT
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_a_token(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf" + f"{world.keptn.token}\r\n".encode())
    (tmp_path / "data").write_bytes(b"\xef\xbb\xbf{}")

    code, _ = trigger(world, "--token-file", f"{tmp_path}/token", "--data", f"@{tmp_path}/data")

    assert code == PASSED


def test_a_fault_of_the_commands_own_is_no_result_either(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.trigger.Follower", None)

    code, _ = trigger(world, "--follow")

    assert code == NO_RESULT
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("trigger: this is a fault of the command's own (TypeError); please report it.\n")


def test_nobody_who_reads_on_is_no_result(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    code = main(
        ["trigger", "--url", in_process.URL, *SEQUENCE],
        clock=world.clock,
        out=Closed(),
        session=in_process.session(world.keptn),
    )

    assert code == NO_RESULT
    assert capsys.readouterr().err == "trigger: nobody reads what is printed.\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(["--stage", "nope"], "nope"), (["--sequence", "nope"], "nope")],
)
def test_a_stage_or_sequence_that_is_not_there_has_failed_with_keptns_own_message(
    world: World, wrong: list[str], said: str
) -> None:
    code, shown = trigger(world, *wrong, "--follow")

    assert code == FAILED
    *_, reason, end = shown.splitlines()
    assert said in reason
    assert end.endswith(": fail.")


def test_a_sequence_is_not_followed_for_longer_than_is_asked(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    began = world.clock.now()

    code, _ = trigger(world, "--follow", "--timeout", "30")

    assert code == NO_RESULT
    assert world.clock.now() - began < 40
    context = world.keptn.open_events(SAYHELLO)[0]["shkeptncontext"]
    assert capsys.readouterr().err == (
        f"trigger: the sequence is started after 30 s. The sequence goes on; to follow it again: "
        f"./plane follow {context} --url {in_process.URL} --project podtato\n"
    )


def test_a_sequence_that_waits_for_its_task_is_not_taken_for_over(world: World, plane: Plane) -> None:
    waiting = iter(range(100))
    cycle = plane.cycle
    plane.cycle = lambda *_: cycle() if next(waiting) > 60 else None  # type: ignore[method-assign, assignment]

    with at_work(world, plane):
        code, _ = trigger(world, *APAC, "--follow")

    assert code == PASSED


def test_a_missing_argument_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trigger", "--url", "http://keptn.test/api"]) == NO_RESULT
    assert "--project" in capsys.readouterr().err


def test_a_sequence_that_keptn_never_begins_is_not_waited_for_for_ever(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.keptn.faults.add(LoseEvent(), "/v1/event", "POST")

    code, _ = trigger(world, "--follow")

    assert code == NO_RESULT
    assert "is there such a project" in capsys.readouterr().err


def test_a_keptn_that_is_away_for_a_moment_is_followed_on(world: World, plane: Plane) -> None:
    world.keptn.faults.add(Answer(503), "/sequence/", times=5)

    with at_work(world, plane):
        code, _ = trigger(world, *APAC, "--follow")

    assert code == PASSED


def test_minutes_of_trouble_are_sat_out_with_a_word(world: World, plane: Plane) -> None:
    world.keptn.faults.add(Answer(503), "/sequence/", times=150)  # five minutes of quick errors

    with at_work(world, plane):
        code, shown = trigger(world, *APAC, "--follow")

    assert code == PASSED
    assert shown.count("Keptn does not answer, and is asked on for 10 min: GET ") == 1
    assert shown.count("Keptn answers again.") == 1


def test_a_keptn_that_stays_away_ends_it_and_the_sequence_can_be_followed_again(
    world: World, plane: Plane, capsys: pytest.CaptureFixture[str]
) -> None:
    world.keptn.faults.add(Answer(503), "/sequence/")
    began = world.clock.now()

    code, shown = trigger(world, *APAC, "--follow")

    assert code == NO_RESULT
    assert 600 <= world.clock.now() - began < 700
    error = capsys.readouterr().err
    assert "503" in error
    world.keptn.faults.clear()
    again = shlex.split(error.rpartition("to follow it again: ./plane ")[2])
    with at_work(world, plane):
        code, shown = follow(world, *again)
    assert code == PASSED
    assert shown.endswith("The sequence is finished: pass.\n")


def test_a_login_that_is_refused_meanwhile_ends_it_at_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.keptn.faults.add(Answer(401), "/sequence/")

    code, _ = trigger(world, "--follow")

    assert code == NO_RESULT
    assert "The sequence goes on; to follow it again: ./plane follow " in capsys.readouterr().err


def test_what_a_waiting_sequence_waits_for_is_said(world: World, plane: Plane) -> None:
    world.keptn.trigger("podtato", "dev", "head", "sequence1", {"sayhello": {"location": "APAC"}})
    world.keptn.settle()
    ahead = world.keptn.open_events(SAYHELLO)[0]["shkeptncontext"]

    code, shown = trigger(world, *APAC, "--follow", "--timeout", "60")

    assert code == NO_RESULT
    waits = f"The sequence is waiting: sequence1 ({ahead}) of the same stage and service is started.\n"
    assert waits in shown


def test_a_task_that_nobody_starts_is_said_once(world: World) -> None:
    code, shown = trigger(world, *APAC, "--follow", "--timeout", "600")

    assert code == NO_RESULT
    assert shown.count("Nobody has started sayhello for 2 min: is there a plane that takes its events?") == 1


def test_the_bridges_page_of_the_sequence_is_said(world: World) -> None:
    _, shown = trigger(world)

    context = shown.splitlines()[0].removeprefix("Keptn context ")
    assert shown.splitlines()[1] == f"http://keptn.test/bridge/project/podtato/sequence/{context}"
    assert bridge_link("https://keptn.example.com/elsewhere", "p", "c") == ""


def test_it_logs_in_by_an_oauth_client_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEPTN_API_TOKEN")
    keptn = Keptn(SystemClock())
    keptn.create_project("podtato", SHIPYARD, ("head",))
    with serving(Login(), keptn) as login:
        client = {"clientId": login.client_id, "clientSecret": login.client_secret}
        file = tmp_path / "client.json"
        file.write_text(json.dumps({**client, "tokenUrl": f"{login.url}/token"}))
        out = io.StringIO()

        code = main(["trigger", "--url", f"{login.url}/api", *SEQUENCE, "--oauth-file", str(file)], out=out)

    assert code == PASSED
    assert login.grants
    assert "Keptn context " in out.getvalue()


def test_a_message_does_not_steer_the_terminal(world: World, plane: Plane) -> None:
    plane.tasks.does = lambda _: Outcome("pass", "succeeded", "\x1b]0;mine\x07hello\nsecond")

    with at_work(world, plane):
        _, shown = trigger(world, *APAC, "--follow")

    assert "\x1b" not in shown
    assert "hello\n            second\n" in shown
