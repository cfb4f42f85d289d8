"""The account: its quotas, the secrets, and what AWS gave up on."""

from collections.abc import Iterator

from cli.runs.aws import ask
from cli.runs.doctor.finding import Finding, fine, problem, unknown
from cli.runs.plane import Plane
from execution_plane.keptn.credentials import SecretUnreadable

FEW = 20  # concurrent invocations, below which other functions soon leave none for the worker
FARGATE_VCPUS = "L-3032A538"  # Service Quotas: "Fargate On-Demand vCPU resource count"


def check_secrets(plane: Plane) -> Iterator[Finding]:
    """Whether the token, or the OAuth client, can be read and is one."""
    try:
        headers = plane.credentials.headers()
    except SecretUnreadable as wrong:
        yield problem("secrets", str(wrong))
        return
    yield fine("secrets", f"the credentials for Keptn are readable ({', '.join(sorted(headers))}).")


def check_concurrency(plane: Plane) -> Iterator[Finding]:
    """Whether Lambda can run the poller at all, and the worker as often as it may be wanted."""
    client = plane.aws.client("lambda")
    limits = ask(client.get_account_settings)["AccountLimit"]
    free, all_of_it = limits["UnreservedConcurrentExecutions"], limits["ConcurrentExecutions"]
    reserved = {name: _reserved(plane, f"{name}FunctionName") for name in ("Poller", "Worker")}
    for name in (name for name, number in reserved.items() if number == 0):
        yield problem("concurrency", _throttled(plane, name))
    if reserved["Worker"]:
        yield fine("concurrency", f"{reserved['Worker']} tasks at once, reserved for the worker.")
    elif free < FEW:
        yield problem(
            "concurrency",
            f"{free} of the account's {all_of_it} concurrent invocations are free for all functions: "
            "ask for more by Service Quotas (Lambda, Concurrent executions).",
        )
    elif 0 not in reserved.values():
        yield fine(
            "concurrency", f"{free} concurrent invocations, shared with the account's other functions."
        )


def _reserved(plane: Plane, output: str) -> int | None:
    """The reserved concurrency of a function, if it has one. Raises Unusable."""
    name, client = plane.stack.output(output), plane.aws.client("lambda")
    found = ask(lambda: client.get_function_concurrency(FunctionName=name))
    reserved: int | None = found.get("ReservedConcurrentExecutions")
    return reserved


def _throttled(plane: Plane, name: str) -> str:
    """What to do about a function that somebody has throttled; a deployment sees no difference."""
    given = plane.stack.parameters.get("WorkerReservedConcurrency", "0") if name == "Worker" else "0"
    verb, more = ("delete", "") if given == "0" else ("put", f" --reserved-concurrent-executions {given}")
    function = plane.stack.output(f"{name}FunctionName")
    return (
        f"the {name.lower()} never runs: its reserved concurrency is 0, as the console's Throttle makes it. "
        f"Undo it: aws lambda {verb}-function-concurrency --function-name {function}{more}"
    )


def check_failure_queue(plane: Plane) -> Iterator[Finding]:
    """Whether AWS gave up on invocations that the poller has yet to hear of."""
    url = plane.stack.output("FailureQueueUrl")
    name = "ApproximateNumberOfMessages"
    found = ask(lambda: plane.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name]))
    number = int(found["Attributes"][name])
    if number:
        yield unknown(
            "failure queue", f"AWS gave up on {number} invocations of the worker; the poller reads them."
        )
    else:
        yield fine("failure queue", "empty.")


def check_fargate(plane: Plane) -> Iterator[Finding]:
    """How many containers the account may run side by side."""
    environment = plane.environment("Worker")
    if not environment.get("ECS_CLUSTER"):
        return
    client = plane.aws.client("service-quotas")
    quota = ask(lambda: client.get_service_quota(ServiceCode="fargate", QuotaCode=FARGATE_VCPUS))["Quota"]
    units = int(environment.get("CONTAINER_CPU") or 256)
    side_by_side = int(quota["Value"] * 1024 // units)
    said = f"{quota['Value']:g} vCPUs in this region: {side_by_side} containers of {units} CPU units at once"
    if side_by_side < 1:
        yield problem("Fargate", f"{said}: ask for more by Service Quotas (AWS Fargate).")
    else:
        yield fine("Fargate", f"{said}, with those of other services.")
