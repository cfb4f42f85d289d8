"""What CloudFormation says to parameters, before anything is made."""

import pytest
from botocore.exceptions import ClientError

from cli.template import read_template
from tests.deploy.emulator import Emulator
from tests.deploy.sam_cli import SamCli
from tests.support.parameter_values import REFUSED, TAKEN

REGION = "eu-north-1"
SECRET = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:keptn-AbCdEf"
URL = {"KeptnApiUrl": "https://keptn.example.com/api"}
PARAMETERS = read_template()["Parameters"]
RULES: tuple[tuple[dict[str, str], str], ...] = (
    ({"MatchProperty": "$.data.x"}, "Give MatchProperty and MatchValue together, or neither."),
    ({"MatchValue": "APAC"}, "Give MatchProperty and MatchValue together, or neither."),
    ({"VpcSubnetIds": "subnet-1"}, "Give VpcSubnetIds and VpcSecurityGroupIds together, or neither."),
    ({"VpcSecurityGroupIds": "sg-1"}, "Give VpcSubnetIds and VpcSecurityGroupIds together, or neither."),
    ({"Containers": "enabled"}, "Containers are enabled, so give ContainerSubnetIds."),
)
TOGETHER: tuple[dict[str, str], ...] = (
    {},
    {"KeptnApiTokenSecretArn": SECRET},
    {"OauthSecretArn": SECRET},
    {"KeptnApiTokenSecretArn": SECRET, "OauthSecretArn": SECRET},
    {"MatchProperty": "$.data.x", "MatchValue": "!APAC,EU"},
    {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"},
    {"Containers": "enabled", "ContainerSubnetIds": "subnet-1"},
    {
        "AlarmTopicArn": "arn:aws:sns:eu-north-1:123456789012:ops",
        "ScheduleExpression": "cron(* 8 * * ? *)",
    },
    {"SecretPrefix": "keptn/", "SecretStore": "ssm", "AllowedLambdas": "load,smoke", "Drain": "true"},
    {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary", "ScheduleState": "DISABLED"},
)
NEEDS = {  # what a rule wants beside a parameter, for a test of that parameter alone
    "MatchProperty": {"MatchValue": "APAC"},
    "VpcSubnetIds": {"VpcSecurityGroupIds": "sg-1"},
    "VpcSecurityGroupIds": {"VpcSubnetIds": "subnet-1"},
}


class Deployment:
    """A first deployment as far as CloudFormation's check of its parameters."""

    def __init__(self, template: str, aws: Emulator) -> None:
        s3 = aws.client("s3", REGION)
        s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="templates", Key="packaged.yaml", Body=template.encode())
        self._template = f"{aws.url}/templates/packaged.yaml"  # it is too long for a request
        self._cloudformation = aws.client("cloudformation", REGION)

    def is_refused(self, given: dict[str, str]) -> str | None:
        """What CloudFormation has against the parameters."""
        try:
            self._cloudformation.create_change_set(
                StackName="never-made",
                ChangeSetName="check",
                ChangeSetType="CREATE",
                TemplateURL=self._template,
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value} for name, value in (URL | given).items()
                ],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        except ClientError as problem:
            return str(problem)
        self._cloudformation.delete_stack(StackName="never-made")
        return None


@pytest.fixture(scope="module")
def deployment(sam: SamCli, aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    packaged = tmp_path_factory.mktemp("packaged") / "packaged.yaml"
    sam("package", "--resolve-s3", "--region", REGION, "--output-template-file", str(packaged))
    return Deployment(packaged.read_text(), aws)


@pytest.mark.parametrize(("given", "sentence"), RULES, ids=str)
def test_parameters_that_do_not_go_together_are_refused_with_the_rules_sentence(
    deployment: Deployment, given: dict[str, str], sentence: str
) -> None:
    assert sentence in (deployment.is_refused(given) or "it was taken")


@pytest.mark.parametrize("given", TOGETHER, ids=str)
def test_parameters_that_go_together_are_taken(deployment: Deployment, given: dict[str, str]) -> None:
    assert deployment.is_refused(given) is None


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_that_could_not_work_is_refused_with_the_parameters_sentence(
    deployment: Deployment, name: str, value: str
) -> None:
    refusal = deployment.is_refused(NEEDS.get(name, {}) | {name: value}) or "it was taken"

    assert name in refusal
    assert PARAMETERS[name]["ConstraintDescription"] in refusal


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_a_value_that_works_is_taken(deployment: Deployment, name: str, value: str) -> None:
    assert deployment.is_refused(NEEDS.get(name, {}) | {name: value}) is None


OUTSIDE = [
    *((name, "neither") for name, parameter in PARAMETERS.items() if "AllowedValues" in parameter),
    *((name, str(each["MinValue"] - 1)) for name, each in PARAMETERS.items() if "MinValue" in each),
    *((name, str(each["MaxValue"] + 1)) for name, each in PARAMETERS.items() if "MaxValue" in each),
]


@pytest.mark.parametrize(("name", "value"), OUTSIDE)
def test_a_value_outside_its_choices_or_limits_is_refused(
    deployment: Deployment, name: str, value: str
) -> None:
    assert name in (deployment.is_refused({name: value}) or "it was taken")


def test_every_parameter_with_a_pattern_has_values_in_both_tables() -> None:
    with_pattern = {name for name, parameter in PARAMETERS.items() if "AllowedPattern" in parameter}

    assert with_pattern - {name for name, _ in REFUSED} == set()
    assert with_pattern - {name for name, _ in TAKEN} == set()
