"""Two stacks in two regions, each with its own match, as the seed's exercise has it."""

from collections.abc import Iterator

import pytest

from local.keptn.server import KeptnServer
from tests.deploy.planes import Sequence, deploy, parameters
from tests.deploy.sam_cli import SamCli, Stack

REGIONS = {"APAC": "ap-southeast-1", "EU": "eu-west-1"}


@pytest.fixture(scope="module")
def planes(sam: SamCli, keptn: KeptnServer) -> Iterator[dict[str, Stack]]:
    stacks = {
        location: deploy(sam, f"hello-{location.lower()}", region, parameters(keptn, location), keptn.token)
        for location, region in REGIONS.items()
    }
    yield stacks
    for stack in stacks.values():
        stack.remove()


def test_by_the_schedules_ticks_alone_each_region_takes_its_own(
    planes: dict[str, Stack], keptn: KeptnServer
) -> None:
    sequences = {
        location: Sequence(keptn, "sequence1", {"sayhello": {"location": location}}) for location in REGIONS
    }

    for location, sequence in sequences.items():
        assert sequence.comes_to(1, 1)
        (started,), (finished,) = sequence.events("started"), sequence.events("finished")
        assert started["source"] == finished["source"] == planes[location].source
        assert finished["data"]["message"] == f"Hello, world from {location}!"
        assert finished["data"]["result"] == "pass"


def test_both_show_in_the_bridge(planes: dict[str, Stack], keptn: KeptnServer) -> None:
    shown = {
        each["metadata"]["kubernetesmetadata"]["namespace"]: each["metadata"]["location"]
        for each in keptn.keptn.uniform.integrations()
    }

    assert shown == {
        planes[location].source.removeprefix("keptn-lambda-executor/"): region
        for location, region in REGIONS.items()
    }
