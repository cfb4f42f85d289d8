"""A job executor's `job/config.yaml`, unchanged, served by a plane here: `python -m local.job_demo`.

One plane takes the tasks of both regions. They run in containers where Docker answers, else on this machine.
"""

import argparse
import base64
import contextlib
import io
import json
import logging
import os
import queue
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3
import requests
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from execution_plane.clock import Clock, Deadline, SystemClock
from local.aws import POLLER, QUEUE, SECRET, TABLE, WORKER, create_queue, create_secret, create_table
from local.containers import LocalContainers, find_engine
from local.ecs.docker_engine import DockerEngine, NoDocker
from local.example import EVENT_TYPE, PROJECT, SEQUENCE, SERVICE, SHIPYARD, STAGE
from local.keptn.server import KeptnServer
from local.stand_ins import gateway

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JOB_CONFIG: Final = Path(__file__).parent / "seed-job-config.yaml"
REGION: Final = "us-east-1"
FUNCTION_SECONDS: Final = 900.0
WAIT_SECONDS: Final = 60.0
TICK_SECONDS: Final = 0.2
GREETINGS: Final = {"APAC": "Hello, world from APAC!", "EU": "Hello, world from Europe!"}


class DemoFailed(Exception):
    """A task was not served as its job config says; the text says what is wrong."""


class Invocation:
    """What a handler is told of its invocation, as Lambda's context object has it."""

    memory_limit_in_mb = 512

    def __init__(self, function: str, clock: Clock) -> None:
        self.function_name = function
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:{function}"
        self.aws_request_id = str(uuid4())
        self._deadline = Deadline.after(clock, FUNCTION_SECONDS)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's deadline."""
        return int(self._deadline.remaining() * 1000)


class Worker:
    """A context manager: Lambda with the worker, which is invoked asynchronously, one after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._invocations: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._work, daemon=True),
        ]

    def __enter__(self) -> "Worker":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._invocations.put(None)
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    def invoke(self, event: Any) -> None:
        """Queue an invocation."""
        self._invocations.put(event)

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self.invoke(json.loads(Request(environ).get_data()))
        return Response(status=202)(environ, start_response)

    def _work(self) -> None:
        import worker

        while (event := self._invocations.get()) is not None:
            with contextlib.suppress(Exception):  # the worker logs what it raises, and Lambda goes on
                worker.handler(event, Invocation(WORKER, self._clock))


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class JobDemo:
    """A context manager: Keptn, AWS with ECS, and one plane, whose functions run in this process.

    It takes over the process's environment, as the functions read theirs from it.
    """

    def __init__(self, engine: str = "") -> None:
        """`engine` is docker, host or empty for what there is. Raises NoDocker."""
        self.clock = SystemClock()
        self.engine = find_engine(engine)
        self.keptn = KeptnServer()
        self._worker = Worker(self.clock)
        self._stack = ExitStack()

    def __enter__(self) -> "JobDemo":
        with ExitStack() as stack:
            stack.enter_context(self.keptn)
            self._start_aws(stack)
            self.keptn.keptn.create_project(PROJECT, SHIPYARD, (SERVICE,))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start_aws(self, stack: ExitStack) -> None:
        aws = ThreadedMotoServer(gateway(), 0, verbose=False)
        aws.start()
        stack.callback(aws.stop)
        host, port = aws.get_host_and_port()
        url = f"http://{host}:{port}"
        os.environ |= {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        create_table(boto3.client("dynamodb"))
        create_queue(boto3.client("sqs"))
        create_secret(boto3.client("secretsmanager"), self.keptn.token)
        containers = LocalContainers(self.engine, _client, self._worker.invoke, aws_url=url)
        # The functions read it when they are imported.
        os.environ |= {**self._plane(), **containers.endpoints, **containers.variables}
        stack.enter_context(self._worker)
        stack.enter_context(containers)

    def _plane(self) -> dict[str, str]:
        """The environment of the plane's functions, apart from what containers need."""
        return {
            "AWS_ENDPOINT_URL_LAMBDA": self._worker.url,
            "KEPTN_API_URL": self.keptn.url,
            "KEPTN_API_TOKEN_SECRET_ARN": SECRET,
            "LEDGER_TABLE_NAME": TABLE,
            "EVENT_TYPES": EVENT_TYPE,
            "POLL_INTERVAL_SECONDS": "0",
            "POLL_WINDOW_SECONDS": "0",
            "PLANE_SOURCE": "keptn-lambda-executor/123456789012/us-east-1/job-demo",
            "WORKER_FUNCTION_NAME": WORKER,
            "FAILURE_QUEUE_URL": boto3.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"],
            "POWERTOOLS_SERVICE_NAME": "job-demo",
            "POWERTOOLS_METRICS_NAMESPACE": "KeptnLambdaExecutor",
        }

    def upload(self, job_config: bytes) -> None:
        """Put the job config where the project has it in Keptn."""
        resource = {
            "resourceURI": "job/config.yaml",
            "resourceContent": base64.b64encode(job_config).decode(),
        }
        place = f"{self.keptn.url}/resource-service/v1/project/{PROJECT}/stage/{STAGE}/service/{SERVICE}"
        answer = requests.post(
            f"{place}/resource",
            json={"resources": [resource]},
            headers={"x-token": self.keptn.token},
            timeout=10,
        )
        answer.raise_for_status()

    def serve(self, location: str) -> str:
        """Trigger the sequence for a location and poll until it is over; the message of the finished.

        Raises DemoFailed.
        """
        import poller

        keptn = self.keptn.keptn
        context = keptn.trigger(PROJECT, STAGE, SERVICE, SEQUENCE, {"sayhello": {"location": location}})
        deadline = Deadline.after(self.clock, WAIT_SECONDS)
        while (state := keptn.sequence_state(context)) is None or state["state"] != "finished":
            if deadline.is_over():
                raise DemoFailed(f"the {location} sequence did not finish in {WAIT_SECONDS:g} s")
            poller.handler({}, Invocation(POLLER, self.clock))
            self.clock.sleep(TICK_SECONDS)
        return _message(keptn.events(context), keptn.counts)


def _message(events: Sequence[Any], counts: Any) -> str:
    task = next(event["id"] for event in events if event["type"] == EVENT_TYPE)
    finished = next(event for event in events if event["type"].endswith("sayhello.finished"))
    if counts(task) != (1, 1):
        raise DemoFailed(f"Keptn counted {counts(task)[0]} started and {counts(task)[1]} finished")
    if finished["data"]["result"] != "pass":
        raise DemoFailed(str(finished["data"]["message"]))
    return str(finished["data"]["message"])


def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


@contextlib.contextmanager
def _functions_logs() -> Iterator[io.StringIO]:
    """Keep apart what the functions print: their logger takes the standard output that it finds."""
    with contextlib.redirect_stdout(io.StringIO()) as logs:
        yield logs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.job_demo", description=__doc__)
    parser.add_argument("--engine", choices=("docker", "host"), default="", help="default: what there is")
    options = parser.parse_args(arguments)
    out = sys.stdout
    warnings.filterwarnings("ignore", message="No application metrics")  # most invocations have none
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # moto's server logs every request
    with _functions_logs() as logs:
        try:
            with JobDemo(options.engine) as demo:
                demo.upload(JOB_CONFIG.read_bytes())
                where = demo.engine.description
                why = (
                    ""
                    if options.engine or isinstance(demo.engine, DockerEngine)
                    else ", as no Docker answers"
                )
                print(f"job/config.yaml is in Keptn; its tasks run {where}{why}.", file=out)
                for location, greeting in GREETINGS.items():
                    message = demo.serve(location)
                    print(f"{location:<5} {message}   (ran {where})", file=out)
                    if message != greeting:
                        raise DemoFailed(f"expected {greeting!r} for {location}")
        except (DemoFailed, NoDocker) as problem:
            print(f"The demo failed: {problem}\n{logs.getvalue()}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
