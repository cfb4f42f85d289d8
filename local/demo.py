"""The main job on one machine: two execution planes serve one Keptn control plane (`make demo`)."""

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import requests

from cli.runs.words import SHORT_ID
from execution_plane.clock import Deadline, SystemClock
from local import job_demo
from local.aws_server import AwsServer
from local.containers import find_engine
from local.example import EVENT_TYPE, LOCATION, PROJECT, SERVICE, SHIPYARD, curl, sequence_event
from local.flow import Flow
from local.keptn.server import KeptnServer
from local.keptn.timing import Timing
from local.lambda_endpoint import LambdaEndpoint
from local.plane import Plane
from local.schedule import Schedule
from local.screen import Screen, wants_colour
from local.verdict import Served, problems

REGIONS = {"APAC": "ap-southeast-1", "EU": "eu-west-1"}
TICK_SECONDS = 60.0
TIMING = Timing(reply_delay=0.075)
STORY = "make demo DEMO=--stay keeps it up, and says how `./plane` then tells a run's story."
GLANCE = 0.05  # seconds between two looks at what is new


class DemoFailed(Exception):
    """The demo can't go on, or was not served as it ought to be; the text says why."""


@dataclass(frozen=True)
class Options:
    """What the command line says; port 0 is a free one, `timeout` is in seconds for all of it."""

    stay: bool = False
    keptn_port: int = 0
    aws_port: int = 0
    lambda_port: int = 0
    timeout: float = 120.0


class Demo:
    """A context manager: Keptn, AWS and the planes are up while inside."""

    def __init__(self, options: Options, screen: Screen, logs: Path) -> None:
        """`logs` is the directory for what the functions print."""
        self._options = options
        self._screen = screen
        self._logs = logs
        self._clock = SystemClock()
        self._deadline = Deadline.after(self._clock, options.timeout)
        self._stack = ExitStack()
        self.planes: dict[str, Plane] = {}
        self._last = ("", "")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        options = self._options
        self.keptn = stack.enter_context(KeptnServer(port=options.keptn_port, timing=TIMING))
        self._flow = Flow(self.keptn.keptn, self._screen)
        aws = stack.enter_context(AwsServer(port=options.aws_port))
        functions = stack.enter_context(LambdaEndpoint(options.lambda_port, on_end=self._flow.on_end))
        self.keptn.keptn.create_project(PROJECT, SHIPYARD, (SERVICE,))
        self._engine = find_engine(job_demo.IMAGE)
        stack.callback(self._engine.close)
        for location, region in REGIONS.items():
            containers = job_demo.containers_of(
                location, region, engine=self._engine, aws=aws, functions=functions
            )
            stack.enter_context(containers)
            plane = Plane(
                location,
                region,
                keptn=self.keptn,
                aws=aws,
                functions=functions,
                containers=containers,
                logs=self._logs,
            )
            stack.callback(plane.close)
            self._flow.add(plane)
            self.planes[location] = plane
        timers = [plane.timers for plane in self.planes.values()]
        stack.enter_context(Schedule(functions.url, timers, TICK_SECONDS))

    def run(self) -> None:
        """Trigger the sequence for each region and see it served. Raises DemoFailed."""
        say = self._screen.say
        say("Two execution planes serve one Keptn control plane.", "bold")
        say(f"  Keptn's API     {self.keptn.url}")
        say(f"  Keptn's bridge  {self.bridge}")
        for location, region in REGIONS.items():
            say(f"  plane {location:<8}  in {region}, takes events with {LOCATION} = {location}")
        self._report({location: self._serve(location) for location in REGIONS})
        say("\nNow the project has a job executor's job/config.yaml in Keptn, unchanged.", "bold")
        say(f"  Its tasks run {self._engine.description}.")
        job_demo.upload(self.keptn)
        self._report({location: self._serve(location) for location in REGIONS}, job_demo.GREETINGS)
        say(
            "\nEach plane's match kept the regions apart. Each task has exactly one started and one\n"
            "finished, although Lambda delivered every invocation of a worker twice."
        )

    def stay(self) -> None:
        """Print what goes on until interrupted."""
        self._screen.say(f"\nStill up. See {self.bridge}, or trigger the sequence yourself:", "bold")
        self._screen.say(f"\n{curl(self.keptn.url, self.keptn.token, 'APAC')}\n")
        self._screen.say(f"The functions' logs are in {self._logs}. Ctrl-C ends it.")
        self._screen.say(f"\nThe story of a run, as an operator of that plane reads it:\n\n{self._story()}")
        while True:
            self._flow.show()
            self._clock.sleep(GLANCE)

    @property
    def bridge(self) -> str:
        """Where the bridge page is."""
        return f"{self.keptn.origin}/bridge"

    def _story(self) -> str:
        """The command that tells the story of the run that was closed last."""
        configuration = self._logs / "aws-config"
        configuration.write_text("\n".join(plane.profile() for plane in self.planes.values()))
        location, task = self._last
        plane = self.planes[location]
        arguments = f"show {task[:SHORT_ID]} --stack {plane.name} --profile {plane.name}"
        return f"AWS_CONFIG_FILE={configuration} ./plane {arguments}"

    def _serve(self, location: str) -> str:
        """Trigger the sequence for a region, and wait until it is over; gives its Keptn context."""
        self._screen.say(f"\nA user triggers the sequence for {location}:", "bold")
        context = self._trigger(location)
        self._wait(lambda: self._state(context) == "finished", f"the {location} sequence to finish")
        return context

    def _served(self, location: str, context: str, greeting: str) -> Served:
        """What became of a sequence, once its run is closed."""
        keptn = self.keptn.keptn
        events = keptn.events(context)
        task = next(str(event["id"]) for event in events if event["type"] == EVENT_TYPE)
        self._last = (location, task)
        self._wait(lambda: set(self._runs(task).values()) == {"closed"}, f"the {location} run to be closed")
        return Served(
            location=location,
            source=self.planes[location].source,
            state=self._state(context),
            counts=keptn.counts(task),
            replies=[event for event in events if event.get("triggeredid") == task],
            runs=self._runs(task),
            greeting=greeting,
        )

    def _trigger(self, location: str) -> str:
        """Send the sequence's event; gives its Keptn context."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to this machine
            answer = session.post(
                f"{self.keptn.url}/v1/event",
                json=sequence_event(location),
                headers={"x-token": self.keptn.token},
                timeout=10,
            )
        if answer.status_code != 200:
            raise DemoFailed(f"Keptn refused the sequence's event: {answer.status_code} {answer.text}")
        return str(answer.json()["keptnContext"])

    def _state(self, context: str) -> str:
        state = self.keptn.keptn.sequence_state(context)
        return str(state["state"]) if state else "unknown"

    def _runs(self, task: str) -> dict[str, str]:
        """The state of a task's run in each ledger that has one, by the plane's location."""
        runs = {location: plane.runs() for location, plane in self.planes.items()}
        return {location: states[task] for location, states in runs.items() if task in states}

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Print what goes on until something is so. Raises DemoFailed if it does not come in time."""
        is_so = False
        while not is_so:
            is_so = condition()
            self._clock.sleep(GLANCE)  # what has just led to it is told a moment later
            self._flow.show()
            if self._flow.failures:
                raise DemoFailed(self._failure())
            if not is_so and self._deadline.is_over():
                seconds = self._options.timeout
                raise DemoFailed(f"waited in vain for {what}, {seconds:g} s in all{self._hints()}")

    def _failure(self) -> str:
        invocation, answer = self._flow.failures[0]
        functions = (each for plane in self.planes.values() for each in (plane.poller, plane.worker))
        function = next(each for each in functions if each.name == invocation.function)
        return (
            f"the function {function.name} failed: {answer.content['errorMessage']}\n"
            f"  its last error: {function.last_error() or 'none'}\n"
            f"  its log:        {function.log}"
        )

    def _hints(self) -> str:
        """What the functions' logs say of it."""
        functions = [each for plane in self.planes.values() for each in (plane.poller, plane.worker)]
        errors = [(each, each.last_error()) for each in functions]
        said = [f"\n  {function.log}: {error}" for function, error in errors if error]
        return "".join(said) or f"\n  the functions' logs are in {self._logs}"

    def _report(self, contexts: Mapping[str, str], greetings: Mapping[str, str] = {}) -> None:
        """Say what became of the sequences. Raises DemoFailed if one was not served as it ought to be."""
        say = self._screen.say
        served = [
            self._served(location, context, greetings.get(location, ""))
            for location, context in contexts.items()
        ]
        say("\nKeptn's own count of the replies to each task:", "bold")
        say(f"  {'location':<9} {'sequence':<9} {'started':>7} {'finished':>9}   answered by", "dim")
        for each in served:
            started, finished = each.counts
            row = (
                f"  {each.location:<9} {each.state:<9} {started:>7} {finished:>9}   {', '.join(each.sources)}"
            )
            say(row, "red" if problems(each) else "green")
        if wrong := [sentence for each in served for sentence in problems(each)]:
            raise DemoFailed(";\n".join(wrong))


def check_ports(options: Options) -> None:
    """Raises DemoFailed if a port can't be had."""
    ports = {"Keptn": options.keptn_port, "AWS": options.aws_port, "Lambda": options.lambda_port}
    for service, port in ports.items():
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as problem:
            raise DemoFailed(f"{service} can't listen on port {port}: {problem.strerror}") from problem


def read_options(arguments: Sequence[str] | None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__, usage='make demo [DEMO="OPTIONS"]', add_help=True
    )
    parser.add_argument("--stay", action="store_true", help="stay up until Ctrl-C, to trigger more by hand")
    for name in ("keptn", "aws", "lambda"):
        parser.add_argument(f"--{name}-port", type=_port, default=0, metavar="N", help="default: a free one")
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="default: %(default)g"
    )
    return Options(**vars(parser.parse_args(arguments)))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    options = read_options(arguments)
    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ))
    logs = Path(tempfile.mkdtemp(prefix="keptn-lambda-executor-"))
    code = 130  # for Ctrl-C before the end
    try:
        check_ports(options)
        with Demo(options, screen, logs) as demo:
            demo.run()
            code = 0
            if options.stay:
                demo.stay()
            screen.say("\n" + STORY, "dim")
    except DemoFailed as problem:
        print(f"\nThe demo failed: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        screen.say()
    shutil.rmtree(logs)
    return code


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
