"""The event history's routes."""

from flask import Blueprint, Response, request

from local.keptn.answers import no_skip, offset, openapi, openapi_error, query_text
from local.keptn.control_plane import Keptn
from local.keptn.datastore import InvalidFilter, Query

_MAXIMUM = 100


class BadSize(Exception):
    """A page size is no number, or out of range; carries go-openapi's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class DatastoreRoutes:
    """Routes of the mongodb-datastore."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """These routes."""
        routes = Blueprint("datastore", __name__)
        routes.add_url_rule("/event", view_func=self.events)
        routes.add_url_rule("/event/type/<event_type>", view_func=self.events_of_type)
        return routes

    def events(self) -> Response:
        """A page of the history, newest first. Nothing found is a 200; the last page has no next key."""
        try:
            size = _size("pageSize")
        except BadSize as error:
            return openapi_error(422, str(error), code=error.code)
        start = offset(query_text("nextPageKey"))
        if start < 0:
            return openapi_error(500, f"could not retrieve elements from events collection: {no_skip(start)}")
        query = Query(
            project=query_text("project"),
            keptn_context=query_text("keptnContext"),
            event_type=query_text("type"),
            stage=query_text("stage"),
            service=query_text("service"),
            event_id=query_text("eventID"),
            source=query_text("source"),
            from_time=query_text("fromTime"),
            before_time=query_text("beforeTime"),
            root="root" in request.args,
        )
        page = self._keptn.datastore.query(query, size, start)
        body: dict[str, object] = {"events": page.events, "pageSize": size}
        if page.next_key is not None:
            body["nextPageKey"] = str(page.next_key)
        if page.total:
            body["totalCount"] = page.total
        return openapi(body)

    def events_of_type(self, event_type: str) -> Response:
        """The newest events of a type that match a filter."""
        if "filter" not in request.args:
            return openapi_error(422, "filter in query is required", code=602)
        try:
            found = self._keptn.datastore.query_by_type(
                event_type,
                query_text("filter"),
                query_text("fromTime"),
                query_text("excludeInvalidated") == "true",
                _size("limit"),
            )
        except BadSize as error:
            return openapi_error(422, str(error), code=error.code)
        except InvalidFilter as error:
            return openapi_error(400, str(error))
        return openapi({"events": found})


def _size(name: str) -> int:
    given = request.args.get(name, "20")
    if not given.lstrip("-").isdigit():
        raise BadSize(601, f'{name} in query must be of type int64: "{given}"')
    size = int(given)
    if size > _MAXIMUM:
        raise BadSize(608, f"{name} in query should be less than or equal to {_MAXIMUM}")
    if size < 1:
        raise BadSize(609, f"{name} in query should be greater than or equal to 1")
    return size
