"""The demo, as `make demo` runs it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.demo import main
from local.example import sequence_event
from local.job_demo import GREETINGS

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[str]
StartDemo = Callable[..., Process]
PLANES = {"APAC": "ap-southeast-1/keptn-apac", "EU": "eu-west-1/keptn-eu"}


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[StartDemo]:
    started: list[Process] = []

    def start(*options: str) -> Process:
        paths = (ROOT, ROOT / "layers" / "execution_plane")
        process = subprocess.Popen(
            [sys.executable, "-m", "local.demo", *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate()


def read_until(process: Process, pattern: str) -> str:
    """What the demo prints up to a line in which the pattern is found."""
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        if re.search(pattern, line):
            return text
    pytest.fail(f"{pattern} was never printed, but:\n{text}{process.communicate()[1]}")


def test_both_regions_are_served_by_their_own_plane_and_the_demo_ends(
    start_demo: StartDemo, tmp_path: Path
) -> None:
    demo = start_demo()

    output, errors = demo.communicate()

    assert (demo.returncode, errors) == (0, "")
    assert re.search(r"Keptn's bridge +http://127\.0\.0\.1:\d+/bridge\n", output)
    assert "Each plane's match kept the regions apart" in output
    assert "\033" not in output
    for location, plane in PLANES.items():
        said = re.findall(rf"^[\d:.]+  {location} +sayhello +(\S+) *(.*)$", output, re.MULTILINE)
        function, container = said[:4], said[4:]
        assert [kind for kind, _ in function] == ["started", "status.changed", "status.changed", "finished"]
        assert function[-1][1] == f"pass: Hello, world from {location}!"
        assert [kind for kind, _ in container] == ["started", "status.changed", "finished"]
        assert container[-1][1] == f"pass: {GREETINGS[location]}"
        rows = rf"^  {location} +finished +1 +1 +keptn-lambda-executor/\d+/{plane}$"
        assert len(re.findall(rows, output, re.MULTILINE)) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_demo_that_stays_takes_the_curl_that_it_prints_and_ends_at_ctrl_c(start_demo: StartDemo) -> None:
    demo = start_demo("--stay")
    printed = read_until(demo, "Ctrl-C ends it")
    command = re.search(r"^curl .*?^\}'$", printed, re.MULTILINE | re.DOTALL)
    assert command

    done = subprocess.run(
        ["sh", "-c", f"{command[0]} --fail --silent --noproxy '*'"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "keptnContext" in done.stdout
    read_until(demo, r"APAC +sayhello +finished +pass: Hello, world from APAC!")
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate()
    assert (demo.returncode, errors) == (0, "")


def test_a_function_that_fails_ends_the_demo_with_its_error_and_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("local.plane.LOCATION", "$.data[")

    code = main([])

    said = capsys.readouterr().err
    assert code == 1
    assert re.search(r"the function keptn-\w+-PollerFunction failed: MatchProperty is '\$\.data\['", said)
    assert re.search(r"its last error: .*MatchProperty is '\$\.data\['", said)
    log = re.search(r"its log: +(\S+)", said)
    assert log
    assert "MatchProperty" in Path(log[1]).read_text()


def test_a_sequence_that_the_wrong_plane_answers_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("local.demo.sequence_event", lambda _: sequence_event("EU"))

    code = main([])

    said = capsys.readouterr().err
    assert code == 1
    assert re.search(r"the APAC sequence was answered by \S+/keptn-eu, not by \S+/keptn-apac alone", said)


def test_a_region_that_nobody_serves_in_time_ends_the_demo_with_what_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("local.plane.LOCATION", "$.data.sayhello.nowhere")

    code = main(["--timeout", "5"])

    said = capsys.readouterr().err
    assert code == 1
    assert "waited in vain for the APAC sequence to finish, 5 s in all" in said
    assert f"logs are in {tmp_path}" in said


@pytest.mark.parametrize("service", ["Keptn", "AWS", "Lambda"])
def test_a_port_that_is_taken_is_named(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main([f"--{service.lower()}-port", str(port)])

    assert code == 1
    assert f"{service} can't listen on port {port}: Address already in use" in capsys.readouterr().err
