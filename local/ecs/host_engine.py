"""Runs the commands of containers on this machine without containers, where there is no Docker."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.ecs.engine import ContainerSpec, Ended, StartFailed

CHUNK = 65_536
OUR_PYTHON = str(Path(sys.executable).parent)  # has boto3, as the image that fetches files
KEPT_VARIABLES = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE")


class HostEngine:
    """Each container is a process of this machine in a directory of its own; its image is not looked at.

    A path below a mount, such as `/keptn/load.js`, is led to the task's own directory wherever it stands in
    the command or a variable. Nothing keeps such a process from anything: run only job configs you trust.
    """

    def __init__(self, reason: str = "") -> None:
        """`reason` says why there are no containers."""
        self.description = "on this machine and not in a container" + (f", as {reason}" if reason else "")

    def pull(self, image: str) -> None:
        """Do nothing: no image is needed."""

    def open(self, task_id: str) -> "HostRoom":
        """Make a directory for a task."""
        return HostRoom(Path(tempfile.mkdtemp(prefix=f"ecs-{task_id[:8]}-")))

    def close(self) -> None:
        """Do nothing: each room is closed by itself."""


class HostRoom:
    """One task's directory: a directory for each volume, and one to be the working directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: list[HostContainer] = []

    def start(self, spec: ContainerSpec) -> "HostContainer":
        """Start the command. Raises StartFailed."""
        words = [*spec.entry_point, *spec.command]
        if not words:
            raise StartFailed(
                f"CannotStartContainerError: the image {spec.image} may know what to run, but there is no "
                "Docker here: give the task a cmd"
            )
        home = self._directory / "home"
        home.mkdir(exist_ok=True)
        inherited = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        inherited["PATH"] = os.pathsep.join((OUR_PYTHON, inherited.get("PATH", os.defpath)))
        given = {name: self._led(value, spec) for name, value in spec.environment.items()}
        directory = Path(self._led(spec.working_directory, spec)) if spec.working_directory else home
        try:
            process = subprocess.Popen(
                [self._led(word, spec) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=directory if directory.is_dir() else home,
                env={**inherited, "HOME": str(home), **given},
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            raise StartFailed(f"CannotStartContainerError: {problem}") from None
        container = HostContainer(process)
        self._processes.append(container)
        return container

    def close(self) -> None:
        """Kill what is left, and remove the directory."""
        for container in self._processes:
            container.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _led(self, text: str, spec: ContainerSpec) -> str:
        """The text with each mounted path led to the volume's directory."""
        for mount in spec.mounts:
            volume = self._directory / f"volume-{mount.volume}"
            volume.mkdir(exist_ok=True)
            whole_path = rf"(?<![\w./-]){re.escape(mount.path)}(?![\w.-])"
            text = re.sub(whole_path, str(volume).replace("\\", r"\\"), text)
        return text


class HostContainer:
    """A process of this machine, with all that it started in its session."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._is_over = False

    def output(self) -> Iterator[bytes]:
        """What it prints on both streams, as it comes."""
        stream = self._process.stdout
        assert stream is not None
        with stream:
            while chunk := os.read(stream.fileno(), CHUNK):
                yield chunk

    def wait(self) -> Ended:
        """Wait for its end. What a signal ended has 128 and the signal's number, as in a container."""
        code = self._process.wait()
        self._signal(signal.SIGKILL)  # a container's other processes end with its first
        self._is_over = True
        return Ended(code if code >= 0 else 128 - code)

    def stop(self, seconds: int) -> None:
        """Ask it to end with SIGTERM, then make it."""
        if self._process.poll() is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """Leave nothing of it."""
        if not self._is_over:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
