"""What the template gives a function, in the small part of CloudFormation that the demo needs."""

import pytest

from cli.template import read_template
from local.aws import POLLER, QUEUE, SECRET, TABLE, TIMERS, WORKER
from local.stack import Stack

PARAMETERS = {"KeptnApiUrl": "http://keptn.test/api", "MatchValue": "EU"}
FOR_SAM_LOCAL = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_ECS"}
RESOURCES = {
    TABLE: "table",
    SECRET: "arn:secret",
    QUEUE: "http://queue",
    TIMERS: "http://timers",
    POLLER: "p",
    WORKER: "w",
}


def stack(**parameters: str) -> Stack:
    return Stack(
        "plane", "eu-west-1", "123456789012", parameters=PARAMETERS | parameters, resources=RESOURCES
    )


def test_every_variable_that_the_template_declares_has_its_value() -> None:
    poller = stack().function(POLLER)
    template = read_template()
    declared = template["Globals"]["Function"]["Environment"]["Variables"].keys()
    own = template["Resources"][POLLER]["Properties"]["Environment"]["Variables"].keys()

    assert poller.variables.keys() == (declared | own) - FOR_SAM_LOCAL
    assert (
        poller.variables.items()
        >= {
            "KEPTN_API_URL": "http://keptn.test/api",
            "KEPTN_API_TOKEN_SECRET_ARN": "arn:secret",
            "MATCH_VALUE": "EU",
            "POLL_INTERVAL_SECONDS": "5",
            "PLANE_SOURCE": "keptn-lambda-executor/123456789012/eu-west-1/plane",
            "WORKER_FUNCTION_NAME": "w",
            "FAILURE_QUEUE_URL": "http://queue",
            "TIMER_QUEUE_URL": "http://timers",
        }.items()
    )


def test_a_secret_that_is_given_is_taken() -> None:
    variables = stack(KeptnApiTokenSecretArn="arn:given").function(WORKER).variables

    assert variables["KEPTN_API_TOKEN_SECRET_ARN"] == "arn:given"


def test_a_function_has_the_code_and_the_limits_of_the_template() -> None:
    worker = stack(WorkerTimeoutSeconds="60").function(WORKER)

    assert (worker.name, worker.handler, worker.timeout, worker.memory) == ("w", "worker.handler", 60, 512)
    assert (worker.code / "worker.py").is_file()
    assert (worker.layer / "execution_plane" / "settings.py").is_file()


def test_a_variable_is_replaced_only_if_it_is_declared() -> None:
    replaced = stack().function(WORKER, AWS_ENDPOINT_URL="http://aws.test")
    assert replaced.variables["AWS_ENDPOINT_URL"] == "http://aws.test"

    with pytest.raises(ValueError, match="WorkerFunction declares no variable SURPRISE"):
        stack().function(WORKER, SURPRISE="1")


def test_only_a_stack_of_sam_local_declares_other_places_for_aws() -> None:
    locally = Stack("local", "eu-west-1", "123456789012", parameters=PARAMETERS, resources=RESOURCES)

    assert {locally.function(WORKER).variables[name] for name in FOR_SAM_LOCAL} == {""}


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="the template has no parameter PollInterval"):
        stack(PollInterval="1")


@pytest.mark.parametrize("value", [{"Fn::GetAtt": ["LedgerTable", "Arn"]}, ["a"], None])
def test_what_is_not_understood_is_refused_rather_than_passed_on(value: object) -> None:
    with pytest.raises(ValueError, match="can't resolve"):
        stack().resolve(value)
