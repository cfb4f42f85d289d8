"""Fresh processes with an environment of their own: what is measured shares nothing with what measures it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bench.events import EVENT_TYPE


def poller_environment(url: str, **more: str) -> dict[str, str]:
    """The poller's environment where a stub at `url` is both Keptn and AWS; it cycles once a tick."""
    return {
        "AWS_ENDPOINT_URL": url,
        "KEPTN_API_URL": f"{url}/api",
        "KEPTN_API_TOKEN_SECRET_ARN": "token",
        "LEDGER_TABLE_NAME": "ledger",
        "EVENT_TYPES": EVENT_TYPE,
        "POLL_INTERVAL_SECONDS": "0",
        "POLL_INTERVAL_BUSY_SECONDS": "0",
        "WORKER_FUNCTION_NAME": "worker",
        "PLANE_SOURCE": "keptn-lambda-executor/1/eu-west-1/bench",
        **more,
    }


def run_fresh(module: str, environment: Mapping[str, str]) -> str:
    """Run a module in a new process and give what it prints. Raises CalledProcessError if it fails."""
    return subprocess.run(
        [sys.executable, "-m", module],
        env=base_environment() | dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def answer_of(module: str, environment: Mapping[str, str]) -> Any:
    """Run a module in a new process; its answer is the JSON in the last line that it prints."""
    return json.loads(run_fresh(module, environment).splitlines()[-1])


def base_environment() -> dict[str, str]:
    """Nothing of the user's own settings but what it takes to find the interpreter and the code."""
    return {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONWARNINGS": "ignore",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Bench",
    }
