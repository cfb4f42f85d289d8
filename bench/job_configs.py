"""A large job config as a user might write it, and an event for it."""

from typing import Any, Final

ACTIONS: Final = 200
TASKS: Final = 20  # Keptn tasks that the actions are for

HEAD: Final = "apiVersion: v2\nactions:\n"
ACTION: Final = """\
  - name: "Run step {index}"
    events:
      - name: "sh.keptn.event.task{task}.triggered"
        jsonpath:
          property: "$.data.step"
          match: "step{index}"
    tasks:
      - name: "Run locust {index}"
        files:
          - locust/basic.py
          - locust/import.py
          - locust/locust.conf
        image: "locustio/locust"
        cmd:
          - locust
        args:
          - "--config"
          - "/keptn/locust/locust.conf"
          - "-f"
          - "/keptn/locust/basic.py"
          - "--host"
          - "$(HOST)"
        env:
          - name: HOST
            value: "$.data.deployment.deploymentURIsLocal[0]"
            valueFrom: event
          - name: locust-credentials
            valueFrom: secret
        resources:
          limits:
            cpu: 1
            memory: 512Mi
"""

EVENT: Final[dict[str, Any]] = {
    "id": "7b2d2c6c-1c0e-4f0c-9d5e-0c8d3c1f0a01",
    "shkeptncontext": "7b2d2c6c-1c0e-4f0c-9d5e-0c8d3c1f0a02",
    "type": "sh.keptn.event.task7.triggered",
    "source": "shipyard-controller",
    "specversion": "1.0",
    "time": "2026-09-21T12:00:00.000Z",
    "data": {"project": "podtato", "stage": "dev", "service": "head", "step": "step107"},
}


def job_config() -> bytes:
    """The file; one of its actions is for EVENT."""
    actions = (ACTION.format(index=index, task=index % TASKS) for index in range(ACTIONS))
    return (HEAD + "".join(actions)).encode()
