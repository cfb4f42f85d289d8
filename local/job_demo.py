"""The demo's second act: a job executor's `job/config.yaml`, unchanged, whose tasks run in containers."""

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests

from local.aws_server import AwsServer, local_client
from local.containers import LocalContainers
from local.ecs.engine import Engine
from local.example import PROJECT, SERVICE, STAGE
from local.keptn.server import KeptnServer
from local.lambda_endpoint import LambdaEndpoint
from local.plane import plane_name, worker_name

JOB_CONFIG: Final = Path(__file__).parent / "seed-job-config.yaml"
IMAGE: Final = "alpine"  # of its tasks
GREETINGS: Final = {"APAC": "Hello, world from APAC!", "EU": "Hello, world from Europe!"}


def containers_of(
    location: str, region: str, *, engine: Engine, aws: AwsServer, functions: LambdaEndpoint
) -> LocalContainers:
    """ECS for the plane of a location, which wakes its worker as EventBridge would."""

    def wake(event: dict[str, Any]) -> None:
        local_client("lambda", functions.url, region).invoke(
            FunctionName=worker_name(location), InvocationType="Event", Payload=json.dumps(event).encode()
        )

    return LocalContainers(
        engine,
        partial(aws.client, region=region),
        wake,
        aws_url=aws.url,
        bucket=f"{plane_name(location)}-files",
        region=region,
    )


def upload(keptn: KeptnServer) -> None:
    """Put the job config where Keptn has that of the example's service."""
    content = base64.b64encode(JOB_CONFIG.read_bytes()).decode()
    place = f"{keptn.url}/resource-service/v1/project/{PROJECT}/stage/{STAGE}/service/{SERVICE}/resource"
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads to this machine
        session.post(
            place,
            json={"resources": [{"resourceURI": "job/config.yaml", "resourceContent": content}]},
            headers={"x-token": keptn.token},
            timeout=10,
        ).raise_for_status()
