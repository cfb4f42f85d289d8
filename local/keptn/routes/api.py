"""The API service: `/v1/event`, `/v1/metadata` and `/v1/auth`."""

import json
from datetime import datetime

from flask import Blueprint, Response, request

from local.keptn import intake
from local.keptn.answers import openapi, openapi_error, refusal
from local.keptn.control_plane import Keptn
from local.keptn.events import Event
from local.keptn.front import LOSE_EVENT
from local.keptn.release import nginx_page

_CONSUMED = ("application/json", "application/cloudevents+json")
_UNSAID = "application/octet-stream"
"""What go-openapi takes a body for whose type is not said."""


class ApiRoutes:
    """Routes of the API service."""

    def __init__(self, keptn: Keptn) -> None:
        self._keptn = keptn

    def blueprint(self) -> Blueprint:
        """These routes."""
        routes = Blueprint("api", __name__)
        routes.add_url_rule("/event", view_func=self.post_event, methods=["POST"])
        routes.add_url_rule("/metadata", view_func=self.metadata)
        routes.add_url_rule("/auth", view_func=self.auth, methods=["GET", "POST", "PUT", "DELETE"])
        return routes

    def auth(self) -> Response:
        """The token has been checked by now."""
        return openapi({})

    def metadata(self) -> Response:
        """Versions; `shipyardversion` never changes."""
        return openapi(
            {
                "automaticprovisioning": False,
                "bridgeversion": self._keptn.release.version,
                "keptnlabel": "keptn",
                "keptnversion": self._keptn.release.version,
                "namespace": "keptn",
                "shipyardversion": "0.2.0",
            }
        )

    def post_event(self) -> Response:
        """Rewrite and publish an event. A 200 means no more than that."""
        raw = request.get_data()
        refused = self._refuse(raw)
        if refused is not None:
            return refused
        try:
            body = _parsed(raw)
            intake.require_fields(body)
            if self._keptn.validate_events:
                intake.validate(body)
        except intake.MissingField as error:
            return openapi_error(422, str(error), code=602)
        except intake.InvalidEvent as error:
            return openapi_error(400, str(error))
        except ValueError as error:
            return openapi_error(400, f'parsing body body from "" failed, because {error}')
        if not body["type"]:
            return openapi_error(500, "event is missing the event type")
        event = intake.rewrite(body, self._keptn.clock.now(), self._keptn.new_id)
        if not request.environ.get(LOSE_EVENT):
            self._keptn.accept(event)
        return openapi({"keptnContext": event["shkeptncontext"]})

    def _refuse(self, raw: bytes) -> Response | None:
        if not raw:
            # A nil dereference upstream: it drops the connection, and nginx answers.
            return refusal(nginx_page(502, "Bad Gateway"))
        media_type = request.mimetype or _UNSAID
        if media_type not in _CONSUMED:
            allowed = " ".join(_CONSUMED)
            return openapi_error(415, f'unsupported media type "{media_type}", only [{allowed}] are allowed')
        if self._keptn.validate_events and len(raw) > intake.VALIDATED_LIMIT:
            return openapi_error(
                400, 'parsing body body from "" failed, because http: request body too large'
            )
        if len(raw) > intake.PUBLISHED_LIMIT:
            return openapi_error(500, "could not publish message to NATS: nats: maximum payload exceeded")
        return None


def _parsed(raw: bytes) -> Event:
    body = json.loads(raw, parse_constant=_refuse_constant)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ValueError("json: cannot unmarshal into Go value of type models.KeptnContextExtendedCE")
    for name in ("type", "source", "shkeptncontext", "triggeredid", "gitcommitid", "id", "specversion"):
        if not isinstance(body.get(name, ""), str | None):
            raise ValueError(f"json: cannot unmarshal into Go struct field {name} of type string")
    if body.get("time"):
        datetime.fromisoformat(body["time"])
    return body


def _refuse_constant(constant: str) -> None:
    """Python reads NaN and Infinity, which are no JSON to Go."""
    raise ValueError(f"invalid character '{constant[0]}' looking for beginning of value")
