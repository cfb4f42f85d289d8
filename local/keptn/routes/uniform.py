"""The shipyard controller's routes on integrations and their log."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from local.keptn import go_json
from local.keptn.answers import (
    BadQuery,
    body_object,
    database_page,
    gin,
    gin_error,
    no_skip,
    query_number,
    query_text,
)
from local.keptn.control_plane import Keptn
from local.keptn.uniform import LOG_FIELDS, NO_DOCUMENT, IncompleteIntegration, LogQuery, NotRegistered

_FILTERS = ("name", "namespace", "hostname", "project", "stage", "service")


class UniformRoutes:
    """Routes on registrations, subscriptions and log entries."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """These routes."""
        routes = Blueprint("uniform", __name__)
        all_of, one = "/uniform/registration", "/uniform/registration/<integration_id>"
        routes.add_url_rule(all_of, view_func=self.register, methods=["POST"])
        routes.add_url_rule(all_of, view_func=self.registrations)
        routes.add_url_rule(one, view_func=self.unregister, methods=["DELETE"])
        routes.add_url_rule(f"{one}/ping", view_func=self.ping, methods=["PUT"])
        subscriptions = f"{one}/subscription"
        routes.add_url_rule(subscriptions, view_func=self.subscribe, methods=["POST"])
        routes.add_url_rule(subscriptions, view_func=self.subscriptions)
        subscription = f"{subscriptions}/<subscription_id>"
        routes.add_url_rule(subscription, view_func=self.resubscribe, methods=["PUT"])
        routes.add_url_rule(subscription, view_func=self.subscription)
        routes.add_url_rule(subscription, view_func=self.unsubscribe, methods=["DELETE"])
        routes.add_url_rule("/log", view_func=self.log, methods=["POST"])
        routes.add_url_rule("/log", view_func=self.logs)
        return routes

    def register(self) -> Response:
        """Register an integration: 201 if it is new, else 200."""
        body = body_object()
        if body is None or not (_is_object(body.get("metadata")) and _are_objects(body.get("subscriptions"))):
            return _unreadable()
        try:
            integration_id, is_new = self._keptn.uniform.register(body)
        except IncompleteIntegration as error:
            return gin_error(400, str(error))
        return gin({"id": integration_id}, 201 if is_new else 200)

    def registrations(self) -> Response:
        """The integrations that match the query."""
        chosen = {name: query_text(name) for name in _FILTERS}
        return gin(self._keptn.uniform.integrations(integration_id=query_text("id"), **chosen))

    def unregister(self, integration_id: str) -> Response:
        """Forget an integration, known or not."""
        self._keptn.uniform.unregister(integration_id)
        return gin({})

    def ping(self, integration_id: str) -> Response:
        """Note a heartbeat; 404 tells the integration to register again."""
        try:
            return gin(self._keptn.uniform.ping(integration_id))
        except NotRegistered as error:
            return gin_error(404, str(error))

    def subscribe(self, integration_id: str) -> Response:
        """Add a subscription."""
        body = body_object()
        if body is None or not _is_object(body.get("filter")):
            return _unreadable()
        try:
            added = self._keptn.uniform.put_subscription(integration_id, body)
        except NotRegistered as error:
            return gin_error(404, str(error))
        return gin({"id": added}, 201)

    def resubscribe(self, integration_id: str, subscription_id: str) -> Response:
        """Replace a subscription."""
        body = body_object()
        if body is None or not _is_object(body.get("filter")):
            return _unreadable()
        try:
            self._keptn.uniform.put_subscription(integration_id, body, subscription_id)
        except NotRegistered as error:
            return gin_error(500, str(error))
        return gin({"id": subscription_id}, 201)

    def subscriptions(self, integration_id: str) -> Response:
        """All subscriptions of an integration; null if there are none."""
        try:
            return gin(self._keptn.uniform.get(integration_id, NO_DOCUMENT)["subscriptions"] or None)
        except NotRegistered as error:
            return gin_error(404, str(error))

    def subscription(self, integration_id: str, subscription_id: str) -> Response:
        """One subscription."""
        try:
            return gin(self._keptn.uniform.subscription(integration_id, subscription_id))
        except NotRegistered as error:
            return gin_error(404, str(error))

    def unsubscribe(self, integration_id: str, subscription_id: str) -> Response:
        """Remove a subscription."""
        try:
            self._keptn.uniform.delete_subscription(integration_id, subscription_id)
        except NotRegistered as error:
            return gin_error(500, str(error))
        return gin({})

    def log(self) -> Response:
        """Keep log entries; an empty list is a server error, since MongoDB inserts nothing.

        An entry that is null is one in which everything is empty.
        """
        try:
            entries = _log_entries(go_json.decode(request.get_data()))
        except go_json.Unreadable as error:
            return gin_error(400, str(error))
        if not entries:
            return gin_error(500, "must provide at least one element in input slice")
        self._keptn.uniform.log(entries)
        return gin({})

    def logs(self) -> Response:
        """The log, newest first."""
        query = LogQuery(query_text("integrationId"), query_text("fromTime"), query_text("beforeTime"))
        try:
            size, start = query_number("pageSize", 0), query_number("nextPageKey", 0)
            for time in (query.from_time, query.before_time):
                if time:
                    _check_time(time)
        except BadQuery as error:
            return gin_error(400, f"Invalid request format: {error}")
        except ValueError as error:
            return gin_error(404, f"Unable to retrieve logs: {error}")
        if start < 0:
            return gin_error(404, f"Unable to retrieve logs: {no_skip(start)}")
        found = self._keptn.uniform.logs(query)
        end, following = database_page(len(found), size, start)
        page: dict[str, object] = {"logs": found[start:end]}
        if following:
            page["nextPageKey"] = following
        if found:
            page["totalCount"] = len(found)
        return gin(page)


def _log_entries(body: Any) -> list[dict[str, Any]]:
    """The entries of a body, with their texts and times.

    Raises go_json.Unreadable.
    """
    go_json.struct(body, "models.CreateLogsRequest", {})
    given = (body or {}).get("logs")
    if not isinstance(given, list | None):
        what = f"cannot unmarshal {go_json.kind(given)} into Go struct field CreateLogsRequest.logs"
        raise go_json.Unreadable(f"json: {what} of type []models.LogEntry")
    texts = dict.fromkeys(LOG_FIELDS, "string")
    entries: list[dict[str, Any]] = []
    for entry in given or ():
        if isinstance(entry, dict) and entry.get("time") == "":
            raise go_json.Unreadable('parsing time "\\"\\"" as "2006-01-02T15:04:05Z07:00"')
        fields: dict[str, Any] = go_json.struct(entry, "models.LogEntry", texts, at="CreateLogsRequest.logs")
        entries.append({**fields, "time": (entry or {}).get("time")})
    return entries


def _unreadable() -> Response:
    return gin_error(400, "json: cannot unmarshal into Go value")


def _is_object(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _are_objects(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, dict) for each in value))


def _check_time(text: str) -> None:
    if len(text) != len("2006-01-02T15:04:05.000Z"):
        raise ValueError(f'parsing time "{text}"')
    datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007
