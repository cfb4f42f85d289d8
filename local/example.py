"""The example that stand-ins and demo serve: a project with one sequence, which has one task, `sayhello`."""

import json
import shlex
from typing import Any

PROJECT, STAGE, SERVICE, SEQUENCE = "my-first-project", "dev", "service1", "sequence1"
EVENT_TYPE = "sh.keptn.event.sayhello.triggered"
LOCATION = "$.data.sayhello.location"
"""Where an event says which region is meant; planes match on it."""
SHIPYARD = """\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata:
  name: shipyard
spec:
  stages:
    - name: dev
      sequences:
        - name: sequence1
          tasks:
            - name: sayhello
"""


def sequence_event(location: str) -> dict[str, Any]:
    """The event that triggers the sequence for a region, as it is sent to `POST /v1/event`."""
    return {
        "data": {
            "labels": {"foo": "bar - labels are optional"},
            "project": PROJECT,
            "service": SERVICE,
            "stage": STAGE,
            "sayhello": {"location": location},
        },
        "source": "postman",
        "type": f"sh.keptn.event.{STAGE}.{SEQUENCE}.triggered",
        "specversion": "1.0",
        "shkeptnspecversion": "0.2.3",
    }


def curl(api_url: str, token: str, location: str) -> str:
    """The command that sends this event, for a shell."""
    return f"""\
curl -X POST {shlex.quote(f"{api_url}/v1/event")} \\
-H {shlex.quote(f"x-token: {token}")} \\
-H 'Content-Type: application/json' \\
--data-raw {shlex.quote(json.dumps(sequence_event(location), indent=4))}"""
