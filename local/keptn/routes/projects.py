"""The shipyard controller's routes on projects, stages and services."""

import base64
import binascii
from typing import Any

from flask import Blueprint, Response, request

from local.keptn import go_json, shipyard
from local.keptn.answers import (
    GIN_JSON,
    BadQuery,
    body_object,
    encoded,
    gin,
    gin_error,
    offset_page,
    query_number,
    query_text,
)
from local.keptn.control_plane import Keptn, NotFound, Project, ProjectExists, ServiceExists
from local.keptn.events import unix_nanoseconds

_LONGEST_SERVICE = 43
_DIRECTORY_NAMES = (
    "The service name has to be a valid Unix directory name. For details see "
    "https://www.cyberciti.biz/faq/linuxunix-rules-for-naming-file-and-directory-names/"
)
_CREATE_SERVICE = ("models.CreateServiceParams", {"serviceName": "string"})


class InvalidProject(Exception):
    """What was sent does not describe a project."""


class ProjectRoutes:
    """Routes on projects and what they consist of."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """These routes."""
        routes = Blueprint("projects", __name__)
        routes.add_url_rule("/project", view_func=self.create, methods=["POST"])
        routes.add_url_rule("/project", view_func=self.projects)
        routes.add_url_rule("/project/<project>", view_func=self.get)
        routes.add_url_rule("/project/<project>", view_func=self.delete, methods=["DELETE"])
        routes.add_url_rule("/project/<project>/stage", view_func=self.stages)
        routes.add_url_rule("/project/<project>/stage/<stage>", view_func=self.stage)
        routes.add_url_rule("/project/<project>/service", view_func=self.create_service, methods=["POST"])
        routes.add_url_rule(
            "/project/<project>/service/<service>", view_func=self.delete_service, methods=["DELETE"]
        )
        routes.add_url_rule("/project/<project>/stage/<stage>/service", view_func=self.services)
        routes.add_url_rule("/project/<project>/stage/<stage>/service/<service>", view_func=self.service)
        return routes

    def create(self) -> Response:
        """Create a project: `name`, `shipyard` in base64, and `gitCredentials` in later releases."""
        body = body_object()
        if body is None:
            return gin_error(400, "Invalid request format: body is not a JSON object")
        try:
            name, text = self._project_in(body)
            self._keptn.create_project(name, text, git_credentials=_shown(body.get("gitCredentials")))
        except (InvalidProject, shipyard.InvalidShipyard) as error:
            return gin_error(400, f"Could not validate payload: {error}")
        except ProjectExists as error:
            return gin_error(409, str(error))
        return Response("", 201)

    def _project_in(self, body: dict[str, Any]) -> tuple[str, str]:
        name, encoded = body.get("name"), body.get("shipyard")
        if not isinstance(name, str) or not name:
            raise InvalidProject("project name missing")
        if not shipyard.is_entity_name(name):
            raise InvalidProject("provided project name is not a valid Keptn entity name")
        if not isinstance(encoded, str) or not encoded:
            raise InvalidProject("shipyard must contain a valid shipyard spec encoded in base64")
        if self._keptn.release.wants_git_credentials and not body.get("gitCredentials"):
            raise InvalidProject("gitCredentials cannot be empty")
        try:
            return name, base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidProject("could not decode shipyard content") from error

    def projects(self) -> Response:
        """All projects by name."""
        projects = [self._as_json(self._keptn.projects[name]) for name in sorted(self._keptn.projects)]
        return _page("projects", projects)

    def get(self, project: str) -> Response:
        """One project."""
        try:
            return gin(self._as_json(self._keptn.project(project)))
        except NotFound:
            return gin_error(404, f"Project not found: {project}")

    def delete(self, project: str) -> Response:
        """Delete a project and everything in it."""
        try:
            self._keptn.delete_project(project)
        except NotFound as error:
            return gin_error(404, str(error))
        return gin({"message": ""})

    def stages(self, project: str) -> Response:
        """The stages of a project by name."""
        try:
            known = self._keptn.project(project)
        except NotFound as error:
            return gin_error(404, str(error))
        return _page("stages", [self._stage_as_json(known, stage) for stage in sorted(known.stages)])

    def stage(self, project: str, stage: str) -> Response:
        """One stage of a project."""
        try:
            known = self._keptn.project(project)
        except NotFound as error:
            return gin_error(404, str(error))
        if stage not in known.stages:
            # The handler forgets to return: a second error document, with the status of the first.
            problems = [encoded({"code": code, "message": "stage not found"}) for code in (404, 500)]
            return Response(b"".join(problems), 404, content_type=GIN_JSON)
        return gin(self._stage_as_json(known, stage))

    def create_service(self, project: str) -> Response:
        """Create a service in every stage of a project."""
        try:
            body = go_json.struct(go_json.decode(request.get_data()), *_CREATE_SERVICE)
        except go_json.Unreadable as error:
            return gin_error(400, f"Invalid request format: {error}")
        name = body["serviceName"]
        if problem := _problem_of_service(name):
            return gin_error(400, problem)
        try:
            known = self._keptn.project(project)
            if name not in known.services and any(character.isspace() for character in name):
                where = f"could not create service {name} in stage {known.stages[0]} of project {project}"
                return gin_error(500, f"{where}: upstream repository not found")
            self._keptn.create_service(project, name)
        except ServiceExists as error:
            return gin_error(409, str(error))
        except NotFound as error:
            return gin_error(500, f"could not get stages of project {project}: {error}")
        return gin({"message": ""})

    def delete_service(self, project: str, service: str) -> Response:
        """Delete a service from every stage."""
        try:
            self._keptn.delete_service(project, service)
        except NotFound as error:
            return gin_error(500, f"could not retrieve stages of project {project}: {error}")
        return gin({"message": ""})

    def services(self, project: str, stage: str) -> Response:
        """The services of a stage."""
        try:
            known = self._with_stage(project, stage)
        except NotFound as error:
            return gin_error(404, str(error))
        names = sorted(known.services)
        return _page("services", [self._service_as_json(known, stage, name) for name in names])

    def service(self, project: str, stage: str, service: str) -> Response:
        """One service of a stage."""
        try:
            known = self._with_stage(project, stage)
            if service not in known.services:
                raise NotFound("service not found")
        except NotFound as error:
            return gin_error(404, str(error))
        return gin(self._service_as_json(known, stage, service))

    def _with_stage(self, project: str, stage: str) -> Project:
        known = self._keptn.project(project)
        if stage not in known.stages:
            raise NotFound("stage not found")
        return known

    def _as_json(self, project: Project) -> dict[str, Any]:
        has_credentials = self._keptn.release.wants_git_credentials
        return {
            "creationDate": unix_nanoseconds(project.created),
            "projectName": project.name,
            "shipyard": project.shipyard_text,
            "shipyardVersion": f"spec.keptn.sh/{project.shipyard.version}",
            "stages": [self._stage_as_json(project, stage) for stage in project.stages],
            **({"gitCredentials": project.git_credentials} if has_credentials else {}),
            "isUpstreamAutoProvisioned": False,
        }

    def _stage_as_json(self, project: Project, stage: str) -> dict[str, Any]:
        parents = project.shipyard.parents(stage)
        return {
            "services": [self._service_as_json(project, stage, name) for name in project.services],
            "stageName": stage,
            **({"parentStages": parents} if parents else {}),
        }

    def _service_as_json(self, project: Project, stage: str, service: str) -> dict[str, Any]:
        last_events = self._keptn.controller.records.last_events.get((project.name, stage, service))
        return {
            "creationDate": unix_nanoseconds(project.services[service]),
            **({"lastEventTypes": last_events} if last_events else {}),
            "openRemediations": None,
            "serviceName": service,
        }


def _problem_of_service(name: str) -> str:
    """Why the shipyard controller takes no service of this name; empty if it does.

    It looks for what can't be in a directory's name; the git repository takes no white space besides.
    """
    if not name:
        return "must provide a service name"
    if len(name.encode()) > _LONGEST_SERVICE:
        return f"project name exceeds maximum size of {_LONGEST_SERVICE} characters"
    if name in (".", "..") or set(name) & set("/><|:&"):
        return f"Service name contains special character(s). {_DIRECTORY_NAMES}"
    return ""


def _shown(credentials: Any) -> dict[str, Any] | None:
    """What Keptn shows of a project's git credentials: nothing that is secret."""
    if not isinstance(credentials, dict):
        return None
    shown: dict[str, Any] = {"remoteURL": credentials.get("remoteURL") or ""}
    if credentials.get("user"):
        shown["user"] = credentials["user"]
    if https := credentials.get("https"):
        shown["https"] = {"insecureSkipTLS": bool(https.get("insecureSkipTLS"))}
        if proxy := https.get("proxy"):
            shown["https"]["proxy"] = {
                name: proxy[name] for name in ("url", "scheme", "user") if proxy.get(name)
            }
    return shown


def _page(name: str, items: list[Any]) -> Response:
    try:
        size = query_number("pageSize", 20)
    except BadQuery as error:
        return gin_error(400, f"Invalid request format: {error}")
    start, end, following = offset_page(len(items), size, query_text("nextPageKey"))
    total = {"totalCount": len(items)} if items else {}
    return gin({name: items[start:end], "nextPageKey": following, **total})
