"""What the template makes, and its agreement with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import lifecycle
from cli.template import read_template
from control.pulse import slots
from execution_plane.executions import NAME_PREFIX, execution_name
from execution_plane.keptn.events import EventRef, Outcome
from execution_plane.ledger.runs import RemoteStep, Run, State, TaskDone
from execution_plane.ledger.table import ACTIVE_INDEX, CLOSED_INDEX, Ledger
from execution_plane.settings import (
    Allowlists,
    ContainerSettings,
    IntegrationSettings,
    PollerSettings,
    Settings,
    TaskSettings,
)
from local.aws import create_table
from tests.support.roles import Roles

ROOT = Path(__file__).parents[2]
TEMPLATE = read_template()
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTIONS = ("PollerFunction", "WorkerFunction", "LifecycleFunction", "FinalizerFunction")
ENVIRONMENT_BYTES = 4096  # AWS Lambda quotas: all environment variables of a function together
PARAMETER_BYTES = 8192  # AWS Systems Manager user guide, "Managing parameter tiers": above 4096 it costs
POLICY_CHARACTERS = 10_240  # AWS IAM quotas: all inline policies of a role together, without blanks
INDEX_ATTRIBUTES = 20  # DynamoDB API reference, Projection: NonKeyAttributes


@pytest.mark.parametrize(
    ("function", "settings"),
    [("PollerFunction", PollerSettings), ("PollerFunction", Settings), ("FinalizerFunction", Settings),
     ("WorkerFunction", Settings), ("WorkerFunction", ContainerSettings), ("WorkerFunction", TaskSettings),
     ("PollerFunction", IntegrationSettings), ("FinalizerFunction", IntegrationSettings)],
)  # fmt: skip
def test_every_setting_that_is_read_is_declared(function: str, settings: type[Any]) -> None:
    environment = Recorder()

    settings.from_environment(environment)

    assert environment.asked <= declared(function).keys()


class Recorder(dict[str, str]):
    """An environment that notes what it is asked for, and has what is needed to go on."""

    NEEDED = {  # noqa: RUF012
        "KEPTN_API_URL": "https://keptn.example.com/api",
        "EVENT_TYPES": "sh.keptn.event.sayhello.triggered",
        "KEPTN_API_TOKEN_SECRET_ARN": "secret",
        "LEDGER_TABLE_NAME": "table",
        "WORKER_FUNCTION_NAME": "worker",
        "PLANE_SOURCE": "plane",
    }

    def __init__(self) -> None:
        super().__init__(self.NEEDED)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def declared(function: str) -> dict[str, Any]:
    """The variables of a function with their values, as the template has them."""
    shared: dict[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    own = RESOURCES[function]["Properties"].get("Environment", {}).get("Variables", {})
    return {**shared, **own}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_longest_environment_stays_below_what_lambda_takes(function: str) -> None:
    longest = {name: "x" * longest_value(value) for name, value in declared(function).items()}

    assert len(json.dumps(longest)) < ENVIRONMENT_BYTES


def longest_value(value: Any) -> int:
    """How many characters a value of the template may come to."""
    if isinstance(value, str):
        return len(value)
    if "Fn::If" in value:
        return max(longest_value(choice) for choice in value["Fn::If"][1:])
    if "Fn::GetAtt" in value:  # a role's ARN
        return len("arn:aws-us-gov:iam::123456789012:role/") + 64
    if "Fn::Sub" in value:  # PLANE_SOURCE: an account, the longest region's name and the longest stack's
        return len("keptn-lambda-executor/") + 12 + 1 + 25 + 1 + 128
    parameter = PARAMETERS.get(value["Ref"], {})
    if "MaxValue" in parameter:
        return len(str(parameter["MaxValue"]))
    if "AllowedValues" in parameter:
        return max(len(str(choice)) for choice in parameter["AllowedValues"])
    longest_names = {  # as CloudFormation makes them: a stack's name, a logical id, 14 more characters
        "LedgerTable": 160,
        "Allowlists": len("/keptn-lambda-executor/") + 128,
        "WorkerFunction": 64,
        "FinalizerFunction": 64,
        "FailureQueue": 160,
        "ApiTokenSecret": 120,
        "AWS::AccountId": 12,
        "AWS::Region": 25,
        "AWS::NoValue": 0,
        "ContainerLogGroup": len("/aws/ecs/") + 128,
        "ContainerBucket": 63,
    }
    return int(parameter.get("MaxLength") or longest_names.get(value["Ref"], 128))


LISTS = {
    "AllowedHosts": ",".join(f"service-{number:02d}.hooks.apac.example.com" for number in range(20)),
    "AllowedLambdas": ",".join(f"{number:064d}" for number in range(20)),
    "AllowedStateMachines": ",".join(f"{number:069d}" for number in range(20)),
    "ContainerTaskRoles": ",".join(
        f"arn:aws:iam::123456789012:role/keptn/{number:050d}" for number in range(20)
    ),
}
"""Twenty of each, of the longest that together have room."""
HERE = ("eu-west-1", "123456789012")


def test_there_is_room_for_twenty_of_each_that_tasks_may_use() -> None:
    assert all(re.fullmatch(PARAMETERS[name]["AllowedPattern"], value) for name, value in LISTS.items())
    assert all(len(value) <= PARAMETERS[name]["MaxLength"] for name, value in LISTS.items())
    stored = Roles("plane", *HERE, parameters=LISTS, resources={}).resolve(
        RESOURCES["Allowlists"]["Properties"]["Value"]
    )

    allowed = Allowlists.from_environment(json.loads(stored))

    assert (len(allowed.hosts), len(allowed.lambdas)) == (20, 20)
    assert (len(allowed.state_machines), len(allowed.task_roles)) == (20, 20)


def test_the_longest_lists_fit_the_parameter_that_has_them() -> None:
    longest = {name: "x" * PARAMETERS[name]["MaxLength"] for name in LISTS}
    stored = Roles("plane", *HERE, parameters=longest, resources={}).resolve(
        RESOURCES["Allowlists"]["Properties"]["Value"]
    )

    assert len(stored) < PARAMETER_BYTES


@pytest.mark.parametrize("role", ["PollerRole", "WorkerRole", "FinalizerRole"])
def test_the_longest_policies_of_a_role_stay_below_what_iam_takes(role: str) -> None:
    given = {**LISTS, "Containers": "enabled", "SecretPrefix": "keptn/" * 10, "KmsKeyArn": "k" * 85}
    resources = {"AWS::Partition": "aws", **{f"{name}.Arn": "a" * 100 for name in RESOURCES}}
    resources |= dict.fromkeys(RESOURCES, "r" * 60) | {"ApiTokenSecret.Id": "a" * 120}
    stack = Roles("s" * 64, *HERE, parameters=given, resources=resources)

    documents = [
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": each.actions, "Resource": each.resources}
                | ({"Condition": {"StringEquals": dict(each.conditions)}} if each.conditions else {})
                for each in stack.statements(role)
            ],
        }
    ]

    assert len(json.dumps(documents, separators=(",", ":"))) + 300 < POLICY_CHARACTERS


def test_the_index_of_active_runs_carries_all_that_a_plan_needs(dynamodb: Any) -> None:
    create_table(dynamodb, "ledger")
    ledger, run = Ledger(dynamodb, "ledger"), a_run_with_everything_noted()
    ledger.create(run)

    (found,) = ledger.active()

    hints = {"outcome", "event", "earlier", "change"}
    assert {name: value for name, value in vars(found).items() if name not in hints} == {
        name: value for name, value in vars(run).items() if name not in hints
    }
    assert (found.event.id, found.event.context, found.event.commit) == ("id", "context", "commit")


def a_run_with_everything_noted() -> Run:
    """An active run none of whose fields has its default, so that a field the index lacks is missed."""
    event = EventRef(
        "id", "sh.keptn.event.sayhello.triggered", "context", "p", "st", "sv", "commit", {"l": "v"}
    )
    values: dict[str, Any] = {
        "event": event,
        "source": "plane",
        "state": State.DONE,
        "outcome": Outcome("pass", "succeeded", "done"),
        "looked": "1/1",
        "earlier": (TaskDone("task", Outcome("pass", "succeeded")),),
        "step": RemoteStep(
            1,
            2,
            "token",
            "cluster",
            "digest",
            3.0,
            4.0,
            "execution",
            "plane",
            "subscription",
            "arn",
            5.0,
            "trouble",
            6,
            7,
            "versions",
        ),
    }
    only_when_closed = {"was", "closed_as", "expires_at", "change"}
    for number, (name, default) in enumerate(vars(Run.claimed(event, "plane", 0.0, 0.0)).items(), start=2):
        if name not in values and name not in only_when_closed:
            values[name] = True if isinstance(default, bool) else number
    return Run(**values)


def test_a_closed_run_is_no_active_one_and_expires(dynamodb: Any) -> None:
    create_table(dynamodb, "ledger")
    ledger, run = Ledger(dynamodb, "ledger"), a_run_with_everything_noted()
    ledger.move(ledger.create(run), run.closed(1000.0))

    item = dynamodb.get_item(TableName="ledger", Key={"event_id": {"S": "id"}})["Item"]

    assert ledger.active() == []
    assert RESOURCES["LedgerTable"]["Properties"]["TimeToLiveSpecification"]["AttributeName"] in item


def test_dynamodb_and_the_ledger_take_the_index_as_it_is() -> None:
    indexes = RESOURCES["LedgerTable"]["Properties"]["GlobalSecondaryIndexes"]

    assert [index["IndexName"] for index in indexes] == [ACTIVE_INDEX, CLOSED_INDEX]
    for index in indexes:
        assert len(index["Projection"].get("NonKeyAttributes", [])) <= INDEX_ATTRIBUTES


def test_the_ledger_outlives_the_stack() -> None:
    table = RESOURCES["LedgerTable"]

    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_nothing_late_is_tried_again() -> None:
    schedule = RESOURCES["Schedule"]["Properties"]["Target"]["RetryPolicy"]
    timers = RESOURCES["TimerQueue"]["Properties"]
    poller = RESOURCES["PollerFunction"]["Properties"]["EventInvokeConfig"]
    worker = RESOURCES["WorkerFunction"]["Properties"]["EventInvokeConfig"]

    assert schedule["MaximumRetryAttempts"] == poller["MaximumRetryAttempts"] == 0
    assert worker["MaximumRetryAttempts"] == 0
    # A message is gone before a failed invocation would see it again.
    assert timers["VisibilityTimeout"] > timers["MessageRetentionPeriod"]
    assert worker["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": "FailureQueue.Arn"}


def test_a_deleted_stack_takes_no_new_runs_while_it_reports_the_old() -> None:
    """What depends on something is deleted before it: the mapping, the poller, its role, active runs."""
    assert "PollerFunction" in references(RESOURCES["TimerMapping"])
    assert "TimerQueue" in references(RESOURCES["PollerRole"]) & references(RESOURCES["Schedule"])
    assert "PollerRole" in references(RESOURCES["PollerFunction"])
    assert RESOURCES["PollerRole"]["DependsOn"] == "ActiveRuns"
    assert "LifecycleFunction" in references(RESOURCES["ActiveRuns"])
    assert {"LifecycleRole", "FinalizerFunction"} <= references(RESOURCES["LifecycleFunction"])
    assert "LifecycleLogGroup" in references(RESOURCES["LifecycleRole"])
    assert "FinalizerRole" in references(RESOURCES["FinalizerFunction"])


def test_what_the_end_of_a_plane_needs_is_deleted_after_the_function_that_sees_to_it() -> None:
    needed = {"LedgerTable", "ApiTokenSecret", "ContainerCluster", "LifecycleLogGroup"}

    assert needed <= references(RESOURCES["FinalizerRole"])


def test_cloudformation_is_answered_from_outside_of_the_vpc_and_all_else_is_done_in_it() -> None:
    no_value = {"Ref": "AWS::NoValue"}
    own = {name: RESOURCES[name]["Properties"].get("VpcConfig") for name in FUNCTIONS}

    assert TEMPLATE["Globals"]["Function"]["VpcConfig"]["Fn::If"][0] == "IsInVpc"
    assert own == dict.fromkeys(FUNCTIONS) | {"LifecycleFunction": no_value}
    assert declared("LifecycleFunction")["HTTPS_PROXY"] == ""
    assert declared("FinalizerFunction")["HTTPS_PROXY"] == {"Ref": "HttpsProxy"}
    in_a_vpc = {name for name in FUNCTIONS if "IsInVpc" in json.dumps(role_of(name))}
    assert in_a_vpc == set(FUNCTIONS) - {"LifecycleFunction"}


def role_of(function: str) -> dict[str, Any]:
    """The role of a function, as the template has it."""
    return RESOURCES[RESOURCES[function]["Properties"]["Role"]["Fn::GetAtt"].split(".")[0]]


def test_each_that_waits_for_another_at_a_stacks_end_has_more_time_than_that() -> None:
    finalizer, waiting = (
        RESOURCES[name]["Properties"]["Timeout"] for name in ("FinalizerFunction", "LifecycleFunction")
    )

    # Lambda allows a function ten seconds to start, beside its own.
    assert finalizer + 10 <= lifecycle.FINALIZER_SECONDS
    assert waiting > lifecycle.FINALIZER_SECONDS + lifecycle.ANSWER_SECONDS
    # Lambda's first retry of an asynchronous invocation is a minute after it.
    assert RESOURCES["ActiveRuns"]["Properties"]["ServiceTimeout"] >= waiting + 60 + waiting


def test_a_timer_may_wait_for_its_slot_and_its_poller_may_take_its_time() -> None:
    """Lambda refuses a mapping whose queue hides messages for less than the function's timeout; SQS delays no
    message by more than a quarter of an hour.
    """
    timers, parameters = RESOURCES["TimerQueue"]["Properties"], TEMPLATE["Parameters"]

    assert timers["VisibilityTimeout"] >= parameters["PollerTimeoutSeconds"]["MaxValue"]
    for period in (60, 120, 180, 240, 300):
        for interval in (0, 2, 5, 7, 300):
            last = slots(0.0, interval, period)[-1]
            assert last.due <= 900
            assert last.due < last.ends == period <= timers["MessageRetentionPeriod"]


def test_no_more_than_two_pollers_poll_at_once_and_ticks_are_served_like_timers() -> None:
    mapping = RESOURCES["TimerMapping"]["Properties"]

    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["BatchSize"] == 1
    target = RESOURCES["Schedule"]["Properties"]["Target"]["Arn"]
    assert target == mapping["EventSourceArn"] == {"Fn::GetAtt": "TimerQueue.Arn"}


def test_lambdas_own_lines_of_a_poll_that_went_well_are_off() -> None:
    logging = RESOURCES["PollerFunction"]["Properties"]["LoggingConfig"]

    assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "WARN")


@pytest.mark.parametrize(
    ("schedule", "never_rests"),
    [
        ("rate(1 minute)", True),
        ("rate(5 minutes)", True),
        ("cron(*/2 * * * ? *)", True),
        ("cron(* * ? * * *)", True),
        ("cron(* 8-18 * * ? *)", False),
        ("cron(* * ? * MON-FRI *)", False),
        ("cron(* * 1-30 * ? *)", False),
        ("cron(* * * 1-11 ? *)", False),
    ],
)
def test_an_alarm_for_missing_ticks_is_made_only_for_a_schedule_that_never_rests(
    schedule: str, never_rests: bool
) -> None:
    parameters = {
        "KeptnApiUrl": "https://keptn.example.com/api",
        "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:ops",
        "ScheduleExpression": schedule,
    }
    stack = Roles("plane", "eu-central-1", "123456789012", parameters=parameters, resources={})

    assert RESOURCES["TicksMissingAlarm"]["Condition"] == "MissesTicks"
    assert stack.holds("MissesTicks") == never_rests


def references(node: Any) -> set[str]:
    """The logical ids that a part of the template refers to."""
    if isinstance(node, list):
        return {name for part in node for name in references(part)}
    if not isinstance(node, dict):
        return set()
    found = {name for part in node.values() for name in references(part)}
    found |= {node["Ref"]} if "Ref" in node else set()
    found |= {node["Fn::GetAtt"].split(".")[0]} if "Fn::GetAtt" in node else set()
    if isinstance(text := node.get("Fn::Sub"), str):
        found |= {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)}
    return found


KNOW_NO_RESOURCES = {  # Service Authorization Reference: actions without a resource type that could be named
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
}


def test_every_policy_names_its_actions_and_resources() -> None:
    granted = statements()

    assert len(granted) > 20
    for statement in granted:
        actions = listed(statement["Action"])
        assert "*" not in json.dumps(actions)
        if statement["Resource"] == "*":
            assert set(actions) <= KNOW_NO_RESOURCES
    assert all(role["PermissionsBoundary"] for role in roles())


def roles() -> list[dict[str, Any]]:
    """The properties of all roles."""
    return [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::IAM::Role"]


def statements() -> list[dict[str, Any]]:
    """The statements of all roles, those that depend on a condition included."""
    return [
        then(statement)
        for role in roles()
        for policy in role["Policies"]
        for statement in then(policy)["PolicyDocument"]["Statement"]
    ]


def then(value: dict[str, Any]) -> dict[str, Any]:
    """What a part of the template is where its condition holds."""
    found: dict[str, Any] = value.get("Fn::If", [None, value])[1]
    return found


def test_without_parameters_the_worker_may_use_no_container_lambda_or_secret() -> None:
    """What these need is granted only under a condition that the defaults do not meet.

    It may look at a container of before, for which a run may still wait.
    """
    conditions = TEMPLATE["Conditions"]
    defaults = {
        "HasContainers": {"Fn::Equals": [{"Ref": "Containers"}, "enabled"]},
        "HasLambdas": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AllowedLambdas"}, ""]}]},
        "HasStateMachines": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AllowedStateMachines"}, ""]}]},
        "HasSecrets": {"Fn::Not": [{"Fn::Equals": [{"Ref": "SecretPrefix"}, ""]}]},
    }
    assert {name: conditions[name] for name in defaults} == defaults
    parameters = ("Containers", "AllowedLambdas", "AllowedStateMachines", "AllowedHosts", "SecretPrefix")
    assert [PARAMETERS[name]["Default"] for name in parameters] == ["disabled", "", "", "", ""]
    worker = RESOURCES["WorkerRole"]["Properties"]["Policies"]
    always = [each for each in worker[0]["PolicyDocument"]["Statement"] if "Fn::If" not in each]
    assert {action.split(":")[0] for each in always for action in listed(each["Action"])} == {
        "logs",
        "secretsmanager",
        "dynamodb",
        "sqs",
        "ecs",
        "states",
    }
    assert [each["Action"] for each in always if "ecs" in json.dumps(each["Action"])] == ["ecs:DescribeTasks"]
    assert [each["Fn::If"][0] for each in worker[1:]] == ["HasContainers", "HasStateMachines"]


def listed(value: Any) -> list[str]:
    """What may be given as one or several."""
    return value if isinstance(value, list) else [value]


def test_only_roles_of_the_parameter_are_passed_and_only_to_containers() -> None:
    passing = [each for each in statements() if each["Action"] == "iam:PassRole"]

    assert [each["Condition"] for each in passing] == [
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    ] * 2
    assert passing[1]["Resource"] == {"Fn::Split": [",", {"Ref": "ContainerTaskRoles"}]}


def test_only_the_lambda_functions_of_the_parameter_may_be_invoked_and_only_here() -> None:
    (invoking,) = [
        each for each in statements() if each["Action"] == "lambda:InvokeFunction" and "Condition" in each
    ]

    separator, (text, names) = (
        invoking["Resource"]["Fn::Split"][0],
        invoking["Resource"]["Fn::Split"][1]["Fn::Sub"],
    )
    between, given = names["Names"]["Fn::Join"]
    assert given == {"Fn::Split": [",", {"Ref": "AllowedLambdas"}]}
    assert text.replace("${Names}", between.join(["load", "report"])).split(separator) == [
        "arn:*:lambda:*:*:function:load",
        "arn:*:lambda:*:*:function:report",
    ]
    assert invoking["Condition"] == {
        "StringEquals": {
            "aws:ResourceAccount": {"Ref": "AWS::AccountId"},
            "aws:RequestedRegion": {"Ref": "AWS::Region"},
        }
    }


def test_everything_of_containers_is_made_only_where_they_are_enabled() -> None:
    made = {name: each for name, each in RESOURCES.items() if name.startswith("Container")}

    assert len(made) == 8
    assert {each["Condition"] for each in made.values()} == {"HasContainers"}


def test_the_worker_hears_of_the_ends_of_this_clusters_containers() -> None:
    rule = RESOURCES["ContainerEndRule"]["Properties"]

    assert rule["EventPattern"] == {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [{"Fn::GetAtt": "ContainerCluster.Arn"}], "lastStatus": ["STOPPED"]},
    }
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": "WorkerFunction.Arn"}


def test_the_worker_hears_of_the_ends_of_executions_that_a_plane_has_started() -> None:
    assert RESOURCES["ExecutionEndRule"]["Properties"]["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "name": [{"prefix": NAME_PREFIX}],
            "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    assert execution_name("token").startswith(NAME_PREFIX)


def test_the_functions_use_roles_and_log_groups_of_the_stack() -> None:
    for name in FUNCTIONS:
        function = RESOURCES[name]["Properties"]
        log_group = RESOURCES[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert "Role" in function
        assert log_group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_handlers_are_where_the_template_says() -> None:
    for name in FUNCTIONS:
        function = RESOURCES[name]["Properties"]
        module, attribute = function["Handler"].split(".")
        source = (ROOT / function["CodeUri"] / f"{module}.py").read_text()
        assert re.search(rf"^def {attribute}\(", source, re.MULTILINE)


KEYS = {
    "AWS::SecretsManager::Secret": lambda each: each["KmsKeyId"],
    "AWS::Logs::LogGroup": lambda each: each["KmsKeyId"],
    "AWS::SQS::Queue": lambda each: each["KmsMasterKeyId"],
    "AWS::DynamoDB::Table": lambda each: each["SSESpecification"]["Fn::If"][1]["KMSMasterKeyId"],
}


@pytest.mark.parametrize("name", [name for name, each in RESOURCES.items() if each["Type"] in KEYS])
def test_what_is_kept_is_encrypted_by_ones_own_key_if_there_is_one(name: str) -> None:
    key = {"Ref": "KmsKeyArn"}

    found = KEYS[RESOURCES[name]["Type"]](RESOURCES[name]["Properties"])

    assert found in (key, {"Fn::If": ["HasKey", key, {"Ref": "AWS::NoValue"}]})


@pytest.mark.parametrize("name", ["PollerRole", "ScheduleRole", "WorkerRole", "FinalizerRole"])
def test_whoever_reads_or_sends_what_is_encrypted_may_use_the_key(name: str) -> None:
    """Amazon SQS developer guide, Key management: who sends needs a new data key, and to decrypt it."""
    statements = RESOURCES[name]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    granted = [each["Fn::If"][1] for each in statements if each.get("Fn::If", [""])[0] == "HasKey"]

    assert [each["Resource"] for each in granted] == [{"Ref": "KmsKeyArn"}]
    sends = "sqs:SendMessage" in json.dumps(statements)
    wanted = ["kms:Decrypt", "kms:GenerateDataKey"] if sends else ["kms:Decrypt"]
    assert listed(granted[0]["Action"]) == wanted
