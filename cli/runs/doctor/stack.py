"""The stack itself: its state, its schedule, and the settings that its functions have."""

from collections.abc import Iterator

from cli.runs.aws import ask
from cli.runs.doctor.finding import Finding, fine, problem
from cli.runs.draining import is_draining
from cli.runs.plane import Plane
from execution_plane.ledger.table import ACTIVE_INDEX, CLOSED_INDEX
from execution_plane.settings import InvalidSetting, PollerSettings
from jobs.images import ImageAllowlist, InvalidImagePattern


def check_stack(plane: Plane) -> Iterator[Finding]:
    """Whether the last deployment went well."""
    status = plane.stack.status
    if "FAILED" in status or "ROLLBACK" in status:
        yield problem("stack", f"{status}: the last deployment failed; its events in CloudFormation say why.")
    else:
        yield fine("stack", f"{plane.stack.name} in {plane.aws.region} is {status}.")


def check_functions(plane: Plane) -> Iterator[Finding]:
    """Whether poller and worker are there. Raises Missing."""
    for name in ("Poller", "Worker"):
        plane.configuration(name)
    yield fine("functions", "poller and worker are there.")


def check_schedule(plane: Plane) -> Iterator[Finding]:
    """Whether the poller is started, and takes new tasks."""
    name, given = plane.stack.output("ScheduleName"), plane.stack.parameters
    schedule = ask(lambda: plane.aws.client("scheduler").get_schedule(Name=name))
    when = f"{schedule['ScheduleExpression']} ({schedule.get('ScheduleExpressionTimezone', 'UTC')})"
    if schedule["State"] == "ENABLED":
        yield fine("schedule", f"the poller is started by {when}.")
    elif given.get("ScheduleState") == "ENABLED":
        yield problem(
            "schedule",
            f"disabled by hand: nothing is polled. Enable {name} in EventBridge Scheduler; the stack has "
            "ScheduleState=ENABLED already, so that a deployment changes nothing.",
        )
    else:
        yield problem("schedule", "disabled: nothing is polled; deploy with ScheduleState=ENABLED.")
    if is_draining(plane):
        way = "deploy with Drain=false" if given.get("Drain") == "true" else "`resume` it"
        yield problem("drain", f"the plane takes no new task: {way}.")


def check_timers(plane: Plane) -> Iterator[Finding]:
    """Whether the queue of ticks and timers leads to the poller."""
    url, name = plane.stack.output("TimerQueueUrl"), plane.stack.output("PollerFunctionName")
    found = ask(lambda: plane.aws.client("lambda").list_event_source_mappings(FunctionName=name))
    states = [each["State"] for each in found["EventSourceMappings"]]
    if "Enabled" in states:
        yield fine("timers", "their queue leads to the poller.")
    elif states:
        yield problem(
            "timers", f"the poller's trigger by {url} is {states[0]}, so nothing is polled: enable it."
        )
    else:
        yield problem("timers", f"nothing leads from {url} to the poller: deploy again.")


def check_ledger(plane: Plane) -> Iterator[Finding]:
    """Whether the table has its indexes; one that an earlier stack has left may lack the second."""
    name = plane.stack.output("LedgerTableName")
    table = ask(lambda: plane.aws.client("dynamodb").describe_table(TableName=name))["Table"]
    present = {each["IndexName"] for each in table.get("GlobalSecondaryIndexes", ())}
    if missing := {ACTIVE_INDEX, CLOSED_INDEX} - present:
        lacking = ", ".join(sorted(missing))
        yield problem("ledger", f"{name} has no index {lacking}: add it, as template.yaml has it.")
    else:
        yield fine("ledger", f"{name} has both indexes.")


def check_settings(plane: Plane) -> Iterator[Finding]:
    """Whether the poller can make sense of its parameters."""
    try:
        settings = PollerSettings.from_environment(plane.environment("Poller"))
    except InvalidSetting as wrong:
        yield problem("settings", str(wrong))
        return
    match = f"{settings.match.path} = {settings.match.value}" if settings.match else "every event"
    yield fine("settings", f"takes {', '.join(settings.event_types)}; match: {match}.")


def check_images(plane: Plane) -> Iterator[Finding]:
    """Whether the patterns of AllowedImages mean something, and let the image pass that fetches files."""
    environment = plane.environment("Worker")
    if not environment.get("ECS_CLUSTER"):
        yield fine("images", "Containers=disabled: no task runs an image.")
        return
    try:
        allowed = ImageAllowlist.parse(environment.get("ALLOWED_IMAGES", ""))
    except InvalidImagePattern as wrong:
        yield problem("images", f"AllowedImages: {wrong}; every job config with an image is refused.")
        return
    init = environment.get("CONTAINER_INIT_IMAGE", "")
    if not init:
        yield problem("images", "ContainerInitImage is empty, so that tasks with files fail; name an image.")
        return
    number = len(allowed.patterns)
    which = f"those that match {number} pattern{'s' if number != 1 else ''}" if number else "all"
    yield fine("images", f"tasks may use {which}; files are fetched by {init}.")
