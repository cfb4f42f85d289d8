"""The shipyard controller's routes on events and sequences."""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from local.keptn import go_json
from local.keptn.answers import (
    GIN_JSON,
    BadQuery,
    database_page,
    encoded,
    gin,
    gin_error,
    gin_not_found,
    no_skip,
    offset_page,
    query_number,
    query_text,
)
from local.keptn.control_plane import Keptn
from local.keptn.execution import SequenceExecution
from local.keptn.open_events import OpenEvent
from local.keptn.sequence_states import SequenceState

_COMMAND = ("models.SequenceControlCommand", {"state": "models.SequenceControlState", "stage": "string"})
_NO_STATE = (
    "Key: 'SequenceControlCommand.State' Error:Field validation for 'State' failed on the 'required' tag"
)


class ShipyardRoutes:
    """Open events, sequence states, executions and control."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """These routes."""
        routes = Blueprint("shipyard", __name__)
        routes.add_url_rule("/event", view_func=self.receive, methods=["POST"])
        routes.add_url_rule("/event/triggered/<event_type>", view_func=self.triggered)
        routes.add_url_rule("/sequence/<project>", view_func=self.states)
        routes.add_url_rule(
            "/sequence/<project>/<keptn_context>/control", view_func=self.control, methods=["POST"]
        )
        routes.add_url_rule("/sequence-execution", view_func=self.executions)
        return routes

    def receive(self) -> Response:
        """An event that would come past the API, and so past the history: none is good enough."""
        return gin_error(400, "Invalid request format: not an event")

    def triggered(self, event_type: str) -> Response:
        """The open events of a type.

        Paging is broken in every release: a later page repeats the first events.
        """
        problem = b""
        size = 20
        project, stage, service = (query_text(name) for name in ("project", "stage", "service"))
        try:
            size = query_number("pageSize", size)
        except BadQuery as error:
            # The handler forgets to return: an error document, then the listing, all with status 400. What
            # it would have read after the size does not count.
            problem = encoded({"code": 400, "message": f"Invalid request format: {error}"})
            project = stage = service = ""
        if project and project not in self._keptn.projects:
            return gin_error(404, "project not found")
        found = self._open(project, stage, service, event_type)
        start, end, following = offset_page(len(found), size, query_text("nextPageKey"))
        page = b",".join(opened.json for opened in found[: max(0, end - start)])
        total = b',"totalCount":%d' % len(found) if found else b""
        body = b'%b{"events":[%b],"nextPageKey":"%b"%b}' % (problem, page, following.encode(), total)
        return Response(body, 400 if problem else 200, content_type=GIN_JSON)

    def _open(self, project: str, stage: str, service: str, event_type: str) -> list[OpenEvent]:
        event_id = query_text("eventID") or None
        return [
            opened
            for name in ([project] if project else self._keptn.projects)
            for opened in self._keptn.controller.listing(name, event_type, event_id)
            if stage in ("", opened.stage) and service in ("", opened.service)
        ]

    def states(self, project: str) -> Response:
        """The sequence states of a project, newest first; an unknown project has none."""
        try:
            size, start = query_number("pageSize", 0), query_number("nextPageKey", 0)
        except BadQuery as error:
            return gin_error(400, f"Invalid request format: {error}")
        if start < 0:
            return gin_error(500, f"Unable to query sequence state repository: {no_skip(start)}")
        name, state = query_text("name"), query_text("state")
        from_time, before_time = query_text("fromTime"), query_text("beforeTime")
        found = [
            each
            for each in self._states(project)
            if name in ("", each["name"])
            and state in ("", each["state"])
            and (not from_time or each["time"] > from_time)
            and (not before_time or each["time"] < before_time)
        ]
        end, following = database_page(len(found), size, start)
        page = {"states": found[start:end], "nextPageKey": following}
        return gin(_without_zeros({**page, "totalCount": len(found)}))

    def _states(self, project: str) -> list[SequenceState]:
        states = self._keptn.controller.records.states
        contexts = [each for each in query_text("keptnContext").split(",") if each]
        if not contexts:
            return states.of_project(project)[::-1]
        found = [state for each in contexts if (state := states.get(project, each)) is not None]
        return sorted(found, key=lambda state: str(state["time"]), reverse=True)

    def executions(self) -> Response:
        """The executions of a project, newest first: several for a context with several stages."""
        if not self._keptn.release.has_sequence_execution:
            return gin_not_found()
        try:
            size, start = query_number("pageSize", 0), query_number("nextPageKey", 0)
        except BadQuery as error:
            return gin_error(400, f"Invalid request format: {error}")
        project = query_text("project")
        if not project:
            return gin_error(400, "Invalid request format: project name must not be empty")
        if project not in self._keptn.projects:
            return gin_error(404, "project not found")
        found = [each for each in self._of_project(project) if _is_asked_for(each)]
        found.reverse()
        if found and start < 0:
            return gin_error(500, f"Unable to query sequence execution repository: {no_skip(start)}")
        end, following = database_page(len(found), size, start)
        page = {
            "nextPageKey": following,
            "pageSize": len(found[start:end]),
            "totalCount": len(found),
        }
        executions = [each.as_json() for each in found[start:end]]
        return gin(_without_zeros(page) | {"sequenceExecutions": executions})

    def _of_project(self, project: str) -> list[SequenceExecution]:
        records = self._keptn.controller.records
        return records.executions(project, query_text("keptnContext"), query_text("stage"))

    def control(self, project: str, keptn_context: str) -> Response:
        """Pause, resume or abort; what is unknown is accepted and ignored."""
        try:
            command = go_json.struct(go_json.decode(request.get_data()), *_COMMAND)
        except go_json.Unreadable as error:
            return gin_error(400, f"Invalid request format: {error}")
        if not command["state"]:
            return gin_error(400, f"Invalid request format: {_NO_STATE}")
        self._keptn.control(project, keptn_context, command["state"], command["stage"])
        return gin({})


def _is_asked_for(execution: SequenceExecution) -> bool:
    return (
        query_text("service") in ("", execution.scope.service)
        and query_text("name") in ("", execution.sequence.name)
        and request.args.get("status", "") in ("", execution.status.state)
    )


def _without_zeros(page: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in page.items() if value != 0}
