"""What the doctor of `make runs` finds: each check in order and out of order, with what to do about it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import boto3
import pytest

import cli.runs.plane
from cli.runs.aws import Aws
from cli.runs.doctor import CHECKS, examine
from cli.runs.plane import Plane, Stack
from execution_plane.keptn.transport import Transport
from execution_plane.settings import IntegrationSettings
from local.keptn import in_process
from local.keptn.faults import Answer
from tests.support.world import SAYHELLO, World

INDEXES = [{"IndexName": "active"}, {"IndexName": "closed"}]
CONTAINERS = {"ECS_CLUSTER": "c", "CONTAINER_INIT_IMAGE": "python:3.13", "CONTAINER_CPU": "256"}


class FakeAws(Aws):
    """AWS by moto, but for answers that a test gives by service and method."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(region="eu-west-1")
        self.answers = answers

    def client(self, service: str) -> Any:
        real, answers = super().client(service), self.answers

        class Client:
            def __getattr__(self, name: str) -> Any:
                key = f"{service}.{name}"
                return (lambda **_: answers[key]) if key in answers else getattr(real, name)

        return Client()


class Patient:
    """A plane whose parts are in order, and what a test breaks of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.variables = {
            "Poller": {
                "KEPTN_API_URL": in_process.URL,
                "KEPTN_API_TOKEN_SECRET_ARN": "token",
                "LEDGER_TABLE_NAME": "ledger",
                "EVENT_TYPES": SAYHELLO,
                "WORKER_FUNCTION_NAME": "worker",
                "PLANE_SOURCE": "keptn-lambda-executor/1/eu-west-1/x",
                "REGISTRATION": "disabled",
                "INTEGRATION_LOCATION": "eu-west-1",
            },
            "Worker": {},
        }
        self.status = "UPDATE_COMPLETE"
        self.vpc: dict[str, Any] = {}
        self.answers: dict[str, Any] = {
            "dynamodb.describe_table": {"Table": {"GlobalSecondaryIndexes": INDEXES}},
            "scheduler.get_schedule": {"State": "ENABLED", "ScheduleExpression": "rate(1 minute)"},
            "lambda.get_account_settings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
            },
            "lambda.get_function_concurrency": {},
            "sqs.get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
            "service-quotas.get_service_quota": {"Quota": {"Value": 6.0}},
        }

    def findings(self) -> list[str]:
        """Every line of the doctor's, with its mark."""
        outputs = {
            "ScheduleName": "schedule",
            "LedgerTableName": "ledger",
            "PollerFunctionName": "Poller",
            "WorkerFunctionName": "Worker",
            "FailureQueueUrl": "http://queue",
        }
        aws = FakeAws({**self.answers})
        plane = Plane(aws, Stack("plane", self.status, outputs), self.world.clock)

        def configuration(name: str) -> Mapping[str, Any]:
            return {"Environment": {"Variables": self.variables[name]}, "VpcConfig": self.vpc}

        plane.configuration = configuration  # type: ignore[method-assign, assignment]
        return [f"{each.mark} {each.subject}: {each.sentence}" for each in examine(plane)]


@pytest.fixture
def patient(world: World, aws: None, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.setattr(cli.runs.plane, "Transport", partial(Transport, session=world.session))
    boto3.client("secretsmanager").create_secret(Name="token", SecretString=world.keptn.token)
    return Patient(world)


def line(patient: Patient, subject: str) -> str:
    """The only line about a subject."""
    (found,) = [each for each in patient.findings() if each[2:].startswith(f"{subject}:")]
    return found


def test_a_plane_in_order_has_nothing_but_ticks(patient: Patient) -> None:
    found = patient.findings()

    assert all(each.startswith("✓ ") for each in found)
    assert [each[2:].partition(":")[0] for each in found] == [
        "stack", "schedule", "ledger", "settings", "images", "secrets", "Keptn", "registration",
        "concurrency", "failure queue", "network",
    ]  # fmt: skip


def test_every_check_says_what_it_could_not_check_and_the_others_go_on(patient: Patient) -> None:
    patient.answers = {}
    patient.variables["Worker"] = CONTAINERS | {"CONTAINER_SUBNET_IDS": "subnet-00000000"}
    patient.vpc = {"SubnetIds": ["subnet-00000000"]}

    found = patient.findings()

    assert {each[2:].partition(":")[0] for each in found} >= {subject for subject, _ in CHECKS}
    assert any(each.startswith("? ") and "could not be checked" in each for each in found)


def test_a_deployment_that_failed_is_told(patient: Patient) -> None:
    patient.status = "UPDATE_ROLLBACK_COMPLETE"

    assert line(patient, "stack").startswith("✗ stack: UPDATE_ROLLBACK_COMPLETE: the last deployment failed")


def test_a_plane_that_does_not_poll_or_drains_is_told(patient: Patient) -> None:
    patient.answers["scheduler.get_schedule"] = {"State": "DISABLED", "ScheduleExpression": "rate(1 minute)"}
    patient.variables["Poller"]["DRAIN"] = "true"

    assert "ScheduleState=ENABLED" in line(patient, "schedule")
    assert "Drain=false" in line(patient, "drain")


def test_a_table_that_an_earlier_stack_has_left_may_lack_an_index(patient: Patient) -> None:
    assert line(patient, "ledger") == "✓ ledger: ledger has both indexes."

    patient.answers["dynamodb.describe_table"] = {"Table": {"GlobalSecondaryIndexes": INDEXES[:1]}}

    assert line(patient, "ledger").startswith("✗ ledger: ledger has no index closed: add it")


def test_a_setting_that_means_nothing_is_told_by_its_parameter(patient: Patient) -> None:
    patient.variables["Poller"]["EVENT_TYPES"] = "sh.keptn.event.*"

    assert line(patient, "settings").startswith("✗ settings: EventTypes is")


@pytest.mark.parametrize(
    ("variables", "mark", "words"),
    [
        ({}, "✓", "those that match 1 pattern"),
        ({"ALLOWED_IMAGES": "a[,docker.io/*"}, "✗", "AllowedImages: invalid image pattern"),
        ({"CONTAINER_INIT_IMAGE": ""}, "✗", "ContainerInitImage is empty"),
    ],
)
def test_images_that_no_task_could_use_are_told(
    patient: Patient, variables: dict[str, str], mark: str, words: str
) -> None:
    patient.variables["Worker"] = CONTAINERS | {"ALLOWED_IMAGES": "docker.io/*"} | variables

    assert line(patient, "images").startswith(f"{mark} images: ")
    assert words in line(patient, "images")


def test_a_secret_that_holds_no_token_is_told(patient: Patient) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="token", SecretString="two\nlines")

    assert line(patient, "secrets").startswith("✗ secrets: KeptnApiTokenSecretArn")
    assert "two" not in line(patient, "secrets")


def test_a_token_that_keptn_refuses_is_told(patient: Patient) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="token", SecretString="wrong")

    assert line(patient, "token").startswith("✗ token: ")


def test_a_url_that_is_not_keptns_is_told(patient: Patient) -> None:
    patient.world.keptn.faults.add(Answer(200, "<html>", "text/html"), "/controlPlane")

    assert line(patient, "Keptn").startswith("✗ Keptn: ")
    assert "KeptnApiUrl" in line(patient, "Keptn")


def register(patient: Patient, *events: str) -> None:
    """Let Keptn know an integration of the plane's name, with subscriptions to events."""
    patient.variables["Poller"] |= {"REGISTRATION": "enabled", "INTEGRATION_NAME": "plane"}
    shown = IntegrationSettings.from_environment(patient.variables["Poller"])
    patient.world.client().register(
        {
            "name": shown.name,
            "metadata": {
                "hostname": "h",
                "integrationversion": "1",
                "distributorversion": "",
                "location": "eu-west-1",
                "kubernetesmetadata": {"namespace": shown.namespace, "podname": "p", "deploymentname": "d"},
            },
            "subscriptions": [{"event": event, "filter": {}} for event in events],
        }
    )


def test_a_plane_that_the_bridge_does_not_know_is_told(patient: Patient) -> None:
    patient.variables["Poller"] |= {"REGISTRATION": "enabled", "INTEGRATION_NAME": "plane"}

    assert line(patient, "registration").startswith("✗ registration: Keptn has no integration plane")


def test_an_integration_that_is_alive_and_its_subscriptions_are_told(patient: Patient) -> None:
    register(patient, SAYHELLO)

    assert line(patient, "registration") == "✓ registration: plane in eu-west-1 is alive."
    assert line(patient, "subscriptions") == f"✓ subscriptions: {SAYHELLO}."


def test_an_integration_that_was_silent_for_long_is_told(patient: Patient) -> None:
    register(patient, SAYHELLO)
    patient.world.clock.advance(3600)

    assert line(patient, "registration").startswith("✗ registration: the last heartbeat was 1 h ago")


def test_subscriptions_that_can_not_be_served_or_are_missing_are_told(patient: Patient) -> None:
    register(patient, "sh.keptn.event.*.triggered")

    found = [each for each in patient.findings() if "subscriptions:" in each]
    assert "is ignored" in found[0]
    assert "no task is taken: add one in the Bridge" in found[1]


def test_subscriptions_that_differ_from_the_templates_are_told(patient: Patient) -> None:
    register(patient, "sh.keptn.event.other.triggered")

    assert "the Bridge rules, and the template says otherwise" in line(patient, "subscriptions")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            {"lambda.get_function_concurrency": {"ReservedConcurrentExecutions": 5}},
            "✓ concurrency: 5 tasks at once",
        ),
        (
            {
                "lambda.get_account_settings": {
                    "AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
                }
            },
            "✗ concurrency: 10 of the account's 10 concurrent invocations",
        ),
    ],
)
def test_too_little_concurrency_is_told(patient: Patient, answers: dict[str, Any], words: str) -> None:
    patient.answers |= answers

    assert line(patient, "concurrency").startswith(words)


def test_what_aws_gave_up_on_is_told(patient: Patient) -> None:
    patient.answers["sqs.get_queue_attributes"] = {"Attributes": {"ApproximateNumberOfMessages": "2"}}

    assert "gave up on 2 invocations" in line(patient, "failure queue")


@pytest.mark.parametrize(
    ("vcpus", "mark", "words"), [(6.0, "✓", "24 containers"), (0.0, "✗", "0 containers")]
)
def test_how_many_containers_fit_is_told(patient: Patient, vcpus: float, mark: str, words: str) -> None:
    patient.variables["Worker"] = {**CONTAINERS}
    patient.answers["service-quotas.get_service_quota"] = {"Quota": {"Value": vcpus}}

    assert line(patient, "Fargate").startswith(mark)
    assert words in line(patient, "Fargate")


@pytest.fixture
def subnet(aws: None) -> str:
    """A subnet of a new VPC, without a way out."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"])


def route(subnet: str, **target: str) -> None:
    """Give a subnet a route table of its own, with a default route."""
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)


def gateway(subnet: str) -> dict[str, str]:
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
    return {"GatewayId": made}


def nat(subnet: str) -> dict[str, str]:
    return {
        "NatGatewayId": boto3.client("ec2").create_nat_gateway(SubnetId=subnet)["NatGateway"]["NatGatewayId"]
    }


def test_a_subnet_with_a_nat_leads_out(patient: Patient, subnet: str) -> None:
    patient.vpc = {"SubnetIds": [subnet]}
    route(subnet, **nat(subnet))

    assert line(patient, "network").startswith(f"✓ network: {subnet} leads out by nat-")


def test_functions_in_a_public_subnet_have_no_way_out(patient: Patient, subnet: str) -> None:
    patient.vpc = {"SubnetIds": [subnet]}
    route(subnet, **gateway(subnet))

    assert "serves public addresses only: use one with a NAT gateway." in line(patient, "network")


def test_a_subnet_without_a_way_out_needs_endpoints(patient: Patient, subnet: str) -> None:
    patient.vpc = {"SubnetIds": [subnet]}
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]

    assert "no VPC endpoint for dynamodb, secretsmanager, lambda, sqs" in line(patient, "network")

    for name in ("dynamodb", "secretsmanager", "lambda", "sqs"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.eu-west-1.{name}")
    assert line(patient, "network").startswith(f"✓ network: {subnet} has no route out; the endpoints")


def test_a_proxy_is_a_way_out(patient: Patient, subnet: str) -> None:
    patient.vpc = {"SubnetIds": [subnet]}
    patient.variables["Poller"]["HTTPS_PROXY"] = "http://proxy.test:3128"

    assert "HttpsProxy is http://proxy.test:3128" in line(patient, "network")


@pytest.mark.parametrize(("assigned", "mark"), [("true", "✓"), ("false", "✗")])
def test_containers_in_a_public_subnet_need_an_address(
    patient: Patient, subnet: str, assigned: str, mark: str
) -> None:
    route(subnet, **gateway(subnet))
    patient.variables["Worker"] = CONTAINERS | {
        "CONTAINER_SUBNET_IDS": subnet,
        "CONTAINER_ASSIGN_PUBLIC_IP": assigned,
    }

    assert line(patient, "containers' network").startswith(mark)
