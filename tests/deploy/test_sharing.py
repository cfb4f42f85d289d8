"""`sam package` and `sam publish`, as far as they go without AWS's Serverless Application Repository."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from execution_plane import VERSION
from tests.deploy.sam_cli import SamCli

REGION = "us-west-2"


class Repository(ThreadingHTTPServer):
    """Takes every application, and keeps what it was told of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = json.dumps({"applicationId": "arn:aws:serverlessrepo:us-west-2:000000000000:applications/a"})
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_packaged_application_can_be_published(sam: SamCli, repository: Repository, tmp_path: Path) -> None:
    packaged = tmp_path / "packaged.yaml"
    sam("package", "--resolve-s3", "--region", REGION, "--output-template-file", str(packaged))

    said = sam(
        *("publish", "--template", str(packaged), "--region", REGION),
        AWS_ENDPOINT_URL_SERVERLESSAPPLICATIONREPOSITORY=repository.url,
    )

    assert "Publish Succeeded" in said
    (told,) = repository.told
    assert (told["name"], told["semanticVersion"]) == ("keptn-lambda-executor", VERSION)
    assert told["spdxLicenseId"] == "Apache-2.0"
    assert "Apache License" in stored(sam, told["licenseUrl"])
    assert "# keptn-lambda-executor" in stored(sam, told["readmeUrl"])


def stored(sam: SamCli, url: str) -> str:
    """The text of an object by its `s3://` URL."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body = sam.aws.client("s3", REGION).get_object(Bucket=bucket, Key=key)["Body"]
    return str(body.read().decode())
