"""Answers as Keptn's services word them: gin's in most, go-openapi's in the API and the datastore."""

import json
import re
from typing import Any

from flask import Response, request

from local.keptn.release import Refusal

GIN_JSON = "application/json; charset=utf-8"


class BadQuery(Exception):
    """A query parameter is not what the service wants."""


class Panic(Exception):
    """A handler in Go has failed, as over a slice that is out of range; gin answers with a bare 500."""


def encoded(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def gin(value: Any, status: int = 200) -> Response:
    """JSON from a service built with gin."""
    return Response(encoded(value), status, content_type=GIN_JSON)


def gin_error(status: int, message: str) -> Response:
    """An error from a service built with gin."""
    return gin({"code": status, "message": message}, status)


def gin_not_found() -> Response:
    """What gin says for a path it has no route for; in the resource service, mostly an encoding mistake."""
    return Response("404 page not found", 404, content_type="text/plain")


def openapi(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON from a service built with go-openapi."""
    return Response(encoded(value), status, headers, content_type="application/json")


def openapi_error(status: int, message: str, code: int | None = None) -> Response:
    """An error from a service built with go-openapi, which has codes of its own from 600 on."""
    return openapi({"code": code or status, "message": message}, status)


def refusal(refused: Refusal) -> Response:
    """One of the gateway's own answers."""
    return Response(refused.body, refused.status, content_type=refused.content_type)


def query_text(name: str) -> str:
    """A query parameter; empty if it is not there."""
    return request.args.get(name, "")


def query_number(name: str, default: int) -> int:
    """A whole number from the query, as gin binds it: empty means 0.

    Raises BadQuery.
    """
    given = request.args.get(name)
    if given is None:
        return default
    try:
        return int(given or "0")
    except ValueError:
        raise BadQuery(f'strconv.ParseInt: parsing "{given}": invalid syntax') from None


def body_object() -> dict[str, Any] | None:
    """The request's body as a JSON object; None if it is not one."""
    try:
        body = json.loads(request.get_data())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def offset_page(total: int, size: int, key: str) -> tuple[int, int, str]:
    """Keptn's paging by offset: start, end, and the next key, which is "0" at the end.

    Raises Panic for a slice that is none.
    """
    start = offset(key)
    following = start + size
    end = min(total, following)
    if start < total and not 0 <= start <= end:
        raise Panic
    return start, end, str(following if following < total else 0)


def offset(key: str) -> int:
    """The offset that a page key stands for; what is no number stands for 0."""
    return int(key) if re.fullmatch(r"[+-]?[0-9]+", key) else 0


def no_skip(offset: int) -> str:
    """What MongoDB says of an offset below 0."""
    return f"(Location51024) BSON field 'skip' value must be >= 0, actual value '{offset}'"


def database_page(total: int, size: int, start: int) -> tuple[int, int]:
    """MongoDB's paging by offset: the end, and the next key, which is 0 at the end.

    Without a size above 0 there is no limit.
    """
    end = start + size
    if size <= 0 or end >= total:
        return total, 0
    return end, end
