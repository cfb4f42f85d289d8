"""One task from PROVISIONING to STOPPED, in a thread of its own."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from execution_plane.clock import Clock
from local.ecs.engine import STOP_SECONDS, Container, ContainerSpec, Ended, Engine, Mount, Room, StartFailed
from local.ecs.logs import LogStream
from local.ecs.records import Json, TaskRecord

CPU_UNITS: Final = 1024  # of one core
EXITED: Final = "Essential container in task exited"
NOT_STARTED: Final = "Task failed to start"


class DependencyFailed(Exception):
    """A container that another was to wait for did not end as it had to."""


@dataclass
class Running:
    """A container that was started, and how it ended."""

    definition: Json
    container: Container
    logged: threading.Thread
    over: threading.Event = field(default_factory=threading.Event)
    ended: Ended | None = None


class Lifecycle:
    """Runs one task. `client` makes a boto3 client of the AWS with logs and secrets, by a service's name."""

    def __init__(
        self,
        record: TaskRecord,
        engine: Engine,
        client: Callable[[str], Any],
        clock: Clock,
        injected: Mapping[str, str],
    ) -> None:
        self._record = record
        self._engine = engine
        self._client = client
        self._clock = clock
        self._injected = injected
        self._running: dict[str, Running] = {}
        self._changed = threading.Condition()
        self._overrides = {
            each["name"]: each for each in record.shown()["overrides"].get("containerOverrides", [])
        }

    def run(self) -> None:
        """Run the task to its end; what fails is written in its record."""
        room = self._engine.open(self._record.id)
        stopper = threading.Thread(target=self._wake_when_asked, daemon=True)
        stopper.start()
        try:
            self._start(room)
            self._await_essential()
            stop_code, reason = "EssentialContainerExited", EXITED
        except StartFailed as problem:
            stop_code, reason = "TaskFailedToStart", str(problem)
        except DependencyFailed:
            stop_code, reason = "TaskFailedToStart", NOT_STARTED
        finally:
            self._end_all()
            room.close()
        self._record.stopped(stop_code, reason)
        self._record.stop_requested.set()  # lets the stopper go
        stopper.join()

    def _start(self, room: Room) -> None:
        record, containers = self._record, self._record.definition["containerDefinitions"]
        record.set(lastStatus="PENDING", pullStartedAt=record.now())
        streams, specs = {}, {}
        for container in containers:
            name = container["name"]
            streams[name] = self._log_stream(container)
            specs[name] = self._spec(container)
            with _noting(record, name):
                self._engine.pull(container["image"])
        record.set(pullStoppedAt=record.now())
        for container in _in_order(containers):
            if record.stop_requested.is_set():
                return
            name = container["name"]
            if not self._await_dependencies(container):
                return
            with _noting(record, name):
                started = room.start(specs[name])
            record.set_container(name, lastStatus="RUNNING", runtimeId=f"{record.id}-{name}")
            self._follow(container, started, streams[name])
        record.set(lastStatus="RUNNING", startedAt=record.now(), connectivity="CONNECTED")

    def _log_stream(self, container: Json) -> LogStream | None:
        configuration = container.get("logConfiguration", {})
        if configuration.get("logDriver") != "awslogs":
            return None
        return LogStream(
            self._client("logs"), configuration["options"], container["name"], self._record.id, self._clock
        )

    def _spec(self, container: Json) -> ContainerSpec:
        override = self._overrides.get(container["name"], {})
        shown = self._record.shown()
        environment = {each["name"]: each["value"] for each in container.get("environment", [])}
        environment |= {
            each["name"]: self._secret(each["valueFrom"]) for each in container.get("secrets", [])
        }
        environment |= {each["name"]: each["value"] for each in override.get("environment", [])}
        dropped = container.get("linuxParameters", {}).get("capabilities", {}).get("drop", [])
        return ContainerSpec(
            name=container["name"],
            image=container["image"],
            entry_point=tuple(container.get("entryPoint", ())),
            command=tuple(override.get("command", container.get("command", ()))),
            environment={**self._injected, **environment},
            working_directory=container.get("workingDirectory", ""),
            user=container.get("user", ""),
            read_only_root=container.get("readonlyRootFilesystem", False),
            capabilities_dropped=tuple(dropped),
            mounts=tuple(
                Mount(each["sourceVolume"], each["containerPath"], each.get("readOnly", False))
                for each in container.get("mountPoints", [])
            ),
            cpu=int(shown["cpu"]) / CPU_UNITS,
            memory=int(shown["memory"]),
        )

    def _secret(self, reference: str) -> str:
        """The value behind `secretARN:key::` or a parameter's ARN. Raises StartFailed."""
        try:
            if ":parameter/" in reference:
                parameter = self._client("ssm").get_parameter(
                    Name=reference.partition(":parameter")[2], WithDecryption=True
                )
                return str(parameter["Parameter"]["Value"])
            arn, key = ":".join(reference.split(":")[:7]), [*reference.split(":")[7:], ""][0]
            text = self._client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
            return str(_json_key(text, key)) if key else str(text)
        except (ClientError, BotoCoreError, KeyError, ValueError) as problem:
            raise StartFailed(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
                f"retrieval failed: unable to retrieve secret from asm: {problem}"
            ) from None

    def _follow(self, definition: Json, container: Container, stream: LogStream | None) -> None:
        """Write its logs and note its end, each in a thread."""

        def log() -> None:
            chunks = container.output()
            if stream is None:
                for _ in chunks:
                    pass
            else:
                stream.write(chunks)

        running = Running(definition, container, threading.Thread(target=log, daemon=True))
        self._running[definition["name"]] = running
        running.logged.start()
        threading.Thread(target=self._note_end, args=(running,), daemon=True).start()

    def _note_end(self, running: Running) -> None:
        ended = running.container.wait()
        running.logged.join()
        changes = {"reason": ended.reason} if ended.reason else {}
        self._record.set_container(
            running.definition["name"], lastStatus="STOPPED", exitCode=ended.exit_code, **changes
        )
        with self._changed:
            running.ended = ended
            running.over.set()
            self._changed.notify_all()

    def _wake_when_asked(self) -> None:
        self._record.stop_requested.wait()
        with self._changed:
            self._changed.notify_all()

    def _await_dependencies(self, container: Json) -> bool:
        """Wait for the containers that this one depends on; False if the task is to stop first."""
        for dependency in container.get("dependsOn", []):
            if dependency["condition"] not in {"SUCCESS", "COMPLETE"}:
                continue
            running = self._running[dependency["containerName"]]
            self._wait(running.over.is_set)
            if running.ended is None:
                return False
            if dependency["condition"] == "SUCCESS" and running.ended.exit_code != 0:
                raise DependencyFailed
        return True

    def _await_essential(self) -> None:
        essential = [each for each in self._running.values() if each.definition.get("essential", True)]
        self._wait(lambda: not essential or any(each.over.is_set() for each in essential))

    def _wait(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: is_so() or self._record.stop_requested.is_set())

    def _end_all(self) -> None:
        for running in self._running.values():
            if not running.over.is_set():
                running.container.stop(running.definition.get("stopTimeout", STOP_SECONDS))
        for running in self._running.values():
            running.over.wait()


@contextlib.contextmanager
def _noting(record: TaskRecord, name: str) -> Iterator[None]:
    """Write why a container did not start into its record."""
    try:
        yield
    except StartFailed as problem:
        record.set_container(name, reason=str(problem))
        raise


def _in_order(containers: list[Json]) -> list[Json]:
    """Each container behind those that it depends on."""
    ordered: list[Json] = []
    left = list(containers)
    while left:
        known = {container["name"] for container in ordered}
        ready = [
            container
            for container in left
            if all(each["containerName"] in known for each in container.get("dependsOn", []))
        ]
        if not ready:
            raise StartFailed("The containers depend on one another in a circle.")
        ordered += ready
        left = [container for container in left if container not in ready]
    return ordered


def _json_key(text: str, key: str) -> object:
    return json.loads(text)[key]
