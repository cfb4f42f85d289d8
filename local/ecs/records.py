"""A task as ECS's API and its events show it."""

import copy
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from execution_plane.clock import Clock

Json = dict[str, Any]


class TaskRecord:
    """What is known of one task; changed by the thread that runs it, read by requests."""

    def __init__(
        self,
        region_and_account: tuple[str, str],
        cluster: str,
        definition: Json,
        request: Mapping[str, Any],
        clock: Clock,
    ) -> None:
        self.id = uuid4().hex
        self.definition = definition
        self.request = request
        self.stop_requested = threading.Event()
        self.region, self.account = region_and_account
        self._clock = clock
        self._lock = threading.RLock()
        prefix = f"arn:aws:ecs:{self.region}:{self.account}"
        self.arn = f"{prefix}:task/{cluster}/{self.id}"
        overrides = {
            "containerOverrides": [],
            "inferenceAcceleratorOverrides": [],
            **request.get("overrides", {}),
        }
        self._shown: Json = {
            "taskArn": self.arn,
            "clusterArn": f"{prefix}:cluster/{cluster}",
            "taskDefinitionArn": definition["taskDefinitionArn"],
            "group": request.get("group") or f"family:{definition['family']}",
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "cpu": str(overrides.get("cpu") or definition["cpu"]),
            "memory": str(overrides.get("memory") or definition["memory"]),
            "lastStatus": "PROVISIONING",
            "desiredStatus": "RUNNING",
            "createdAt": clock.now(),
            "overrides": overrides,
            "attachments": [],
            "version": 1,
            "containers": [
                {
                    "containerArn": f"{prefix}:container/{cluster}/{self.id}/{uuid4()}",
                    "taskArn": self.arn,
                    "name": container["name"],
                    "image": container["image"],
                    "lastStatus": "PENDING",
                    "networkInterfaces": [],
                }
                for container in definition["containerDefinitions"]
            ],
        }
        if request.get("startedBy"):
            self._shown["startedBy"] = request["startedBy"]

    def shown(self) -> Json:
        """The task as DescribeTasks shows it, times in seconds since the epoch."""
        with self._lock:
            return copy.deepcopy(self._shown)

    def set(self, **changes: Any) -> None:
        """Change attributes of the task."""
        with self._lock:
            self._shown.update(changes, version=self._shown["version"] + 1)

    def set_container(self, name: str, **changes: Any) -> None:
        """Change attributes of a container."""
        with self._lock:
            next(each for each in self._shown["containers"] if each["name"] == name).update(changes)
            self.set()

    def now(self) -> float:
        """The time by ECS's clock."""
        return self._clock.now()

    def ask_to_stop(self, reason: str) -> None:
        """Note that somebody wants the task to end; the thread that runs it sees to it."""
        with self._lock:
            if self._shown["desiredStatus"] != "STOPPED":
                self.set(
                    desiredStatus="STOPPED",
                    stopCode="UserInitiated",
                    stoppedReason=reason,
                    stoppingAt=self.now(),
                )
        self.stop_requested.set()

    def stopped(self, stop_code: str, reason: str) -> None:
        """The task is over. What was said when somebody asked for the stop stays."""
        with self._lock:
            for container in self._shown["containers"]:
                container["lastStatus"] = "STOPPED"
            self._shown.setdefault("stopCode", stop_code)
            self._shown.setdefault("stoppedReason", reason)
            self._shown.setdefault("stoppingAt", self.now())
            self.set(
                lastStatus="STOPPED",
                desiredStatus="STOPPED",
                stoppedAt=self.now(),
                executionStoppedAt=self.now(),
            )

    def event(self) -> Json:
        """The EventBridge event "ECS Task State Change" of the task as it is now."""
        detail = {name: _iso(value) if name.endswith("At") else value for name, value in self.shown().items()}
        return {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": self.account,
            "time": _iso(self.now()),
            "region": self.region,
            "resources": [self.arn],
            "detail": {**detail, "updatedAt": _iso(self.now())},
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
