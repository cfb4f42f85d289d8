"""What a plane sends to Keptn, and what it hears."""

import io
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPResponse

from tests.support.world import World


@dataclass
class Recording:
    """The answers that a world's planes got, each with its request, in order."""

    answers: list[requests.Response] = field(default_factory=list)

    def asked(self, method: str, part: str = "") -> list[str]:
        """The paths of the requests with this method and this in their path, without queries."""
        return [
            urlsplit(str(answer.request.url)).path
            for answer in self.answers
            if answer.request.method == method and part in str(answer.request.url)
        ]

    def clear(self) -> None:
        self.answers.clear()


def record(world: World) -> Recording:
    """Record from now on; before the world's first client is made."""
    recording = Recording()

    def keep(answer: requests.Response, *_: Any, **__: Any) -> None:
        # Read it here, and let the client, which reads the bare stream, do so again.
        answer.raw = HTTPResponse(io.BytesIO(answer.content), preload_content=False)
        recording.answers.append(answer)

    def listen(session: requests.Session) -> requests.Session:
        session.hooks["response"].append(keep)
        return session

    world.wrap_session = listen
    return recording
