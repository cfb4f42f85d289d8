"""Containers for a plane on a laptop: a local ECS beside a local AWS, and what the worker is told of them."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, Self

from local.ecs.cluster import ACCOUNT, REGION, Ecs, StateChange
from local.ecs.docker_engine import DockerEngine, NoDocker
from local.ecs.engine import Engine, StartFailed
from local.ecs.host_engine import HostEngine
from local.ecs.server import EcsServer

CLUSTER: Final = "containers"
LOG_GROUP: Final = "/aws/ecs/containers"
HOME_REGION: Final = "us-east-1"  # the one in which S3 wants no location to be named


def find_engine(image: str) -> Engine:
    """Docker, if it answers and has the image or can pull it; else this machine itself."""
    try:
        engine = DockerEngine()
    except NoDocker:
        return HostEngine("no Docker answers")
    try:
        engine.pull(image)
    except StartFailed:
        engine.close()
        return HostEngine(f"Docker has no image {image} and can't pull it")
    return engine


class LocalContainers:
    """A context manager: ECS listens while inside, with a log group and a bucket in the local AWS."""

    def __init__(
        self,
        engine: Engine,
        client: Callable[[str], Any],
        wake: StateChange,
        *,
        aws_url: str,
        bucket: str,
        region: str = REGION,
        account: str = ACCOUNT,
    ) -> None:
        """`client` makes clients of the local AWS, which containers find at `aws_url`.

        `wake` gets the event of each container's end, as EventBridge would hand it to the worker.
        """
        self.engine = engine
        self.bucket = bucket
        self._client = client
        self._region = region
        self._role_prefix = f"arn:aws:iam::{account}:role"
        injected = {
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        self.ecs = Ecs(
            engine, client, wake, cluster=CLUSTER, region=region, account=account, injected=injected
        )
        self._server = EcsServer(self.ecs)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._client("logs").create_log_group(logGroupName=LOG_GROUP)
        place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        self._client("s3").create_bucket(Bucket=self.bucket, **({} if self._region == HOME_REGION else place))
        self._stack.enter_context(self._server)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def endpoints(self) -> Mapping[str, str]:
        """The variables by which both functions find ECS."""
        return {"AWS_ENDPOINT_URL_ECS": self._server.url}

    @property
    def outputs(self) -> Mapping[str, str]:
        """What a stack's outputs have of it."""
        return {"ContainerClusterName": CLUSTER, "ContainerLogGroupName": LOG_GROUP}

    @property
    def variables(self) -> Mapping[str, str]:
        """What the worker's environment has where containers are enabled."""
        return {
            "ECS_CLUSTER": CLUSTER,
            "CONTAINER_SUBNET_IDS": "subnet-0a1b2c3d",
            "CONTAINER_EXECUTION_ROLE_ARN": f"{self._role_prefix}/execution",
            "CONTAINER_TASK_ROLE_ARN": f"{self._role_prefix}/task",
            "CONTAINER_BUCKET": self.bucket,
            "CONTAINER_INIT_IMAGE": "public.ecr.aws/lambda/python:3.13",
        }
