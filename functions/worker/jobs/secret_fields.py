"""The fields of a task by which its container gets secrets in other ways than as variables."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from jobs.model import SecretFiles
from jobs.schema import Decoder, Reading, Struct, checked, shown, text

FOLDER: Final = "/keptn"
"""Where a container has its task's `files`."""

_FOLDER: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.-]+)+")


def image_pull_secret(reading: Reading, given: Sequence[Struct]) -> str:
    """The name of the secret with the registry's credentials, empty for none; several are a problem."""
    names = [each.values.get("name", "") for each in given]
    for each, name in zip(given, names, strict=True):
        if not name:
            reading.objection(each.line, (*each.path, "name"), "expected the name of a secret, found nothing")
    if len(given) > 1:
        reading.objection(
            given[1].line,
            given[1].path,
            "expected one secret: ECS takes no more for the image of a container",
        )
    return names[0] if names else ""


def secret_files(reading: Reading, given: Sequence[Struct]) -> tuple[SecretFiles, ...]:
    """Which secrets are mounted where."""
    folders: set[str] = set()
    for each in given:
        for name in ("name", "mountPath"):
            if not each.values.get(name):
                reading.objection(each.line, (*each.path, name), "expected a text, found nothing")
        folder = each.values.get("mountPath", "")
        if folder in folders:
            reading.objection(
                each.line_of("mountPath"), (*each.path, "mountPath"), "the folder is there twice"
            )
        folders.add(folder)
    return tuple(SecretFiles(each.values.get("name", ""), each.values.get("mountPath", "")) for each in given)


def _folder_problem(folder: str) -> str | None:
    if _FOLDER.fullmatch(folder) and folder != FOLDER:
        return None
    return f"expected a folder of its own, as in /etc/secrets, found {shown(folder)}"


IMAGE_PULL_SECRET: Final[Mapping[str, Decoder]] = {"name": text}
SECRET_FILES: Final[Mapping[str, Decoder]] = {"name": text, "mountPath": checked(_folder_problem)}
