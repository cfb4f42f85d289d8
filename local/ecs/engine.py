"""What runs containers: one interface, two engines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

STOP_SECONDS = 30  # from SIGTERM to SIGKILL, unless the container definition says otherwise


class StartFailed(Exception):
    """A container that can't be started; the text is ECS's reason, as in `CannotPullContainerError: …`."""


@dataclass(frozen=True)
class Mount:
    """A task's volume at a path of a container."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """One container as it is to be started: a container definition with its overrides and secrets applied.

    No entry point and no command mean the image's own. CPU is in cores, memory in MiB.
    """

    name: str
    image: str
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    user: str = ""
    read_only_root: bool = False
    capabilities_dropped: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    cpu: float = 1.0
    memory: int = 512


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    exit_code: int
    reason: str = ""


class Container(Protocol):
    """A container that was started."""

    def output(self) -> Iterator[bytes]:
        """What it prints, until it ends; to be read once."""
        ...

    def wait(self) -> Ended:
        """Wait for its end."""
        ...

    def stop(self, seconds: int) -> None:
        """Ask it to end, and so many seconds later make it; does nothing if it has ended."""
        ...


class Room(Protocol):
    """Where one task's containers run, with the volumes they share."""

    def start(self, spec: ContainerSpec) -> Container:
        """Start a container. Raises StartFailed."""
        ...

    def close(self) -> None:
        """Remove the containers and the volumes."""
        ...


class Engine(Protocol):
    """A way to run containers."""

    @property
    def description(self) -> str:
        """Where the containers run, in words to show to people."""
        ...

    def pull(self, image: str) -> None:
        """Make sure that the image is here. Raises StartFailed."""
        ...

    def open(self, task_id: str) -> Room:
        """Make room for a task."""
        ...

    def close(self) -> None:
        """Let go of what the engine holds."""
        ...
