"""The environment of tasks that are Python functions, in real child processes."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from execution_plane.keptn.events import Outcome
from jobs.model import Env, Task
from runners.python_function import PythonFunctionRunner
from runners.task_secrets import SecretUnusable
from tests.support.tasks import task_folder
from tests.unit.runners.task_contexts import task_context

SECRETS = {"load": {"PASSWORD": "hunter22", "USER": "somebody"}}


def secrets(name: str) -> Mapping[str, str]:
    if name == "broken":
        raise SecretUnusable("the secret keptn/broken is not a JSON object of texts")
    return SECRETS[name]


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a function with a body and an `env`; `reported` has what it reported."""
    place = task_folder(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(body: str, *env: Env, reported: list[str] | None = None, **fields: object) -> Outcome:
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        (place / "job.py").write_text(
            f"import os\nfrom tasks import TaskOutcome\n\ndef job(data, progress):\n{indented}\n"
        )
        task = Task(0, name="Job", function="job", env=env, given=frozenset({"function", "env", *fields}))
        labels = {"build-id": "17"}
        found = [] if reported is None else reported
        return PythonFunctionRunner(secrets).run(
            task, task_context(report=found.append, labels=labels, users=3)
        )

    return run


def test_a_function_has_its_tasks_variables(run: Run) -> None:
    outcome = run(
        """
        names = ("GREETING", "USERS", "KEPTN_PROJECT", "KEPTN_SERVICE", "LABELS_BUILD_ID", "USER")
        return TaskOutcome("pass", " ".join(os.environ[name] for name in names))
        """,
        Env("GREETING", "hello", "string"),
        Env("USERS", "$.data.users", "event"),
        Env("load", "", "secret"),
    )

    assert outcome.message == "hello 3 p v 17 ***"


def test_a_variable_takes_nothing_from_the_worker(run: Run) -> None:
    """The function's own modules are found whatever a job config says."""
    outcome = run('return TaskOutcome("pass", "ran")', Env("PYTHONPATH", "/nowhere", "string"))

    assert outcome == Outcome("pass", "succeeded", "ran")


def test_a_secrets_values_stand_in_nothing_that_a_function_says(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[str] = []
    body = """
        word = os.environ["PASSWORD"]
        progress.report(f"with {word}")
        print(f"printed {word}", flush=True)
        return TaskOutcome("pass", f"was {word}", {"list": [word], "map": {word: word}, "number": 1})
        """

    outcome = run(body, Env("load", "", "secret"), reported=reported)

    assert reported == ["with ***"]
    assert outcome == Outcome(
        "pass", "succeeded", "was ***", {"list": ["***"], "map": {"***": "***"}, "number": 1}
    )
    (line,) = [vars(record) for record in caplog.records if "printed" in record.message]
    assert line["tail"] == "printed ***\n"


def test_a_single_key_of_a_secret_is_masked_like_a_whole_one(run: Run) -> None:
    outcome = run(
        """
        return TaskOutcome("pass", f"{os.environ['DB']} {os.environ.get('PASSWORD')} somebody")
        """,
        Env("DB", "load/PASSWORD", "secretKey"),
    )

    assert outcome.message == "*** None somebody"


def test_a_secret_is_masked_where_a_failure_is_told(run: Run) -> None:
    outcome = run(
        """
        print("x" * 9000 + os.environ["PASSWORD"] * 1025, flush=True)
        raise ValueError(os.environ["PASSWORD"])
        """,
        Env("load", "", "secret"),
    )

    assert outcome.status == "errored"
    assert "ValueError: ***" in outcome.message
    assert "hunter" not in outcome.message
    assert "unter22" not in outcome.message


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Env("A", "$.data.nothing", "event"), "could not add env with name 'A'"),
        (Env("nobody", "", "secret"), 'secrets "nobody" not found'),
        (Env("broken", "", "secret"), "the secret keptn/broken is not a JSON object of texts"),
    ],
)
def test_a_function_whose_environment_can_not_be_made_is_not_run(run: Run, env: Env, message: str) -> None:
    outcome = run('return TaskOutcome("pass", "ran")', env)

    assert outcome.status == "errored"
    assert message in outcome.message


def test_fields_without_a_meaning_are_named_in_one_log_line(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run("pass", image=1, cmd=1)

    (line,) = [vars(record) for record in caplog.records if "meaning" in record.message]
    assert (line["fields"], line["kind"]) == ("cmd, image", "function")
