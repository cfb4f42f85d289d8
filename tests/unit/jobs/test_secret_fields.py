"""The fields of a task by which its container gets secrets in other ways than as variables."""

import pytest

from jobs.config import InvalidJobConfig, read
from jobs.model import Rules, SecretFiles, Task


def task_of(fields: str) -> Task:
    text = f"apiVersion: v2\nactions:\n- tasks:\n  - {{image: a, {fields}}}\n"
    (action,) = read(text.encode(), origin="c.yaml", rules=Rules()).actions
    return action.tasks[0]


def problem_of(fields: str) -> str:
    with pytest.raises(InvalidJobConfig) as caught:
        task_of(fields)
    return str(caught.value.problems[0]).removeprefix("c.yaml, line 4, actions[0].tasks[0].")


def test_an_image_may_be_pulled_with_a_secret() -> None:
    assert task_of("imagePullSecrets: [{name: registry}]").image_pull_secret == "registry"
    assert task_of("imagePullSecrets: []").image_pull_secret == ""


def test_a_task_may_have_secrets_as_files() -> None:
    task = task_of("secretFiles: [{name: tls, mountPath: /etc/tls}, {name: a/b, mountPath: /run/.x/y_z}]")

    assert task.secret_files == (SecretFiles("tls", "/etc/tls"), SecretFiles("a/b", "/run/.x/y_z"))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            "imagePullSecrets: [{name: a}, {name: b}]",
            "imagePullSecrets[1]: expected one secret: ECS takes no more",
        ),
        ("imagePullSecrets: [{}]", "imagePullSecrets[0].name: expected the name of a secret, found nothing"),
        ("imagePullSecrets: [registry]", "imagePullSecrets[0]: expected a map with name"),
        ("secretFiles: [{mountPath: /a}]", "secretFiles[0].name: expected a text, found nothing"),
        ("secretFiles: [{name: a}]", "secretFiles[0].mountPath: expected a text, found nothing"),
        (
            "secretFiles: [{name: a, mountPath: /x}, {name: b, mountPath: /x}]",
            "secretFiles[1].mountPath: the folder is there twice",
        ),
    ],
)
def test_what_can_not_be_is_refused_with_its_place(fields: str, problem: str) -> None:
    assert problem_of(fields).startswith(problem)


@pytest.mark.parametrize(
    "folder", ["etc/tls", "/", "/keptn", "/a//b", "/a/../b", "/a/.", "/a:b", "/a b", "/a/"]
)
def test_a_folder_that_is_none_of_its_own_is_refused(folder: str) -> None:
    problem = problem_of(f"secretFiles: [{{name: a, mountPath: '{folder}'}}]")

    assert problem.startswith("secretFiles[0].mountPath: expected a folder of its own, as in /etc/secrets")
