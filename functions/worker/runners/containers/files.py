"""A task's `files`: fetched from the Keptn repository, and put where its container finds them."""

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock, Deadline
from execution_plane.keptn.control_plane import ControlPlane
from execution_plane.keptn.events import EventRef
from execution_plane.keptn.transport import KeptnError, KeptnNotFound
from runs.retrying import RETRY_PAUSES, retry
from runs.work import TaskUnusable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

MOST_BYTES: Final = 20 * 1024 * 1024
FILE_MODE: Final = 0o644


class Repository:
    """The files that one event sees: its service's, else its stage's, else its project's."""

    def __init__(self, control_plane: ControlPlane, clock: Clock, ref: EventRef, deadline: Deadline) -> None:
        self._control_plane = control_plane
        self._clock = clock
        self._deadline = deadline
        # A commit id belongs to the stage's branch; the project has another.
        self._levels = (
            ((ref.project, ref.stage, ref.service), ref.commit),
            ((ref.project, ref.stage), ref.commit),
            ((ref.project,), ""),
        )
        self._listed: dict[Sequence[str], list[str]] = {}

    def fetch(self, task: str, entries: Sequence[str]) -> dict[str, bytes]:
        """The files of a task's `files` by their paths; each entry is a file, or else a whole directory.

        Raises TaskUnusable.
        """
        files: dict[str, bytes] = {}
        for entry in entries:
            found = False
            for path, content in self._find(entry.strip("/")):
                files[path] = content
                found = True
                if sum(map(len, files.values())) > MOST_BYTES:
                    raise TaskUnusable(f"The files of task {task} are over {MOST_BYTES} bytes.")
            if not found:
                raise TaskUnusable(f"could not find file or directory {entry} for task {task}")
        return files

    def _find(self, entry: str) -> Iterator[tuple[str, bytes]]:
        """What an entry names, at the first level that has it."""
        if not entry:
            return
        for scope, commit in self._levels:
            # The list is today's, whatever the commit: it may lack what was there, and have what came later.
            inside = [uri for uri in self._uris(scope) if uri.startswith(f"{entry}/")]
            # Asked for a directory as if it were a file, Keptn answers 500.
            found = False
            for uri in inside or [entry]:
                content = self._read(scope, uri, commit)
                if content is not None:
                    yield uri, content
                    found = True
            if found:
                return

    def _uris(self, scope: Sequence[str]) -> list[str]:
        if scope not in self._listed:
            uris = self._ask(partial(self._control_plane.resource_uris, scope))
            self._listed[scope] = uris or []
        return self._listed[scope]

    def _read(self, scope: Sequence[str], uri: str, commit: str) -> bytes | None:
        return self._ask(partial(self._control_plane.resource, scope, uri, commit))

    def _ask(self, request: Callable[[], T]) -> T | None:
        """Ask Keptn, again if it fails; None for what there is not. Raises TaskUnusable."""

        def ask() -> T | None:
            try:
                return request()
            except KeptnNotFound:
                return None

        if self._deadline.is_over():
            raise TaskUnusable("The task's files could not be fetched in time.")
        try:
            return retry(ask, KeptnError, RETRY_PAUSES, self._clock, until=self._deadline)
        except KeptnError as problem:
            raise TaskUnusable(f"The task's files could not be read: {problem}") from None


def archive(files: Mapping[str, bytes]) -> bytes:
    """The files as a tar archive, the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), FILE_MODE
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def store(client: "S3Client", bucket: str, token: str, content: bytes) -> tuple[str, str]:
    """Put an archive where a container finds it; its bucket and key. Raises TaskUnusable."""
    key = f"files/{token}.tar"
    try:
        client.put_object(Bucket=bucket, Key=key, Body=content)
    except (ClientError, BotoCoreError) as problem:
        raise TaskUnusable(f"The task's files could not be stored: S3: {problem}") from problem
    return bucket, key
