import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.trigger import FAILED, PASSED, UNUSABLE, main
from execution_plane.keptn.events import Outcome
from local.keptn import in_process
from local.keptn.faults import Answer
from tests.support.world import SAYHELLO, Plane, World

SEQUENCE = ["--project", "podtato", "--stage", "dev", "--service", "head", "--sequence", "sequence1"]
APAC = ["--data", '{"sayhello": {"location": "APAC"}}']


def trigger(world: World, *arguments: str) -> tuple[int, str]:
    """The exit code and what was shown."""
    shown = io.StringIO()
    code = main(
        ["--url", in_process.URL, *SEQUENCE, *arguments],
        clock=world.clock,
        out=shown,
        session=in_process.session(world.keptn),
    )
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

    kinds = [line.split()[3:] for line in shown.splitlines()[1:-1]]
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
        (["--token-env", "MISSING"], "set the environment variable MISSING"),
        (["--token", "wrong"], "401 incorrect api key auth"),
    ],
)
def test_what_cannot_work_is_named_in_one_line(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    code, shown = trigger(world, *arguments)

    error = capsys.readouterr().err
    assert (code, shown) == (UNUSABLE, "")
    assert problem in error
    assert error.count("\n") == 1


def test_a_missing_argument_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--url", "http://keptn.test/api"])

    assert ended.value.code == UNUSABLE


def test_a_sequence_that_keptn_never_begins_is_not_waited_for_for_ever(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = trigger(world, "--project", "missing", "--follow")

    assert code == UNUSABLE
    assert "is there such a project" in capsys.readouterr().err


def test_a_keptn_that_is_away_for_a_moment_is_followed_on(world: World, plane: Plane) -> None:
    world.keptn.faults.add(Answer(503), "/sequence/", times=5)

    with at_work(world, plane):
        code, _ = trigger(world, *APAC, "--follow")

    assert code == PASSED


def test_a_keptn_that_stays_away_ends_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.keptn.faults.add(Answer(503), "/sequence/")

    code, _ = trigger(world, "--follow")

    assert code == UNUSABLE
    assert "503" in capsys.readouterr().err


def test_a_message_does_not_steer_the_terminal(world: World, plane: Plane) -> None:
    plane.tasks.does = lambda _: Outcome("pass", "succeeded", "\x1b]0;mine\x07hello\nsecond")

    with at_work(world, plane):
        _, shown = trigger(world, *APAC, "--follow")

    assert "\x1b" not in shown
    assert "hello\n            second\n" in shown
