"""Runs containers with Docker."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.errors import APIError, DockerException, ImageNotFound  # type: ignore[import-untyped]
from docker.types import Mount as DockerMount  # type: ignore[import-untyped]
from requests import RequestException

from local.ecs.engine import ContainerSpec, Ended, StartFailed

LABEL = "keptn-lambda-executor.task"  # on every container and volume, with the task's id
MEBIBYTE = 1_048_576
LOST = 137


class NoDocker(Exception):
    """No Docker answers on this machine."""


class DockerEngine:
    """Containers of this machine's Docker; needs an image to be here, or to be pulled."""

    description = "in a container, by Docker"

    def __init__(self, extra_hosts: Mapping[str, str] | None = None) -> None:
        """Raises NoDocker."""
        try:
            self._client = docker.from_env()
            self._cores = float(self._client.info()["NCPU"])
        except (DockerException, KeyError) as problem:
            raise NoDocker(str(problem)) from None
        self._extra_hosts = dict(extra_hosts or {"host.docker.internal": "host-gateway"})

    def pull(self, image: str) -> None:
        """Pull the image unless it is here. Raises StartFailed."""
        try:
            self._client.images.get(image)
        except ImageNotFound:
            self._pull(image)
        except DockerException as problem:
            raise StartFailed(f"CannotPullContainerError: {_reason(problem)}") from None

    def _pull(self, image: str) -> None:
        name, _, tag = image.partition("@") if "@" in image else _name_and_tag(image)
        try:
            self._client.images.pull(name, tag=tag or "latest")
        except DockerException as problem:
            raise StartFailed(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve "
                f"ref {image}: {_reason(problem)}"
            ) from None

    def open(self, task_id: str) -> "DockerRoom":
        """Make room for a task."""
        return DockerRoom(self._client, task_id, self._cores, self._extra_hosts)

    def close(self) -> None:
        """Close the connection to Docker."""
        self._client.close()


class DockerRoom:
    """One task's containers and volumes, labelled with its id."""

    def __init__(self, client: Any, task_id: str, cores: float, extra_hosts: Mapping[str, str]) -> None:
        self._client = client
        self._labels = {LABEL: task_id}
        self._cores = cores
        self._extra_hosts = extra_hosts
        self._containers: list[Any] = []
        self._volumes: dict[str, Any] = {}

    def start(self, spec: ContainerSpec) -> "DockerContainer":
        """Create and start a container. Raises StartFailed."""
        mounts = [
            DockerMount(mount.path, self._volume(mount.volume), read_only=mount.read_only)
            for mount in spec.mounts
        ]
        try:
            container = self._client.containers.create(
                spec.image,
                list(spec.command) or None,
                entrypoint=list(spec.entry_point) or None,
                environment=dict(spec.environment),
                working_dir=spec.working_directory or None,
                user=spec.user or None,
                read_only=spec.read_only_root,
                cap_drop=list(spec.capabilities_dropped) or None,
                mounts=mounts,
                mem_limit=spec.memory * MEBIBYTE,
                nano_cpus=int(min(spec.cpu, self._cores) * 1e9),
                labels=self._labels,
                extra_hosts=dict(self._extra_hosts),
                detach=True,
            )
            self._containers.append(container)
            container.start()
        except DockerException as problem:
            raise StartFailed(
                "CannotStartContainerError: ResourceInitializationError: failed to create new container "
                f"runtime task: {_reason(problem)}"
            ) from None
        return DockerContainer(container)

    def close(self) -> None:
        """Remove the containers and the volumes."""
        for thing in (*self._containers, *self._volumes.values()):
            with contextlib.suppress(DockerException):
                thing.remove(force=True)

    def _volume(self, name: str) -> str:
        if name not in self._volumes:
            self._volumes[name] = self._client.volumes.create(labels=self._labels)
        return str(self._volumes[name].name)


class DockerContainer:
    """A container that was started."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def output(self) -> Iterator[bytes]:
        """What it prints on both streams, as it comes."""
        with contextlib.suppress(DockerException):
            yield from self._container.logs(stream=True, follow=True)

    def wait(self) -> Ended:
        """Wait for its end."""
        try:
            code = int(self._container.wait(timeout=None)["StatusCode"])
            self._container.reload()
        except (DockerException, RequestException) as problem:
            return Ended(LOST, f"DockerStateError: {problem}")
        state = self._container.attrs["State"]
        reason = "OutOfMemoryError: Container killed due to memory usage" if state.get("OOMKilled") else ""
        return Ended(code, reason)

    def stop(self, seconds: int) -> None:
        """Ask it to end with SIGTERM, then make it."""
        with contextlib.suppress(DockerException):
            self._container.stop(timeout=seconds)


def _name_and_tag(image: str) -> tuple[str, str, str]:
    name, colon, tag = image.rpartition(":")
    return (name, colon, tag) if colon and "/" not in tag else (image, "", "")


def _reason(problem: DockerException) -> str:
    return str(problem.explanation if isinstance(problem, APIError) and problem.explanation else problem)
