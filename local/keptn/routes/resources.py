"""The resource service's routes; the same ones under either name it has had."""

import base64
import binascii
from urllib.parse import unquote_plus

from flask import Blueprint, Response, g, request

from local.keptn.answers import (
    BadQuery,
    body_object,
    gin,
    gin_error,
    offset_page,
    query_number,
    query_text,
)
from local.keptn.control_plane import Keptn
from local.keptn.resources import Place, ResourceError

_PLACES = (
    "/project/<project>",
    "/project/<project>/stage/<stage>",
    "/project/<project>/stage/<stage>/service/<service>",
)


class ResourceRoutes:
    """Routes of the resource service."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self, name: str) -> Blueprint:
        """These routes, for a service of this name.

        WSGI has decoded the path once, as nginx does: `a%252Fb` arrives as `a%2Fb`, one resource, while
        `a%2Fb` arrives as `a/b`, which no route takes.
        """
        routes = Blueprint(name, __name__)
        routes.before_request(self._join_the_line)
        for place in _PLACES:
            routes.add_url_rule(f"{place}/resource", view_func=self.resources)
            routes.add_url_rule(f"{place}/resource", view_func=self.write, methods=["POST", "PUT"])
            routes.add_url_rule(f"{place}/resource/<uri>", view_func=self.read)
            routes.add_url_rule(f"{place}/resource/<uri>", view_func=self.update, methods=["PUT"])
            routes.add_url_rule(f"{place}/resource/<uri>", view_func=self.delete, methods=["DELETE"])
        return routes

    def _join_the_line(self) -> None:
        """A request is answered when its turn is over; a project without a repository waits for no other."""
        project, lines = (request.view_args or {})["project"], self._keptn.lines
        self._keptn.resource_requests += 1
        g.answered_at = lines.join(project) if project in self._keptn.projects else lines.admit()

    def read(self, project: str, uri: str, stage: str = "", service: str = "") -> Response:
        """One resource with its content, at the head of its branch or at `gitCommitID`."""
        place = Place(project, stage, service)
        try:
            content, version = self._keptn.resources.read(place, uri, query_text("gitCommitID"))
        except ResourceError as error:
            return gin_error(error.status, error.message)
        encoded = base64.b64encode(content).decode()
        metadata = self._metadata(project, version)
        return gin({"resourceContent": encoded, "resourceURI": uri, "metadata": metadata})

    def resources(self, project: str, stage: str = "", service: str = "") -> Response:
        """The resources at a place without their contents; `gitCommitID` has no effect here."""
        try:
            size = query_number("pageSize", 20)
            uris = self._keptn.resources.uris(Place(project, stage, service))
        except BadQuery:
            return gin_error(400, "Invalid request format")
        except ResourceError as error:
            return gin_error(error.status, error.message)
        start, end, following = offset_page(len(uris), size, query_text("nextPageKey"))
        metadata = self._metadata(project, self._keptn.resources.head(project, stage))
        resources = [{"resourceURI": uri, "metadata": metadata} for uri in uris[start:end]]
        total = {"totalCount": len(uris)} if uris else {}
        return gin({"resources": resources, "nextPageKey": following, **total})

    def write(self, project: str, stage: str = "", service: str = "") -> Response:
        """Store the resources of the body."""
        resources = (body_object() or {}).get("resources")
        if not isinstance(resources, list):
            return gin_error(400, "Invalid request format")
        try:
            decoded = {each["resourceURI"]: _decoded(each["resourceContent"]) for each in resources}
            commit = self._keptn.resources.write(Place(project, stage, service), decoded)
        except (KeyError, TypeError):
            return gin_error(400, "Invalid request format")
        except ResourceError as error:
            return gin_error(error.status, error.message)
        return self._written(project, commit, 201 if request.method == "POST" else 200)

    def update(self, project: str, uri: str, stage: str = "", service: str = "") -> Response:
        """Store one resource, whose URI in the path is still escaped once."""
        content = (body_object() or {}).get("resourceContent")
        if not isinstance(content, str):
            return gin_error(400, "Invalid request format")
        place = Place(project, stage, service)
        try:
            commit = self._keptn.resources.write(place, {unquote_plus(uri): _decoded(content)})
        except ResourceError as error:
            return gin_error(error.status, error.message)
        return self._written(project, commit)

    def delete(self, project: str, uri: str, stage: str = "", service: str = "") -> Response:
        """Remove one resource."""
        try:
            commit = self._keptn.resources.delete(Place(project, stage, service), uri)
        except ResourceError as error:
            return gin_error(error.status, error.message)
        return self._written(project, commit)

    def _written(self, project: str, commit: str, status: int = 200) -> Response:
        return gin({"commitID": commit, "metadata": self._metadata(project, commit)}, status)

    def _metadata(self, project: str, version: str) -> dict[str, str]:
        return {"upstreamURL": self._keptn.project(project).upstream_url, "version": version}


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ResourceError(400, "resource content is not base64 encoded") from error
