"""The command that checks job configs."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import lint_config, preview

ROOT = Path(__file__).parents[3]

VALID = "apiVersion: v2\nactions:\n  - name: a\n    tasks:\n      - image: alpine\n"
PRIVILEGED = VALID + "        securityContext: {privileged: true}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_a_valid_file_says_what_was_checked_and_ends_with_0(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        VALID + "      - lambda: a\n      - function: say_hello\n      - function: say_hello\n      - {}\n"
    )
    assert lint_config.main([str(file)]) == 0
    assert capsys.readouterr().out == (
        f"{file}: no problems in 1 action: 1 container, 1 Lambda function, 2 Python functions, 1 task "
        "without a kind\n"
    )


def test_the_bundled_job_config_has_no_problems(capsys: pytest.CaptureFixture[str]) -> None:
    bundled = ROOT / "functions/worker/job/config.yaml"
    assert lint_config.main([str(bundled)]) == 0
    assert capsys.readouterr().out == f"{bundled}: no problems in 1 action: 1 Python function\n"


def test_every_problem_is_a_line_and_the_end_is_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("apiVersion: v2\nactions:\n  - silent: 1\n    events: [{name: '['}]\n")
    assert lint_config.main([str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file}, line 3, actions[0].silent: expected true or false, found '1'"
    assert lines[1].startswith(
        f"{file}, line 4, actions[0].events[0].name: expected an RE2 pattern, found '['"
    )
    assert len(lines) == 2


def test_all_files_are_checked(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("")
    another = tmp_path / "another.yaml"
    another.write_text("")
    assert lint_config.main([str(file), str(another)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_file_that_cannot_be_read_is_no_result_and_the_others_are_checked(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("")
    assert lint_config.main([str(tmp_path / "missing.yaml"), str(tmp_path), str(file)]) == 2
    said = capsys.readouterr()
    assert said.err == (
        f"lint: {tmp_path}/missing.yaml: No such file or directory. {tmp_path}: Is a directory.\n"
    )
    assert said.out.count("\n") == 1


def test_privileged_jobs_must_be_allowed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(PRIVILEGED)
    assert lint_config.main([str(file)]) == 1
    assert "privileged containers are not allowed" in capsys.readouterr().out
    assert lint_config.main(["--allow-privileged-jobs", str(file)]) == 0


def test_images_are_checked_against_the_allowlist(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)
    assert lint_config.main([str(file), "--allowed-images", "docker.io/*,al*"]) == 0
    assert lint_config.main([str(file), "--allowed-images", "docker.io/*"]) == 1
    assert "expected an image that this deployment allows" in capsys.readouterr().out


def test_a_bad_allowlist_is_a_wrong_use_of_the_command(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(VALID)
    assert lint_config.main([str(file), "--allowed-images", "["]) == 2
    assert "--allowed-images: invalid image pattern '['" in capsys.readouterr().err


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the user's tasks."""
    monkeypatch.setattr(preview, "TASKS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (None, "there is no file functions/worker/tasks/load.py"),
        ("def other(): ...\n", "functions/worker/tasks/load.py defines no function load"),
        ("class Load:\n    def load(self): ...\n", "defines no function load"),
        ("def load(:\n", "can't be read as Python"),
        ("import sys\nsys.exit('it must not be run')\ndef load(data, progress): ...\n", None),
        ("from elsewhere import other as load\n", None),
        ("load = lambda data, progress: None\n", None),
    ],
)
def test_a_function_that_is_not_there_is_named(
    file: Path, tasks: Path, capsys: pytest.CaptureFixture[str], source: str | None, complaint: str | None
) -> None:
    file.write_text(VALID.replace("image: alpine", "image: alpine\n      - function: load"))
    if source is not None:
        (tasks / "load.py").write_text(source)

    code = lint_config.main([str(file)])

    said = capsys.readouterr().out
    if complaint is None:
        assert code == 0
        return
    assert code == 1
    assert said.startswith(f"{file}, actions[0].tasks[1].function: ")
    assert complaint in said


EVENT = ROOT / "events/sayhello-triggered.json"
WITH_EVENT = """\
apiVersion: v2
actions:
  - name: Load test
    events:
      - name: sh.keptn.event.sayhello.triggered
        jsonpath: {property: $.data.sayhello.location, match: APAC}
    tasks:
      - name: Load
        image: grafana/k6
        cmd: [k6]
        args: [run, /keptn/$(PLACE).js, $(PASSWORD)]
        files: [load]
        workingDir: /tmp
        resources: {limits: {cpu: 700m, memory: 3Gi}}
        maxPollDuration: 60
        env:
          - {name: load-test, valueFrom: secret}
          - {name: PLACE, value: $.data.sayhello.location, valueFrom: event}
      - function: say_hello
        onError: warning
  - name: Europe
    silent: true
    events:
      - {name: load}
      - {name: hello, jsonpath: {property: $.data.sayhello.location, match: EU}}
      - {name: hello, jsonpath: {property: $.data.nowhere, match: EU}}
      - {name: hello, jsonpath: {property: $.data.sayhello, match: EU}}
      - {name: hello, jsonpath: {property: '$.data[?(@ == 1)]', match: EU}}
  - name: No event
  - silent: true
    events: [{name: hello}]
    tasks: [{lambda: publish}]
"""
PREVIEW = """\
  action 1, Load test: matches
    task 1, Load: image grafana/k6
      command: ["k6", "run", "/keptn/APAC.js", "$(PASSWORD)"]
      working directory: /tmp
      files below /keptn: load
      size: 1 CPU and 3072 MiB, the next larger one that Fargate has
      PLACE=APAC
      KEPTN_PROJECT=my-first-project
      KEPTN_STAGE=dev
      KEPTN_SERVICE=service1
      LABELS_FOO=bar
      each key of the secret load-test
      deadline: 60 s
    task 2: function say_hello
      KEPTN_PROJECT=my-first-project
      KEPTN_STAGE=dev
      KEPTN_SERVICE=service1
      LABELS_FOO=bar
      deadline: as long as the worker has (WorkerTimeoutSeconds)
      a failure is a warning
  action 2, Europe: does not match: load does not occur in the event's type; $.data.sayhello.location is \
'APAC', not 'EU'; $.data.nowhere leads nowhere: unknown key nowhere; $.data.sayhello is no text; \
$.data[?(@ == 1)] leads to several values, which never match
  action 3, No event: does not match: it names no event
  action 4: matches, and is silent
    task 1: lambda publish
      deadline: as long as the worker has (WorkerTimeoutSeconds)
"""


def test_what_would_be_done_with_an_event_is_shown_and_nothing_is_done(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WITH_EVENT)

    assert lint_config.main([str(file), "--event", str(EVENT)]) == 0

    assert capsys.readouterr().out == (
        f"{file}: no problems in 4 actions: 1 container, 1 Python function, 1 Lambda function\n{PREVIEW}"
    )


def test_a_containers_deadline_is_the_planes_where_its_task_has_none(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("apiVersion: v2\nactions: [{events: [{name: hello}], tasks: [{image: alpine}]}]\n")

    assert lint_config.main([str(file), "--event", str(EVENT)]) == 0

    assert "deadline: as ContainerMaxPollDurationSeconds says\n" in capsys.readouterr().out


CALL_WITH_SECRETS = """\
apiVersion: v2
actions:
  - events: [{name: hello}]
    tasks:
      - name: Tell
        http: {url: https://hooks.example.com/$(TOKEN), body: "{}"}
        env: [{name: TOKEN, value: hooks/token, valueFrom: secretKey}]
      - image: alpine
        secretFiles: [{name: tls, mountPath: /etc/tls}]
"""


def test_a_call_and_what_comes_from_secrets_are_shown_without_a_value(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(CALL_WITH_SECRETS)

    assert lint_config.main([str(file), "--event", str(EVENT)]) == 0

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].endswith("no problems in 1 action: 1 HTTP call, 1 container")
    assert lines[2] == "task 1, Tell: http POST https://hooks.example.com/$(TOKEN)"
    assert "TOKEN from the secret hooks/token" in lines
    assert "deadline: 60 s" in lines
    assert "files of the secret tls below /etc/tls" in lines


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        (
            "{name: a, image: x, env: [{name: A, value: $.data.no, valueFrom: event}]}",
            "could not add env with name 'A'",
        ),
        ("{name: a, image: x, resources: {limits: {cpu: 99}}}", "Fargate's largest size is 16 CPU"),
        ("{name: a}", "it has no image, function, lambda, http or stateMachine"),
    ],
)
def test_a_task_that_would_end_as_errored_for_an_event_is_a_problem(
    file: Path, capsys: pytest.CaptureFixture[str], task: str, complaint: str
) -> None:
    file.write_text(f"apiVersion: v2\nactions: [{{events: [{{name: hello}}], tasks: [{task}]}}]\n")

    assert lint_config.main([str(file), "--event", str(EVENT)]) == 1

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{file}: task 1, a would end as errored: ")
    assert complaint in last


def test_an_event_that_no_action_handles_is_a_problem(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)

    assert lint_config.main([str(file), "--event", str(EVENT)]) == 1

    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{file}: no action matches, so a sh.keptn.event.sayhello.triggered is left to others, or ends as "
        "errored with AnswerUnhandledEvents=true"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "can't be read: No such file"),
        ("{", "is no JSON"),
        ("[]", "is no event"),
        ('{"type": "x"}', "is no event"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_an_event_that_is_none_is_no_result(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, complaint: str
) -> None:
    file.write_text(VALID)
    if content is not None:
        (tmp_path / "event.json").write_text(content)

    assert lint_config.main([str(file), "--event", str(tmp_path / "event.json")]) == 2

    assert complaint in capsys.readouterr().err


def test_a_job_config_of_any_depth_is_a_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"apiVersion": "v2", "actions": ' + "[" * 100_000)

    assert lint_config.main([str(file)]) == 1

    assert capsys.readouterr().out == (
        f"{file}, line 1: not a YAML document: nested deeper than 100 levels\n"
    )


def test_it_runs_as_a_module(file: Path) -> None:
    file.write_text("apiVersion: v1")
    path = ":".join(entry for entry in sys.path if entry)
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "lint", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path},
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "expected v2, found 'v1'" in ended.stdout
