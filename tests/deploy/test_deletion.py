"""`sam delete` of a stack with a run under way, what stays of it, and who goes on with that."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.keptn.faults import Delay
from local.keptn.server import KeptnServer
from tests.deploy.conftest import python
from tests.deploy.emulator import Emulator
from tests.deploy.planes import Sequence, deploy, parameters
from tests.deploy.sam_cli import SECONDS, SamCli, Stack
from tests.support.waiting import until

REGION = "eu-central-1"
HEARTBEAT = r"/uniform/registration/[^/]+/ping$"
SLOW = 8.0  # seconds for which a heartbeat is under way: until the stack is being deleted


@pytest.fixture
def without_iam(sam: SamCli, tmp_path: Path) -> Iterator[SamCli]:
    """An account where a deleted role is good for a while yet, as AWS has it until all know of that."""
    with Emulator(python(), tmp_path / "aws", enforces_iam=False) as running:
        yield replace(sam, aws=running)


def test_a_deleted_stack_reports_what_it_has_under_way_and_another_goes_on_with_its_ledger(
    sam: SamCli, keptn: KeptnServer, let_go: Path
) -> None:
    stack = deploy(sam, "deleted", REGION, parameters(keptn), keptn.token)
    sequence = Sequence(keptn, "holding", {"hold": {"until": str(let_go)}})
    stack.tick()
    assert sequence.comes_to(1, 0)
    outputs = stack.outputs()
    assert len(everything_of(stack)) > 10

    stack.delete()
    let_go.touch()

    assert sequence.counts() == (1, 1)
    (finished,) = sequence.events("finished")
    assert finished["data"]["message"] == "The execution plane that had this task was deleted."
    assert keptn.keptn.uniform.integrations() == []
    assert everything_of(stack) == {outputs["LedgerTableName"], outputs["LifecycleLogGroupName"]}

    heir = deploy(
        sam, "heir", REGION, parameters(keptn, LedgerTableName=outputs["LedgerTableName"]), keptn.token
    )
    heir.tick()

    assert until(lambda: states(heir, outputs["LedgerTableName"]) == {"closed"}, seconds=60)
    heir.remove()
    assert everything_of(stack) == {outputs["LedgerTableName"], outputs["LifecycleLogGroupName"]}


def test_a_poller_that_outlives_its_stack_leaves_no_integration_behind(
    without_iam: SamCli, keptn: KeptnServer, let_go: Path
) -> None:
    """The emulator ends a deleted function's invocations, where AWS lets them end: so somebody does here what
    the last poller would, whose heartbeat is answered with "not found".
    """
    stack = deploy(without_iam, "outlived", REGION, parameters(keptn), keptn.token)
    sequence = Sequence(keptn, "holding", {"hold": {"until": str(let_go)}})
    stack.tick()
    assert sequence.comes_to(1, 0)
    (known,) = keptn.keptn.uniform.integrations()
    heartbeat = keptn.keptn.faults.add(Delay(SLOW), HEARTBEAT, "PUT", times=1)
    assert until(lambda: heartbeat.seen > 0)
    with ThreadPoolExecutor() as pool:
        registered_anew = pool.submit(register_once_it_is_gone, keptn, known)
        stack.remove()
    let_go.touch()

    assert registered_anew.result()
    assert keptn.keptn.uniform.integrations() == []
    assert sequence.counts() == (1, 1)


def register_once_it_is_gone(keptn: KeptnServer, known: Mapping[str, Any]) -> bool:
    """As a poller does that has just learnt that Keptn has forgotten its integration."""
    uniform = keptn.keptn.uniform
    if not until(lambda: uniform.integrations() == [], SECONDS):
        return False
    _, is_new = uniform.register({name: value for name, value in known.items() if name != "id"})
    return is_new


def everything_of(stack: Stack) -> set[str]:
    """The names of all that the stack's account has and that are the stack's by their names."""
    listings = (
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        ("dynamodb", "list_tables", "TableNames", None),
        ("ecs", "list_clusters", "clusterArns", None),
        ("events", "list_rules", "Rules", "Name"),
        ("iam", "list_roles", "Roles", "RoleName"),
        ("lambda", "list_functions", "Functions", "FunctionName"),
        ("lambda", "list_layers", "Layers", "LayerName"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("s3", "list_buckets", "Buckets", "Name"),
        ("scheduler", "list_schedules", "Schedules", "Name"),
        ("secretsmanager", "list_secrets", "SecretList", "Name"),
        ("sqs", "list_queues", "QueueUrls", None),
    )
    found = set()
    for service, listing, key, name in listings:
        for each in getattr(stack.client(service), listing)().get(key, []):
            found.add(each[name] if name else each)
    # The emulator makes a log group anew for what a deleted function still says; no role lets AWS do so.
    found -= {f"/aws/lambda/{stack.name}/{function}" for function in ("poller", "worker")}
    prefixes = (stack.name, f"/aws/lambda/{stack.name}/", "ExecutionPlaneLayer")
    return {each for each in found if each.rpartition("/000000000000/")[2].startswith(prefixes)}


def states(stack: Stack, table: str) -> set[str]:
    """The states of the runs in a ledger."""
    items = stack.client("dynamodb").scan(TableName=table)["Items"]
    return {item["state"]["S"] for item in items if "state" in item}
