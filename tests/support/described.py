"""Keptn's own API descriptions (Swagger 2.0), and how an exchange with Keptn departs from them."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import yaml
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
SERVICES = {  # below the gateway, the service's description and what of the path is the service's
    "/api/controlPlane": "control-plane.json",
    "/api/mongodb-datastore": "mongodb-datastore.yaml",
    "/api": "api.yaml",
}


def descriptions() -> Path | None:
    """Where the descriptions are, if they are here."""
    place = Path(os.environ.get("KEPTN_OPENAPI") or ROOT.parent / "shared" / "keptn-openapi")
    return place if place.is_dir() else None


@dataclass(frozen=True)
class Descriptions:
    """All of them."""

    by_service: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, place: Path) -> "Descriptions":
        return cls({prefix: yaml.safe_load((place / name).read_text()) for prefix, name in SERVICES.items()})

    def deviations(self, answer: requests.Response) -> Iterator[str]:
        """What of a request and its answer is not as described."""
        method, url = str(answer.request.method), urlsplit(str(answer.request.url))
        prefix = next(each for each in self.by_service if url.path.startswith(f"{each}/"))
        document = self.by_service[prefix]
        path = url.path.removeprefix(prefix).removeprefix(document["basePath"].rstrip("/"))
        template = next((each for each in document["paths"] if _matches(each, path)), None)
        if template is None:
            yield f"{method} {path}: no such path"
            return
        what = f"{method} {template}"
        shared = document["paths"][template].get("parameters", [])
        operation = document["paths"][template].get(method.lower())
        if operation is None:
            yield f"{what}: no such method"
            return
        parameters = [_resolved(each, document) for each in [*shared, *operation.get("parameters", [])]]
        for problem in (
            *_of_query(parameters, dict(parse_qsl(url.query))),
            *_of_body(parameters, answer.request.body, document),
            *_of_answer(operation, answer, document),
        ):
            yield f"{what}: {problem}"


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def _resolved(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    resolved: Mapping[str, Any] = found
    return resolved


def _of_query(parameters: list[Mapping[str, Any]], query: Mapping[str, str]) -> Iterator[str]:
    described = {each["name"]: each for each in parameters if each["in"] == "query"}
    yield from (f"the query has {name}" for name in query if name not in described)
    for name, parameter in described.items():
        if parameter.get("required") and name not in query:
            yield f"the query lacks {name}"
        if parameter["type"] == "integer" and not query.get(name, "0").isdigit():
            yield f"{name} is no integer"


def _of_body(parameters: list[Mapping[str, Any]], body: Any, document: Mapping[str, Any]) -> Iterator[str]:
    described = next((each for each in parameters if each["in"] == "body"), None)
    if described is None:
        if body:
            yield "the request has a body"
    else:
        yield from (
            f"request, {each}" for each in _of_schema(described["schema"], json.loads(body), document)
        )


def _of_answer(
    operation: Mapping[str, Any], answer: requests.Response, document: Mapping[str, Any]
) -> Iterator[str]:
    responses = {str(status): each for status, each in operation["responses"].items()}
    described = responses.get(str(answer.status_code), responses.get("default"))
    if described is None:
        yield f"{answer.status_code} is no described answer"
        return
    described = _resolved(described, document)
    if "schema" in described:
        yield from (f"answer, {each}" for each in _of_schema(described["schema"], answer.json(), document))


def _of_schema(schema: Mapping[str, Any], value: Any, document: Mapping[str, Any]) -> Iterator[str]:
    """Problems, with the numbers of list members left out, so that each is there once."""
    validator = Draft4Validator({**schema, "definitions": document.get("definitions", {})})
    for problem in validator.iter_errors(value):
        place = ".".join(str(each) for each in problem.absolute_path if not isinstance(each, int))
        yield f"{place or 'the whole'}: {problem.validator} {json.dumps(problem.validator_value)}"
