"""The container that makes a task's folders ready before it begins, with its files and its secrets'."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from execution_plane.containers import FILES_CONTAINER
from jobs.secret_fields import FOLDER
from runners.containers.secrets import SecretFolder
from runners.containers.unpack import UNPACK, WRITE_SECRETS

VOLUME: Final = "keptn"
SECRETS: Final = "/secrets"  # where this container has what the task has in its own folders


def files_container(
    image: str, folders: Sequence[SecretFolder], owner: str, logging: Mapping[str, Any]
) -> dict[str, Any]:
    """Its definition; it has the task's own role.

    `owner` is the user who runs the task, as `UID` or `UID:GID`, empty for the image's own.
    """
    mounts = [_mount(VOLUME, FOLDER)]
    layout: dict[str, dict[str, str]] = {}
    references: dict[str, str] = {}
    for number, folder in enumerate(folders):
        path = f"{SECRETS}/{number}"
        mounts.append(_mount(secret_volume(number), path))
        layout[path] = {name: f"SECRET_{number}_{index}" for index, name in enumerate(folder.files)}
        references |= {layout[path][name]: reference for name, reference in folder.files.items()}
    secrets = {"secrets": injected(references)} if references else {}
    words = ["python3", "-c", WRITE_SECRETS + UNPACK, json.dumps(layout), owner]
    return {
        "name": FILES_CONTAINER,
        "image": image,
        "essential": False,
        "user": "0:0",
        "entryPoint": words if folders else ["python3", "-c", UNPACK],
        "mountPoints": mounts,
        "logConfiguration": logging,
        **secrets,
    }


def injected(references: Mapping[str, str]) -> list[dict[str, str]]:
    """What ECS is to inject, by the variables' names."""
    return [{"name": name, "valueFrom": reference} for name, reference in references.items()]


def secret_volume(number: int) -> str:
    """The volume of the task's folder of that number."""
    return f"secrets-{number}"


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"sourceVolume": volume, "containerPath": path}
