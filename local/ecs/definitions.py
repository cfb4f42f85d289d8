"""Task definitions: families of numbered revisions, checked as ECS checks them for Fargate."""

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from local.ecs.errors import client_error

Json = dict[str, Any]

FAMILY: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
GIB: Final = 1024
# Task CPU units to MiB of memory (ECS developer guide, "Fargate task sizes").
FARGATE_SIZES: Final[Mapping[int, tuple[int, ...]]] = {
    256: (512, 1 * GIB, 2 * GIB),
    512: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
    1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
}


class TaskDefinitions:
    """All revisions that were registered."""

    def __init__(self, arn_prefix: str) -> None:
        """`arn_prefix` is `arn:aws:ecs:REGION:ACCOUNT`."""
        self._arn_prefix = arn_prefix
        self._families: dict[str, list[Json]] = {}

    def register(self, request: Mapping[str, Any], now: float) -> Json:
        """Add the next revision of a family; gives it back. Raises EcsError."""
        check(request)
        revisions = self._families.setdefault(request["family"], [])
        number = len(revisions) + 1
        definition = {
            **copy.deepcopy({name: value for name, value in request.items() if name != "tags"}),
            "taskDefinitionArn": f"{self._arn_prefix}:task-definition/{request['family']}:{number}",
            "revision": number,
            "status": "ACTIVE",
            "volumes": copy.deepcopy(request.get("volumes", [])),
            "compatibilities": ["EC2", "FARGATE"],
            "registeredAt": now,
        }
        revisions.append({"definition": definition, "tags": list(request.get("tags", []))})
        return self.describe(definition["taskDefinitionArn"])

    def describe(self, reference: str) -> Json:
        """A revision by `family`, `family:revision` or ARN: `definition` and `tags`. Raises EcsError."""
        family, _, number = reference.rpartition("task-definition/")[2].partition(":")
        revisions = self._families.get(family, [])
        if number:
            found = revisions[int(number) - 1 : int(number)] if number.isdigit() and number != "0" else []
        else:
            found = [each for each in revisions if each["definition"]["status"] == "ACTIVE"][-1:]
        if not found:
            raise client_error("Unable to describe task definition.")
        return copy.deepcopy(found[0])

    def deregister(self, reference: str) -> Json:
        """Make a revision INACTIVE. Raises EcsError."""
        definition = self.describe(reference)["definition"]
        self._families[definition["family"]][definition["revision"] - 1]["definition"]["status"] = "INACTIVE"
        return self.describe(definition["taskDefinitionArn"])

    def arns(self, family_prefix: str, status: str, *, descending: bool) -> list[str]:
        """The ARNs of a family's revisions, or of all, by family and number."""
        arns = [
            each["definition"]["taskDefinitionArn"]
            for family in sorted(self._families)
            if not family_prefix or family == family_prefix
            for each in self._families[family]
            if each["definition"]["status"] == status
        ]
        return arns[::-1] if descending else arns


def check(request: Mapping[str, Any]) -> None:
    """Refuse what ECS refuses of a definition for Fargate. Raises EcsError."""
    if not FAMILY.fullmatch(request.get("family", "")):
        raise client_error("Family contains invalid characters.")
    if "FARGATE" not in request.get("requiresCompatibilities", []):
        raise client_error("Only Fargate is here: requiresCompatibilities must have FARGATE.")
    if request.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    check_size(request.get("cpu"), request.get("memory"))
    containers = request.get("containerDefinitions", [])
    names = [container.get("name", "") for container in containers]
    if not containers or len(set(names)) != len(names):
        raise client_error("Container.name contains invalid characters or is there twice.")
    if not any(container.get("essential", True) for container in containers):
        raise client_error("A task definition must have at least one essential container.")
    volumes = {volume["name"] for volume in request.get("volumes", [])}
    for container in containers:
        _check_container(container, containers, volumes, has_role=bool(request.get("executionRoleArn")))


def check_size(cpu: object, memory: object) -> None:
    """Refuse a size that Fargate does not have. Raises EcsError."""
    try:
        sizes = FARGATE_SIZES.get(int(str(cpu)), ())
        found = int(str(memory)) in sizes
    except ValueError:
        found = False
    if not found:
        raise client_error(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )


def _check_container(
    container: Mapping[str, Any], all_containers: list[Json], volumes: set[str], *, has_role: bool
) -> None:
    if not container.get("image"):
        raise client_error("Container.image should not be null or empty.")
    driver = container.get("logConfiguration", {}).get("logDriver")
    if (driver == "awslogs" or container.get("secrets")) and not has_role:
        raise client_error(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
        )
    for mount in container.get("mountPoints", []):
        if mount["sourceVolume"] not in volumes:
            raise client_error(f"Unknown volume '{mount['sourceVolume']}'.")
    others = {other["name"]: other for other in all_containers if other["name"] != container["name"]}
    for dependency in container.get("dependsOn", []):
        other = others.get(dependency["containerName"])
        if other is None:
            raise client_error(f"Container dependency {dependency['containerName']} does not exist.")
        if dependency["condition"] in {"SUCCESS", "COMPLETE"} and other.get("essential", True):
            raise client_error(
                "A container with dependency condition SUCCESS or COMPLETE can't be essential."
            )
