"""Keptn's public API, as the plane uses it. Every quirk of the control plane lives here and nowhere else."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from execution_plane.clock import Deadline
from execution_plane.keptn.events import Event, EventRef
from execution_plane.keptn.look import Look, read_current_tasks, read_look, state_under_way
from execution_plane.keptn.transport import (
    READ_SECONDS,
    Answer,
    KeptnError,
    KeptnIncomprehensible,
    KeptnLacksEndpoint,
    KeptnNotFound,
    KeptnRefused,
    Transport,
)
from execution_plane.keptn.uniform import LogEntry

T = TypeVar("T")

ONE_PAGE = 100_000  # the open list's second page repeats the first, in every release
RESOURCES_PAGE = 1000
EXECUTIONS_PAGE = "250"  # each has all that its tasks were given and came to: as many at once fit into memory
REPLY_SECONDS = 15.0  # to wait for the answer to a reply
NO_SUCH_ROUTE = "404 page not found"  # the control plane's own router, to what it does not know
LEAST_REPLY_SECONDS = 1.5  # below which a reply is not begun
UNIFORM_SECONDS = 5.0  # to wait for what is of use, and not worth a delay: heartbeats and the error log
LOG_READ_BACK = "100"  # entries
REGISTRATION = "/controlPlane/v1/uniform/registration"
EXECUTIONS = "/controlPlane/v1/sequence-execution"
RESOURCE_SERVICES = ("resource-service", "configuration-service")  # from 0.18, and before 0.19
# The resource service's words, "Resource not found", and those of the older configuration service, such as
# "Stage resource not found" and "Stage does not exist".
NO_SUCH_RESOURCE = re.compile(
    r"((project|stage|service)( resource)?|resource) (not found|does not exist)", re.IGNORECASE
)


class SendUncertain(Exception):
    """A reply was sent and nobody can say whether Keptn took it. It must not simply be sent again."""


class NotSent(KeptnRefused):
    """A reply was not begun: it could not have ended before the invocation does."""


class LookUnsupported(Exception):
    """This control plane (before 0.18) cannot be asked about a task."""


@dataclass(frozen=True)
class Listing:
    """The open triggered events of one type, or what was kept of each, and Keptn's time in epoch seconds."""

    events: Sequence[Any]
    keptn_time: float | None


class ControlPlane:
    """One Keptn control plane. Safe for threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resource_services: Sequence[str] = RESOURCE_SERVICES
        self._version: str | None = None

    def version(self) -> str:
        """Keptn's version, as far as it says: `1.4.5`. Asked for until it is known."""
        if self._version is None:
            try:
                body = self._transport.get("/v1/metadata", seconds=UNIFORM_SECONDS).body
            except KeptnError:
                return "unknown"
            self._version = str(body.get("keptnversion", "unknown")) if isinstance(body, dict) else "unknown"
        return self._version

    def open_events(
        self,
        event_type: str,
        filters: Mapping[str, str],
        keep: Callable[[Any], Any] = lambda event: event,
    ) -> Listing:
        """List the open events of one type; they may come to tens of megabytes, and what `keep` makes of each
        is all that is kept.

        `filters` may have project, stage, service (one value each) and eventID. An unknown project is an
        empty list: it may come yet. Raises KeptnError.
        """
        path = f"/controlPlane/v1/event/triggered/{_segment(event_type)}"
        try:
            answer = self._transport.get_list(path, {**filters, "pageSize": str(ONE_PAGE)}, "events", keep)
        except KeptnNotFound:
            if "project" in filters:
                return Listing((), None)
            raise
        if answer.body is None:
            raise _lacking("events", path)
        return Listing(answer.body, _epoch_seconds(answer.date))

    def fetch_event(self, ref: EventRef) -> Any | None:
        """The open event with this id as Keptn sends it, or None if it is not open. Raises KeptnError."""
        listing = self.open_events(ref.type, {"project": ref.project, "eventID": ref.id})
        return _with_id(listing.events, ref.id)

    def recall_event(self, ref: EventRef) -> Any | None:
        """The event with this id from Keptn's history, open or not, or None if it is not there.

        Raises KeptnError.
        """
        path = "/mongodb-datastore/event"
        params = {"project": ref.project, "keptnContext": ref.context, "eventID": ref.id}
        return _with_id(_member(self._transport.get(path, params), "events", path), ref.id)

    def look(self, ref: EventRef, source: str) -> Look | None:
        """Where the task stands, counting replies from `source`; None if its project does not exist.

        Raises LookUnsupported before Keptn 0.18, and KeptnError.
        """
        params = {"project": ref.project, "keptnContext": ref.context, "pageSize": "1000"}
        answer = self._executions(params)
        return _understood(lambda: read_look(answer[0], ref.id, source)) if answer else None

    def current_tasks(self, project: str, refs: Collection[EventRef], source: str) -> dict[str, Look]:
        """Where tasks of a project stand, counting replies from `source`, by their ids: of those that are the
        current ones of sequences under way. What is paused, over or unknown is not among them.

        Keptn is asked in pages, and what moves meanwhile may fall between two: then it is missing as well.
        Raises LookUnsupported before Keptn 0.18, and KeptnError.
        """
        found: dict[str, Look] = {}
        for state in {state_under_way(ref.task) for ref in refs}:
            wanted = {ref.id for ref in refs if state_under_way(ref.task) == state}
            for page in self._execution_pages({"project": project, "status": state}):
                found |= _understood(partial(read_current_tasks, page, wanted, source))
                if wanted <= found.keys():
                    break
        return found

    def paused_contexts(self, project: str) -> frozenset[str]:
        """The contexts of all paused sequences in a project; for control planes that support no look.

        Raises KeptnError.
        """
        path = f"/controlPlane/v1/sequence/{_segment(project)}"
        states = _member(self._transport.get(path, {"state": "paused"}), "states", path)
        return frozenset(str(state.get("shkeptncontext")) for state in states if isinstance(state, dict))

    def send(self, event: Event, deadline: Deadline) -> None:
        """Send a reply, once.

        Raises NotSent if the deadline is too near, another KeptnError whose `had_no_effect` is true if Keptn
        certainly did not take it, and SendUncertain for everything else.
        """
        seconds = min(REPLY_SECONDS, deadline.remaining() - 0.5)
        if seconds < LEAST_REPLY_SECONDS:
            raise NotSent("POST", "/v1/event", "not sent: the invocation is about to end")
        try:
            self._transport.post("/v1/event", event, seconds=seconds)
        except KeptnError as problem:
            if problem.had_no_effect:
                raise
            raise SendUncertain(str(problem)) from None

    def resource(
        self, scope: Sequence[str], uri: str, commit: str = "", *, seconds: float = READ_SECONDS
    ) -> bytes:
        """A file of the project's repository at `scope`: (project), (project, stage) or (project, stage,
        service); waits at most `seconds` for the answer.

        Raises KeptnNotFound if Keptn says that the file does not exist, or its service, stage or project, of
        which it knows those of today only, and another KeptnError for everything else, as a 404 for a git
        repository that Keptn cannot reach.
        """
        # The gateway decodes a path once before the service does (docs/keptn-api.md, 1.5): encode twice.
        path = f"{_resources_at(scope)}/{_segment(_segment(uri))}"
        answer = self._of_resources(path, {"gitCommitID": commit} if commit else None, seconds)
        try:
            return base64.b64decode(answer.body["resourceContent"])
        except (KeyError, TypeError, binascii.Error):
            raise KeptnIncomprehensible("GET", path, "the answer has no readable resourceContent") from None

    def resource_uris(self, scope: Sequence[str]) -> list[str]:
        """The files at `scope`, as relative paths; those of today, as Keptn lists those of no commit.

        Raises KeptnNotFound if Keptn says that there is no such scope, and another KeptnError, as `resource`.
        """
        path = _resources_at(scope)
        uris: list[str] = []
        key = "0"
        while True:
            answer = self._of_resources(path, {"pageSize": str(RESOURCES_PAGE), "nextPageKey": key})
            listed = _member(answer, "resources", path)
            # Deployed resource services begin a path with a slash, others do not.
            uris += [str(each["resourceURI"]).lstrip("/") for each in listed if "resourceURI" in each]
            following = str(answer.body.get("nextPageKey") or "0")
            if following == "0" or not listed:
                return uris
            key = following

    def listed_resources(
        self, scope: Sequence[str], most: int, *, seconds: float = READ_SECONDS
    ) -> tuple[str, list[str]]:
        """The files at `scope` with those of its services, as relative paths, and the commit they are of.

        The commit is empty if Keptn does not say it, or there are more files than `most`, which one answer
        has. Waits at most `seconds`. Raises KeptnNotFound if Keptn says that there is no such scope, and
        another KeptnError, as `resource`.
        """
        path = _resources_at(scope)
        answer = self._of_resources(path, {"pageSize": str(most)}, seconds)
        uris, commits = [], set()
        for listed in _member(answer, "resources", path):
            try:
                uris.append(str(listed["resourceURI"]).lstrip("/"))
                commits.add(str(listed["metadata"]["version"]))
            except (KeyError, TypeError):
                commits.add("")
        is_whole = len(commits) == 1 and str(answer.body.get("nextPageKey") or "0") == "0"
        return commits.pop() if is_whole else "", uris

    def registered(self, name: str, namespace: str) -> list[Any]:
        """The integrations of this name and namespace, as Keptn sends them. Raises KeptnError."""
        params = {"name": name, "namespace": namespace}
        found = self._transport.get(REGISTRATION, params, seconds=UNIFORM_SECONDS).body
        if found is None or isinstance(found, list):
            return found or []
        raise KeptnIncomprehensible("GET", REGISTRATION, "the answer is no list of integrations")

    def register(self, integration: Mapping[str, Any]) -> str:
        """Register an integration, or what is new of it; gives its id.

        Doing it again does no harm: Keptn looks for one of the same name and namespace. Raises KeptnError.
        """
        answer = self._transport.post(REGISTRATION, integration, seconds=UNIFORM_SECONDS).body
        if isinstance(answer, dict) and isinstance(answer.get("id"), str) and answer["id"]:
            return str(answer["id"])
        raise KeptnIncomprehensible("POST", REGISTRATION, "the answer has no id")

    def heartbeat(self, integration_id: str) -> list[Any]:
        """Tell that the integration is alive; gives its subscriptions as Keptn sends them.

        Raises KeptnNotFound if it is not registered, and other KeptnErrors.
        """
        path = f"{REGISTRATION}/{_segment(integration_id)}/ping"
        return _member(self._transport.put(path, seconds=UNIFORM_SECONDS), "subscriptions", path)

    def unregister(self, integration_id: str) -> None:
        """Forget an integration, known or not. Raises KeptnError."""
        self._transport.delete(f"{REGISTRATION}/{_segment(integration_id)}", seconds=UNIFORM_SECONDS)

    def log(self, integration_id: str, entries: Sequence[LogEntry]) -> None:
        """Add to an integration's error log; at least one entry, or Keptn fails. Raises KeptnError."""
        logs = [entry.as_json(integration_id) for entry in entries]
        self._transport.post("/controlPlane/v1/log", {"logs": logs}, seconds=UNIFORM_SECONDS)

    def logged(self, integration_id: str) -> list[LogEntry]:
        """The newest entries of an integration's error log. Raises KeptnError."""
        path, params = "/controlPlane/v1/log", {"integrationId": integration_id, "pageSize": LOG_READ_BACK}
        logs = _member(self._transport.get(path, params, seconds=UNIFORM_SECONDS), "logs", path)
        return [LogEntry.from_json(entry) for entry in logs]

    def redacted(self, text: str) -> str:
        """The text without the credentials that are in use. Raises KeptnError and SecretUnreadable."""
        return self._transport.redacted(text)

    def _execution_pages(self, params: Mapping[str, str]) -> Iterator[list[Any]]:
        """Executions of a project's sequences, some at a time, the newest first. Raises as `_executions`."""
        key = "0"
        while answer := self._executions({**params, "pageSize": EXECUTIONS_PAGE, "nextPageKey": key}):
            page, key = answer
            yield page
            if key == "0" or not page:
                return

    def _executions(self, params: Mapping[str, str]) -> tuple[list[Any], str] | None:
        """Executions of a project's sequences, as Keptn sends them, and the key of the next ones, "0" at the
        end; None if there is no such project.

        Raises LookUnsupported and KeptnError.
        """
        try:
            answer = self._transport.get(EXECUTIONS, params)
        except KeptnNotFound:
            return None
        except KeptnLacksEndpoint as problem:
            if problem.message != NO_SUCH_ROUTE:
                raise  # a proxy's words: Keptn itself has not been asked
            raise LookUnsupported(str(problem)) from None
        # Keptn's own types and documents disagree on the first letter.
        names = answer.body if isinstance(answer.body, dict) else ()
        name = next((key for key in names if key.lower() == "sequenceexecutions"), "sequenceExecutions")
        executions = _member(answer, name, EXECUTIONS)
        return executions, str(answer.body.get("nextPageKey") or "0")

    def _of_resources(
        self, path: str, params: Mapping[str, str] | None, seconds: float = READ_SECONDS
    ) -> Answer:
        """Ask the service that keeps resources, by the name it has in this Keptn, which is found out once.

        Raises KeptnNotFound only for a 404 in the words of NO_SUCH_RESOURCE: the service has others, such as
        "Could not find credentials for upstream repository", that say nothing of what there is.
        """
        lacking: KeptnLacksEndpoint | None = None
        for service in self._resource_services:
            try:
                answer = self._transport.get(f"/{service}{path}", params, seconds=seconds)
            except KeptnLacksEndpoint as problem:
                lacking = lacking or problem
                continue
            except KeptnNotFound as problem:
                self._resource_services = (service,)
                if NO_SUCH_RESOURCE.fullmatch(problem.message):
                    raise
                raise KeptnRefused(problem.method, problem.path, problem.message, problem.status) from None
            self._resource_services = (service,)
            return answer
        self._resource_services = RESOURCE_SERVICES  # Keptn may have been upgraded: ask for both next time
        assert lacking is not None
        raise lacking


def _resources_at(scope: Sequence[str]) -> str:
    levels = zip(("project", "stage", "service"), scope, strict=False)
    place = "/".join(f"{level}/{_segment(name)}" for level, name in levels)
    return f"/v1/{place}/resource"


def _understood(read: Callable[[], T]) -> T:
    """What is read of executions. Raises KeptnIncomprehensible."""
    try:
        return read()
    except (KeyError, TypeError, AttributeError) as problem:
        raise KeptnIncomprehensible("GET", EXECUTIONS, f"unexpected shape: {problem!r}") from None


def _segment(name: str) -> str:
    return quote(name, safe="")


def _member(answer: Answer, name: str, path: str) -> list[Any]:
    """A list in an answer; Go writes an empty one as null."""
    if isinstance(answer.body, dict):
        members = answer.body.get(name)
        if members is None and name in answer.body:
            return []
        if isinstance(members, list):
            return members
    raise _lacking(name, path)


def _lacking(name: str, path: str) -> KeptnIncomprehensible:
    return KeptnIncomprehensible(
        "GET", path, f"the answer has no list of {name}; is KeptnApiUrl Keptn's API?"
    )


def _with_id(events: Sequence[Any], event_id: str) -> Any | None:
    return next((each for each in events if isinstance(each, dict) and each.get("id") == event_id), None)


def _epoch_seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return None
