"""The operations of ECS that a plane uses, on one cluster."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from execution_plane.clock import Clock, SystemClock
from local.ecs.definitions import TaskDefinitions, check_size
from local.ecs.engine import Engine
from local.ecs.errors import EcsError, client_error, invalid
from local.ecs.lifecycle import Lifecycle
from local.ecs.records import Json, TaskRecord

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
LONGEST_OVERRIDES: Final = 8192  # characters of JSON
MOST_DESCRIBED: Final = 100
PAGE: Final = 100

StateChange = Callable[[Json], None]


class Ecs:
    """A cluster. `on_stopped` gets the event of each task that is over, in the thread that ran the task."""

    def __init__(
        self,
        engine: Engine,
        client: Callable[[str], Any],
        on_stopped: StateChange = lambda _: None,
        *,
        cluster: str = "ContainerCluster",
        region: str = REGION,
        account: str = ACCOUNT,
        clock: Clock | None = None,
        injected: Mapping[str, str] | None = None,
    ) -> None:
        """`client` makes a boto3 client of the AWS that has the logs and the secrets, by a service's name.

        `injected` are variables that every container gets, as ECS gives those that lead to the task role.
        """
        self.engine = engine
        self.cluster = cluster
        self._client = client
        self._on_stopped = on_stopped
        self._where = (region, account)
        self._clock = clock or SystemClock()
        self._injected = dict(injected or {})
        self._definitions = TaskDefinitions(f"arn:aws:ecs:{region}:{account}")
        self._tasks: dict[str, TaskRecord] = {}
        self._tokens: dict[str, tuple[str, str]] = {}
        self._threads: list[threading.Thread] = []
        self._refusals: list[str] = []
        self._lock = threading.RLock()
        self._operations: dict[str, Callable[[Mapping[str, Any]], Json]] = {
            "RegisterTaskDefinition": self._register,
            "DeregisterTaskDefinition": self._deregister,
            "DescribeTaskDefinition": self._describe_definition,
            "ListTaskDefinitions": self._list_definitions,
            "RunTask": self._run_task,
            "DescribeTasks": self._describe_tasks,
            "ListTasks": self._list_tasks,
            "StopTask": self._stop_task,
        }

    def call(self, operation: str, request: Mapping[str, Any]) -> Json:
        """One request. Raises EcsError."""
        handle = self._operations.get(operation)
        if handle is None:
            raise EcsError("UnsupportedOperationException", f"{operation} is not here.")
        with self._lock:
            return handle(request)

    def refuse_next(self, reason: str) -> None:
        """Let the next RunTask start nothing and answer with this failure, as `RESOURCE:FARGATE`."""
        self._refusals.append(reason)

    def close(self) -> None:
        """Stop all tasks, and wait for their ends."""
        for task in list(self._tasks.values()):
            task.ask_to_stop("The cluster is closed.")
        for thread in list(self._threads):
            thread.join()

    def _register(self, request: Mapping[str, Any]) -> Json:
        made = self._definitions.register(request, self._clock.now())
        return {"taskDefinition": made["definition"], "tags": made["tags"]}

    def _deregister(self, request: Mapping[str, Any]) -> Json:
        return {"taskDefinition": self._definitions.deregister(request["taskDefinition"])["definition"]}

    def _describe_definition(self, request: Mapping[str, Any]) -> Json:
        found = self._definitions.describe(request["taskDefinition"])
        answer = {"taskDefinition": found["definition"]}
        return {**answer, "tags": found["tags"]} if "TAGS" in request.get("include", []) else answer

    def _list_definitions(self, request: Mapping[str, Any]) -> Json:
        arns = self._definitions.arns(
            request.get("familyPrefix", ""),
            request.get("status", "ACTIVE"),
            descending=request.get("sort") == "DESC",
        )
        return _page("taskDefinitionArns", arns, request)

    def _run_task(self, request: Mapping[str, Any]) -> Json:
        self._check_cluster(request)
        fingerprint = json.dumps(request, sort_keys=True)
        token = request.get("clientToken", "")
        if token in self._tokens:
            arn, earlier = self._tokens[token]
            if fingerprint != earlier:
                raise EcsError(
                    "ConflictException",
                    "The RunTask request could not be processed due to conflicts. The provided clientToken "
                    "is already in use with a different RunTask request.",
                )
            return {"tasks": [self._tasks[arn].shown()], "failures": []}
        definition = self._definitions.describe(request["taskDefinition"])["definition"]
        _check_run(request, definition)
        if self._refusals:
            return {"tasks": [], "failures": [{"reason": self._refusals.pop(0)}]}
        task = TaskRecord(self._where, self.cluster, definition, request, self._clock)
        self._tasks[task.arn] = task
        if token:
            self._tokens[token] = (task.arn, fingerprint)
        shown = task.shown()
        thread = threading.Thread(target=self._live, args=(task,), name=f"ecs-{task.id}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return {"tasks": [{**shown, "tags": list(request.get("tags", []))}], "failures": []}

    def _live(self, task: TaskRecord) -> None:
        Lifecycle(task, self.engine, self._client, self._clock, self._injected).run()
        self._on_stopped(task.event())

    def _describe_tasks(self, request: Mapping[str, Any]) -> Json:
        self._check_cluster(request)
        if len(request["tasks"]) > MOST_DESCRIBED:
            raise invalid(f"Tasks cannot have more than {MOST_DESCRIBED} items.")
        found, failures = [], []
        for reference in request["tasks"]:
            task = self._find(reference)
            if task is None:
                failures.append({"arn": reference, "reason": "MISSING"})
                continue
            tags = list(task.request.get("tags", [])) if "TAGS" in request.get("include", []) else []
            found.append({**task.shown(), "tags": tags})
        return {"tasks": found, "failures": failures}

    def _list_tasks(self, request: Mapping[str, Any]) -> Json:
        self._check_cluster(request)
        desired = request.get("desiredStatus", "RUNNING")
        arns = [
            arn
            for arn, task in self._tasks.items()
            if (shown := task.shown())["desiredStatus"] == desired
            and request.get("startedBy", shown.get("startedBy")) == shown.get("startedBy")
            and request.get("family", task.definition["family"]) == task.definition["family"]
        ]
        return _page("taskArns", arns, request)

    def _stop_task(self, request: Mapping[str, Any]) -> Json:
        self._check_cluster(request)
        task = self._find(request["task"])
        if task is None:
            raise invalid("The referenced task was not found.")
        task.ask_to_stop(request.get("reason") or "Task stopped by user")
        return {"task": task.shown()}

    def _find(self, reference: str) -> TaskRecord | None:
        task_id = reference.rpartition("/")[2]
        return next((task for task in self._tasks.values() if task.id == task_id), None)

    def _check_cluster(self, request: Mapping[str, Any]) -> None:
        if request.get("cluster", "default").rpartition("/")[2] != self.cluster:
            raise EcsError("ClusterNotFoundException", "Cluster not found.")


def _check_run(request: Mapping[str, Any], definition: Json) -> None:
    """Refuse what ECS refuses to run on Fargate. Raises EcsError."""
    if definition["status"] != "ACTIVE":
        raise client_error("TaskDefinition is inactive")
    subnets = request.get("networkConfiguration", {}).get("awsvpcConfiguration", {}).get("subnets")
    if not subnets:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if request.get("count", 1) != 1:
        raise invalid("Only one task at a time is run here.")
    overrides = request.get("overrides", {})
    if len(json.dumps(overrides, separators=(",", ":"))) > LONGEST_OVERRIDES:
        raise invalid(f"Container Overrides length must be at most {LONGEST_OVERRIDES}")
    names = {container["name"] for container in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        if override.get("name") not in names:
            raise invalid(
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition."
            )
    if "cpu" in overrides or "memory" in overrides:
        check_size(overrides.get("cpu", definition["cpu"]), overrides.get("memory", definition["memory"]))
    if len(request.get("startedBy", "")) > 128:
        raise invalid("startedBy can't be longer than 128 characters.")


def _page(name: str, arns: Sequence[str], request: Mapping[str, Any]) -> Json:
    start = int(request.get("nextToken") or 0)
    end = start + min(int(request.get("maxResults") or PAGE), PAGE)
    return {name: list(arns[start:end]), **({"nextToken": str(end)} if end < len(arns) else {})}
