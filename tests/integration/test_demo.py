"""The demo, as `make demo` runs it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.demo import main
from local.example import sequence_event
from local.job_demo import GREETINGS
from tests.support.snippets import Snippet, snippets

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[str]
PLANES = {"APAC": "ap-southeast-1/keptn-apac", "EU": "eu-west-1/keptn-eu"}


NO_DOCKER = "tcp://127.0.0.1:1"


def start_demo(place: Path, *options: str, **variables: str) -> Process:
    """Start the demo, whose temporary files go to a place."""
    paths = (ROOT, ROOT / "layers" / "execution_plane")
    return subprocess.Popen(
        [sys.executable, "-m", "local.demo", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "TMPDIR": str(place), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a demo printed that ran to its end where no Docker answers."""
    place = tmp_path_factory.mktemp("ended")
    with start_demo(place, DOCKER_HOST=NO_DOCKER) as demo:
        output, errors = demo.communicate()
    assert (demo.returncode, errors) == (0, "")
    assert list(place.iterdir()) == []
    return output


@dataclass
class Staying:
    """A demo that stays, and what it had printed by then."""

    process: Process
    printed: str


@pytest.fixture(scope="module")
def staying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staying]:
    """A demo in real containers, if there is a Docker."""
    process = start_demo(tmp_path_factory.mktemp("staying"), "--stay")
    yield Staying(process, read_until(process, "Ctrl-C ends it"))
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


def shapes(text: str) -> set[str]:
    """The lines of a demo without what differs between runs: times, ports, polls, how containers run."""
    timeless = re.sub(r"\d\d:\d\d:\d\d\.\d{3}|(?<=127\.0\.0\.1:)\d+", "…", text)
    return {line for line in timeless.splitlines() if not re.search("^  Its tasks run| poller ", line)}


@pytest.mark.parametrize(
    "snippet",
    [
        each
        for each in snippets("text")
        if each.page in {"README.md", "docs/tutorial-regions.md"}
        and re.search("A user triggers|plane APAC|Keptn's own count", each.text)
    ],
    ids=str,
)
def test_the_pages_show_what_the_demo_prints(ended: str, snippet: Snippet) -> None:
    assert shapes(snippet.text) <= shapes(ended)


@pytest.mark.slow
def test_both_regions_are_served_by_their_own_plane_and_the_demo_ends(ended: str) -> None:
    assert re.search(r"Keptn's bridge +http://127\.0\.0\.1:\d+/bridge\n", ended)
    assert "Each plane's match kept the regions apart" in ended
    assert "\033" not in ended
    for location, plane in PLANES.items():
        said = re.findall(rf"^[\d:.]+  {location} +sayhello +(\S+) *(.*)$", ended, re.MULTILINE)
        function, container = said[:4], said[4:]
        assert [kind for kind, _ in function] == ["started", "status.changed", "status.changed", "finished"]
        assert function[-1][1] == f"pass: Hello, world from {location}!"
        assert [kind for kind, _ in container] == ["started", "status.changed", "finished"]
        assert container[-1][1] == f"pass: {GREETINGS[location]}"
        rows = rf"^  {location} +finished +1 +1 +keptn-lambda-executor/\d+/{plane}$"
        assert len(re.findall(rows, ended, re.MULTILINE)) == 2


@pytest.mark.slow
def test_without_docker_the_job_config_runs_all_the_same_and_the_demo_says_where(ended: str) -> None:
    assert "Its tasks run on this machine and not in a container, as no Docker answers." in ended


@pytest.mark.slow
def test_the_job_config_runs_unchanged_in_real_containers(docker_image: str, staying: Staying) -> None:
    printed = staying.printed.partition("job/config.yaml in Keptn, unchanged.")[2]

    assert "Its tasks run in a container, by Docker." in printed
    assert "finished        pass: Hello, world from APAC!" in printed
    assert "finished        pass: Hello, world from Europe!" in printed


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_demo_that_stays_takes_the_curl_that_it_prints_and_ends_at_ctrl_c(staying: Staying) -> None:
    demo = staying.process
    command = re.search(r"^curl .*?^\}'$", staying.printed, re.MULTILINE | re.DOTALL)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_sequence_that_the_wrong_plane_answers_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("local.demo.sequence_event", lambda _: sequence_event("EU"))

    code = main([])

    said = capsys.readouterr().err
    assert code == 1
    assert re.search(r"the APAC sequence was answered by \S+/keptn-eu, not by \S+/keptn-apac alone", said)


@pytest.mark.slow
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
