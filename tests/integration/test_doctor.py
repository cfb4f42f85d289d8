"""What the doctor of `./plane` finds: each check in order and out of order, with what to do about it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import cli.runs.plane
from cli.runs.aws import Aws, Missing
from cli.runs.doctor import CHECKS, Finding, examine, is_in_order
from cli.runs.doctor.polls import MINUTE, STALE, Beat
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
                return partial(_give, answers[key]) if key in answers else getattr(real, name)

        return Client()


def _give(answer: Any, **_: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


def gone(operation: str) -> ClientError:
    """What AWS says of something that was deleted."""
    error = {"Error": {"Code": "ResourceNotFoundException", "Message": "it is not there"}}
    return ClientError(error, operation)  # type: ignore[arg-type]


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
        self.parameters: dict[str, str] = {}
        self.vpc: dict[str, Any] = {}
        self.deleted: set[str] = set()
        self.answers: dict[str, Any] = {
            "dynamodb.describe_table": {"Table": {"GlobalSecondaryIndexes": INDEXES}},
            "scheduler.get_schedule": self.schedule(),
            "logs.filter_log_events": {"events": []},
            "lambda.get_account_settings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
            },
            "lambda.get_function_concurrency": {},
            "sqs.get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
            "lambda.list_event_source_mappings": {"EventSourceMappings": [{"State": "Enabled"}]},
            "service-quotas.get_service_quota": {"Quota": {"Value": 6.0}},
        }

        self.counted((0, 1, 0))

    def schedule(
        self, state: str = "ENABLED", expression: str = "rate(1 minute)", age: float = 86_400.0
    ) -> dict[str, Any]:
        """What Scheduler says of a schedule that was made so many seconds ago."""
        made = datetime.fromtimestamp(self.world.clock.now() - age, UTC)
        return {"State": state, "ScheduleExpression": expression, "CreationDate": made}

    def counted(self, *minutes: tuple[float, int, int]) -> None:
        """Let Lambda have counted invocations of the poller: minutes ago, how many, how many failed."""
        at = [datetime.fromtimestamp(self.world.clock.now() - MINUTE * each[0], UTC) for each in minutes]
        self.answers["cloudwatch.get_metric_data"] = {
            "MetricDataResults": [
                {"Id": name, "Timestamps": at, "Values": [float(each[column]) for each in minutes]}
                for name, column in (("invocations", 1), ("errors", 2))
            ]
        }

    def logged(self, reason: str, minutes: float = 0.0) -> None:
        """Let the poller have logged a failure."""
        line = json.dumps(
            {"level": "ERROR", "message": "tick failed", "reason": reason, "kind": "EveryPollFailed"}
        )
        at = int((self.world.clock.now() - MINUTE * minutes) * 1000)
        others = ['{"level": "ERROR", "message": "another kind of error"}', "ERROR kind", "[]"]
        self.answers["logs.filter_log_events"] = {
            "events": [{"timestamp": at, "message": each} for each in (line, *others)]
        }

    def findings(self) -> list[str]:
        """Every line of the doctor's, with its mark."""
        return [f"{each.mark} {each.subject}: {each.sentence}" for each in self.examined()]

    def examined(self) -> list[Finding]:
        """All that the doctor finds."""
        outputs = {
            "ScheduleName": "schedule",
            "LedgerTableName": "ledger",
            "PollerFunctionName": "Poller",
            "PollerLogGroupName": "/aws/lambda/plane/poller",
            "WorkerFunctionName": "Worker",
            "FailureQueueUrl": "http://queue",
            "TimerQueueUrl": "http://timers",
        }
        aws = FakeAws({**self.answers})
        plane = Plane(aws, Stack("plane", self.status, outputs, self.parameters), self.world.aws_clock)

        def configuration(name: str) -> Mapping[str, Any]:
            if name in self.deleted:
                raise Missing(f"AWS, GetFunctionConfiguration: Function not found: {name}")
            return {"Environment": {"Variables": self.variables[name]}, "VpcConfig": self.vpc}

        plane.configuration = configuration  # type: ignore[method-assign, assignment]
        return list(examine(plane))


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
        "stack", "functions", "schedule", "timers", "polls", "ledger", "settings", "images", "machines",
        "secrets", "Keptn", "registration", "concurrency", "failure queue", "network",
    ]  # fmt: skip
    assert is_in_order(patient.examined())


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
    patient.answers["scheduler.get_schedule"] = patient.schedule("DISABLED")
    patient.variables["Poller"]["DRAIN"] = "true"
    patient.parameters = {"ScheduleState": "DISABLED", "Drain": "true"}

    assert "deploy with ScheduleState=ENABLED" in line(patient, "schedule")
    assert "deploy with Drain=false" in line(patient, "drain")


def test_what_was_switched_by_hand_is_told_a_way_back_that_changes_something(patient: Patient) -> None:
    patient.answers["scheduler.get_schedule"] = patient.schedule("DISABLED")
    patient.variables["Poller"]["DRAIN"] = "true"
    patient.parameters = {"ScheduleState": "ENABLED", "Drain": "false"}

    assert "disabled by hand: nothing is polled. Enable schedule in EventBridge" in line(patient, "schedule")
    assert line(patient, "drain").endswith("takes no new task: `resume` it.")


@pytest.mark.parametrize(
    ("subject", "call"),
    [
        ("schedule", "scheduler.get_schedule"),
        ("ledger", "dynamodb.describe_table"),
        ("polls", "logs.filter_log_events"),
    ],
)
def test_a_part_of_the_stack_that_somebody_deleted_is_a_problem_with_a_way_back(
    patient: Patient, subject: str, call: str
) -> None:
    patient.answers[call] = gone("Get")

    told = line(patient, subject)
    assert told.startswith(f"✗ {subject}: AWS, Get: it is not there: it was deleted by hand.")
    assert "LedgerTableName=ledger" in told
    assert not is_in_order(patient.examined())


@pytest.mark.parametrize("name", ["Poller", "Worker"])
def test_a_function_that_somebody_deleted_is_told_once(patient: Patient, name: str) -> None:
    patient.deleted = {name}

    assert [each for each in patient.findings() if "deleted by hand" in each] == [line(patient, "functions")]
    assert f"Function not found: {name}" in line(patient, "functions")


@pytest.mark.parametrize(
    ("counted", "logged", "words"),
    [
        ([(1, 12, 0)], None, "✓ polls: the last that succeeded was at "),
        ([(2, 12, 3), (1, 12, 0)], ("Keptn is down", 2), "; 3 of 24 failed lately: the poll at "),
        ([(2, 1, 0), (1, 1, 1)], ("Keptn is down.", 1), " failed: Keptn is down; the last that succeeded"),
        ([(1, 1, 1)], ("Keptn is down", 1), "UTC failed: Keptn is down; none has succeeded lately."),
        ([(3, 1, 0)], ("Keptn is down", 0), "✗ polls: the poll at "),
        ([(1, 1, 1)], None, "✗ polls: the poller fails before it can say why: its log group"),
        ([(13, 1, 0)], None, "✗ polls: the poller was last started at "),
        ([], ("there is no token yet", 1), "failed: there is no token yet; none has succeeded lately"),
        ([], None, "✗ polls: the poller was not started in the last quarter of an hour"),
    ],
)  # fmt: skip
def test_how_the_last_polls_ended_is_told_with_when_and_why(
    patient: Patient, counted: list[tuple[float, int, int]], logged: tuple[str, float] | None, words: str
) -> None:
    patient.counted(*counted)
    if logged:
        patient.logged(*logged)

    assert words in line(patient, "polls")
    assert is_in_order(patient.examined()) == line(patient, "polls").startswith("✓")


def test_a_plane_that_nobody_has_seen_poll_is_not_in_order(patient: Patient) -> None:
    patient.answers["cloudwatch.get_metric_data"] = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData"
    )

    assert line(patient, "polls").startswith("? polls: could not be checked: AWS, GetMetricData: no; docs/")
    assert [each.mark for each in patient.examined() if each.is_problem] == []
    assert not is_in_order(patient.examined())


def test_before_its_first_poll_a_plane_is_told_when_that_comes(patient: Patient) -> None:
    patient.variables["Poller"] |= {"REGISTRATION": "enabled", "INTEGRATION_NAME": "plane"}
    patient.answers["scheduler.get_schedule"] = patient.schedule(age=20)
    patient.counted()

    at = datetime.fromtimestamp(patient.world.clock.now() + 40, UTC).strftime("%H:%M:%S")
    assert f"? polls: the plane has yet to poll: the schedule starts the poller at about {at} UTC" in line(
        patient, "polls"
    ).replace(f"{datetime.fromtimestamp(patient.world.clock.now(), UTC):%Y-%m-%d} ", "")
    assert line(patient, "registration").startswith("? registration: Keptn has no integration plane yet:")
    assert not is_in_order(patient.examined())


@pytest.mark.parametrize(
    ("expression", "rests"),
    [
        ("rate(5 minutes)", False),
        ("cron(* * * * ? *)", False),
        ("cron(*/5 * ? * * *)", False),
        ("cron(* 8-18 ? * MON-FRI *)", True),
        ("cron(* * ? * MON-FRI *)", True),
    ],
)
def test_a_schedule_with_hours_or_days_off_rests(expression: str, rests: bool) -> None:
    assert Beat(expression, 0.0).rests is rests


def test_a_plane_that_rests_was_seen_to_poll_before(patient: Patient) -> None:
    patient.answers["scheduler.get_schedule"] = patient.schedule(expression="cron(* 8-18 ? * MON-FRI *)")
    patient.counted((120 + STALE / 60, 60, 1))

    assert line(patient, "polls").startswith(
        "✓ polls: the plane rests by cron(* 8-18 ? * MON-FRI *); its last"
    )
    assert is_in_order(patient.examined())


def test_the_poller_logs_what_the_doctor_looks_for() -> None:
    poller = Path(__file__).parents[2] / "functions" / "poller"
    with_kind = re.compile(r"logger\.\w+\([^()]*(\([^()]*\)[^()]*)*kind=")

    assert with_kind.search((poller / "poller.py").read_text())
    assert not [path for path in (poller / "control").rglob("*.py") if with_kind.search(path.read_text())]


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


@pytest.mark.parametrize(("ahead", "words"), [(420.0, "7 min behind"), (-420.0, "7 min ahead of")])
def test_clocks_that_differ_are_told_and_no_heartbeat_is_taken_for_late(
    patient: Patient, ahead: float, words: str
) -> None:
    register(patient, SAYHELLO)
    patient.world.aws_clock.skew = ahead
    patient.counted((-ahead / 60, 1, 0))

    assert line(patient, "clocks").startswith(f"? clocks: Keptn's is {words} this machine's")
    assert line(patient, "registration") == "✓ registration: plane in eu-west-1 is alive."


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
            {"lambda.get_function_concurrency": {"ReservedConcurrentExecutions": 0}},
            "✗ concurrency: the poller never runs: its reserved concurrency is 0",
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

    found = [each for each in patient.findings() if each[2:].startswith("concurrency:")]
    assert found[0].startswith(words)


def test_a_throttled_function_is_told_the_call_that_undoes_it(patient: Patient) -> None:
    patient.answers["lambda.get_function_concurrency"] = {"ReservedConcurrentExecutions": 0}
    patient.parameters = {"WorkerReservedConcurrency": "5"}

    poller, worker = [each for each in patient.findings() if "concurrency:" in each]
    assert poller.endswith("aws lambda delete-function-concurrency --function-name Poller")
    assert worker.endswith(
        "aws lambda put-function-concurrency --function-name Worker --reserved-concurrent-executions 5"
    )


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

    patient.variables["Worker"] |= {"ALLOWLISTS_PARAMETER": "allowlists"}
    assert "no VPC endpoint for ssm: add" in line(patient, "network")


def test_containers_behind_endpoints_need_those_of_their_secrets_and_images_in_ecr(
    patient: Patient, subnet: str
) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    for name in ("ecr.api", "ecr.dkr", "s3", "logs"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.eu-west-1.{name}")
    own = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/python:3.13"
    patient.variables["Worker"] = CONTAINERS | {"CONTAINER_SUBNET_IDS": subnet, "CONTAINER_INIT_IMAGE": own}

    assert line(patient, "containers' network").startswith("✓")

    patient.variables["Worker"] |= {"SECRET_PREFIX": "keptn/", "SECRET_STORE": "ssm"}
    assert "no VPC endpoint for ssm: add" in line(patient, "containers' network")

    patient.variables["Worker"] |= {
        "SECRET_PREFIX": "",
        "CONTAINER_INIT_IMAGE": "public.ecr.aws/lambda/python:3.13",
    }
    assert "has no way to public.ecr.aws/lambda/python:3.13: only Amazon ECR has VPC endpoints" in str(
        [each for each in patient.findings() if "✗ containers' network" in each]
    )


def test_a_proxy_is_a_way_out(patient: Patient, subnet: str) -> None:
    patient.vpc = {"SubnetIds": [subnet]}
    patient.variables["Poller"]["HTTPS_PROXY"] = "http://user:secret@proxy.test:3128"

    assert "HttpsProxy is http://***@proxy.test:3128" in line(patient, "network")


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


@pytest.mark.parametrize(
    ("mappings", "said"),
    [
        ([{"State": "Enabled"}], "✓ timers: their queue leads to the poller."),
        (
            [{"State": "Disabled"}],
            "✗ timers: the poller's trigger by http://timers is Disabled, so nothing is polled: enable it.",
        ),
        ([], "✗ timers: nothing leads from http://timers to the poller: deploy again."),
    ],
)
def test_a_queue_of_timers_that_leads_nowhere_is_found(
    patient: Patient, mappings: list[dict[str, str]], said: str
) -> None:
    patient.answers["lambda.list_event_source_mappings"] = {"EventSourceMappings": mappings}

    assert said in patient.findings()
