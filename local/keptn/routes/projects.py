"""The shipyard controller's routes on projects, stages and services."""

import base64
import binascii
import re
from typing import Any

from flask import Blueprint, Response

from local.keptn import shipyard
from local.keptn.answers import BadQuery, body_object, gin, gin_error, offset_page, query_number, query_text
from local.keptn.control_plane import Keptn, NotFound, Project, ProjectExists, ServiceExists


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
            self._keptn.create_project(name, text)
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
        projects = [_as_json(self._keptn.projects[name]) for name in sorted(self._keptn.projects)]
        return _page("projects", projects)

    def get(self, project: str) -> Response:
        """One project."""
        try:
            return gin(_as_json(self._keptn.project(project)))
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
        """The stages of a project."""
        try:
            return _page("stages", _as_json(self._keptn.project(project))["stages"])
        except NotFound as error:
            return gin_error(404, str(error))

    def create_service(self, project: str) -> Response:
        """Create a service in every stage of a project."""
        name = (body_object() or {}).get("serviceName")
        if not isinstance(name, str) or not name:
            return gin_error(400, "must provide a service name")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            return gin_error(400, "Service name contains special character(s).")
        try:
            self._keptn.create_service(project, name)
        except ServiceExists as error:
            return gin_error(409, str(error))
        except NotFound as error:
            return gin_error(500, str(error))
        return gin({"message": ""})

    def delete_service(self, project: str, service: str) -> Response:
        """Delete a service from every stage."""
        try:
            self._keptn.delete_service(project, service)
        except NotFound as error:
            return gin_error(500, str(error))
        return gin({"message": ""})

    def services(self, project: str, stage: str) -> Response:
        """The services of a stage."""
        try:
            found = self._services(project, stage)
        except NotFound as error:
            return gin_error(404, str(error))
        return _page("services", [{"serviceName": name} for name in sorted(found)])

    def service(self, project: str, stage: str, service: str) -> Response:
        """One service of a stage."""
        try:
            if service not in self._services(project, stage):
                raise NotFound("service not found")
        except NotFound as error:
            return gin_error(404, str(error))
        return gin({"serviceName": service})

    def _services(self, project: str, stage: str) -> list[str]:
        known = self._keptn.project(project)
        if stage not in known.stages:
            raise NotFound("stage not found")
        return known.services


def _as_json(project: Project) -> dict[str, Any]:
    services = [{"serviceName": name} for name in sorted(project.services)]
    return {
        "creationDate": str(int(project.created * 1_000_000_000)),
        "projectName": project.name,
        "shipyard": project.shipyard_text,
        "shipyardVersion": f"spec.keptn.sh/{project.shipyard.version}",
        "stages": [{"services": services, "stageName": stage} for stage in project.stages],
        "isUpstreamAutoProvisioned": False,
    }


def _page(name: str, items: list[Any]) -> Response:
    try:
        size = query_number("pageSize", 20)
    except BadQuery as error:
        return gin_error(400, f"Invalid request format: {error}")
    start, end, following = offset_page(len(items), size, query_text("nextPageKey"))
    total = {"totalCount": len(items)} if items else {}
    return gin({name: items[start:end], "nextPageKey": following, **total})
