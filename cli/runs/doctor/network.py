"""Ways out of the VPC: whether the functions and the containers reach Keptn, registries and AWS."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.runs.aws import ask
from cli.runs.doctor.finding import Finding, fine, problem
from cli.runs.plane import Plane
from execution_plane.settings import without_login

NEEDED = ("dynamodb", "secretsmanager", "lambda", "sqs")
"""The services that the functions call; with containers, also ecs, logs and s3; with allowlists, ssm;
with state machines, states."""
NEEDED_FOR_CONTAINERS = ("ecr.api", "ecr.dkr", "s3", "logs")
"""The services that Fargate calls for a container, from its subnets; with secrets, also their store."""
CONTAINERS = "containers' network"
NO_ROUTE_OUT = "has no route out"
ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")


def check_network(plane: Plane) -> Iterator[Finding]:
    """Whether the functions' subnets lead somewhere."""
    vpc = plane.configuration("Poller").get("VpcConfig") or {}
    subnets = vpc.get("SubnetIds") or []
    if not subnets:
        yield fine("network", "the functions run in no VPC, and reach the internet.")
        return
    environment = plane.environment("Poller")
    worker = plane.environment("Worker")
    for_containers = ("ecs", "logs", "s3") if worker.get("ECS_CLUSTER") else ()
    for_allowlists = ("ssm",) if worker.get("ALLOWLISTS_PARAMETER") else ()
    for_steps = ("states",) if plane.allowlists.state_machines else ()
    wanted = (*NEEDED, *for_containers, *_secret_store(worker), *for_allowlists, *for_steps)
    needed = list(dict.fromkeys(wanted))
    for subnet in subnets:
        yield _way_out(
            plane,
            "network",
            subnet,
            needed,
            has_public_ip=False,
            proxy=environment.get("HTTPS_PROXY", ""),
        )


def check_container_network(plane: Plane) -> Iterator[Finding]:
    """Whether the containers' subnets lead to registries and AWS."""
    environment = plane.environment("Worker")
    if not environment.get("ECS_CLUSTER"):
        return
    has_public_ip = environment.get("CONTAINER_ASSIGN_PUBLIC_IP") == "true"
    needed = [*NEEDED_FOR_CONTAINERS, *_secret_store(environment)]
    image = environment.get("CONTAINER_INIT_IMAGE", "")
    for subnet in filter(None, environment.get("CONTAINER_SUBNET_IDS", "").split(",")):
        found = _way_out(plane, CONTAINERS, subnet, needed, has_public_ip=has_public_ip, proxy="")
        yield found
        if NO_ROUTE_OUT in found.sentence and image and not ECR.match(image):
            yield problem(
                CONTAINERS,
                f"{subnet} has no way to {image}: only Amazon ECR has VPC endpoints. Copy "
                "the image there, and name it by ContainerInitImage; tasks need their images there, too.",
            )


def _secret_store(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The service that has the secrets of job configs, if they may use any."""
    return (environment.get("SECRET_STORE") or "secretsmanager",) if environment.get("SECRET_PREFIX") else ()


def _way_out(
    plane: Plane, subject: str, subnet: str, needed: Sequence[str], *, has_public_ip: bool, proxy: str
) -> Finding:
    routes, vpc = _routes(plane, subnet)
    target = next((_target(each) for each in routes if each.get("DestinationCidrBlock") == "0.0.0.0/0"), "")
    if target.startswith("igw-") and not has_public_ip:
        return problem(
            subject,
            f"{subnet} leads to an internet gateway, which serves public addresses only: use one with a NAT"
            + (" gateway, or ContainerAssignPublicIp=true." if subject != "network" else " gateway."),
        )
    if target:
        return fine(subject, f"{subnet} leads out by {target}.")
    if proxy:
        return fine(subject, f"{subnet} {NO_ROUTE_OUT}, and HttpsProxy is {without_login(proxy)}.")
    present = _endpoints(plane, vpc)
    missing = [name for name in needed if name not in present]
    if missing:
        return problem(
            subject,
            f"{subnet} {NO_ROUTE_OUT} and no VPC endpoint for {', '.join(missing)}: add them, or a NAT.",
        )
    return fine(subject, f"{subnet} {NO_ROUTE_OUT}; the endpoints for {', '.join(needed)} are there.")


def _routes(plane: Plane, subnet: str) -> tuple[Sequence[Mapping[str, Any]], str]:
    """The routes of a subnet: those of its own table, or of its VPC's main one; and the VPC."""
    ec2 = plane.aws.client("ec2")
    vpc = str(ask(lambda: ec2.describe_subnets(SubnetIds=[subnet]))["Subnets"][0]["VpcId"])

    def tables(*filters: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(lambda: ec2.describe_route_tables(Filters=list(filters)))[
            "RouteTables"
        ]
        return found

    own = tables({"Name": "association.subnet-id", "Values": [subnet]})
    main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    found = own or tables(*main)
    return (found[0]["Routes"] if found else []), vpc


def _target(route: Mapping[str, Any]) -> str:
    """What a route leads to; empty for one that is out of order."""
    if route.get("State") == "blackhole":
        return ""
    names = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "GatewayId")
    return next((str(route[name]) for name in names if route.get(name)), "")


def _endpoints(plane: Plane, vpc: str) -> set[str]:
    """The services that a VPC has endpoints for: `dynamodb` of `com.amazonaws.eu-west-1.dynamodb`."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    found = ask(lambda: plane.aws.client("ec2").describe_vpc_endpoints(Filters=filters))["VpcEndpoints"]
    region = plane.aws.region
    return {
        each["ServiceName"].partition(f".{region}.")[2] for each in found if each.get("State") != "failed"
    }
