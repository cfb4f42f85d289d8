"""The tables of a job config's fields: which there are, and how each is read and checked."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from execution_plane.jsonpath import InvalidJsonPath
from jobs import compiled, quantities
from jobs.http_fields import HTTP
from jobs.model import Rules
from jobs.schema import (
    Check,
    Decoder,
    Path,
    Reading,
    TooLarge,
    checked,
    cut,
    optional_text,
    shown,
    struct,
    structs,
    text,
    text_map,
    texts,
    truth,
    whole_number,
)
from jobs.secret_fields import IMAGE_PULL_SECRET, SECRET_FILES
from jobs.yaml_reader import Node, ScalarNode

API_VERSION: Final = "v2"

Fields = Mapping[str, Decoder]


def job_config_fields(rules: Rules) -> Fields:
    """The fields of a whole job config, checked by `rules`."""
    action = {
        "name": text,
        "events": structs(_EVENT),
        "tasks": structs(_task_fields(rules)),
        "silent": truth,
    }
    return {"apiVersion": _api_version, "actions": structs(action)}


def path_problem(path: str) -> str | None:
    """What is wrong with a JSONPath, or None."""
    try:
        compiled.path(path)
    except InvalidJsonPath as error:
        return f"expected a JSONPath, found {shown(path)}: character {error.position}: {error.reason}"
    return None


def _task_fields(rules: Rules) -> Fields:
    return {
        "name": text,
        "image": checked(_image_check(rules)),
        "function": text,
        "lambda": text,
        "http": struct(HTTP),
        "stateMachine": text,
        "files": texts,
        "imagePullPolicy": text,
        "imagePullSecrets": structs(IMAGE_PULL_SECRET),
        "secretFiles": structs(SECRET_FILES),
        "cmd": texts,
        "args": texts,
        "env": structs(_ENV),
        "resources": struct(_RESOURCES),
        "workingDir": text,
        "maxPollDuration": whole_number(64),
        "namespace": text,
        "ttlSecondsAfterFinished": whole_number(32),
        "securityContext": struct(_SECURITY_CONTEXT),
        "serviceAccount": optional_text,
        "annotations": text_map,
        "onError": checked(_on_error_problem),
    }


def _api_version(reading: Reading, node: Node, path: Path, _: object) -> str:
    value = text(reading, node, path)
    if value != API_VERSION and isinstance(node, ScalarNode):
        found = f"found {shown(value)}, which is not supported" if value else "found nothing"
        reading.problem(node.line, path, f"expected {API_VERSION}, {found}")
    return value


def _quantity(reading: Reading, node: Node, path: Path, _: object) -> Decimal | None:
    value = text(reading, node, path)
    if not value:
        return None
    try:
        amount = quantities.parse(value)
        complaint = "it is below 0" if amount < 0 else ""
    except quantities.InvalidQuantity as error:
        amount, complaint = Decimal(0), str(error)
    if complaint:
        reading.objection(
            node.line, path, f"expected a quantity like 500m or 1Gi, found {shown(value)}: {complaint}"
        )
    return amount


def _pattern(reading: Reading, node: Node, path: Path, _: object) -> str:
    value = text(reading, node, path)
    if not value:
        return ""
    reading.patterns.add(value)
    if len(reading.patterns) > compiled.MAX_PATTERNS:
        raise TooLarge(node.line, f"the file has more than {compiled.MAX_PATTERNS} different patterns")
    try:
        compiled.pattern(value)
    except compiled.InvalidPattern as error:
        complaint = f"expected an RE2 pattern, found {shown(value)}: {cut(str(error))}"
        reading.problem(node.line, path, complaint)
    return value


def _property(reading: Reading, node: Node, path: Path, _: object) -> str:
    value = text(reading, node, path)
    if value and (complaint := path_problem(value)):
        reading.problem(node.line, path, complaint)
    return value


def _image_check(rules: Rules) -> Check:
    def check(image: str) -> str | None:
        if rules.images.allows(image):
            return None
        return f"expected an image that this deployment allows, found {shown(image)}"

    return check


def _on_error_problem(value: str) -> str | None:
    return None if value in ("fail", "warning") else f"expected fail or warning, found {shown(value)}"


_EVENT: Final[Fields] = {
    "name": _pattern,
    "jsonpath": struct({"property": _property, "match": text}),
}
_ENV: Final[Fields] = {"name": text, "value": text, "valueFrom": text, "as": text}
_AMOUNTS: Final[Fields] = {"cpu": _quantity, "memory": _quantity}
_RESOURCES: Final[Fields] = {"limits": struct(_AMOUNTS), "requests": struct(_AMOUNTS)}
_SECURITY_CONTEXT: Final[Fields] = {
    "capabilities": struct({"add": texts, "drop": texts}),
    "privileged": truth,
    "runAsUser": whole_number(64),
    "runAsGroup": whole_number(64),
    "runAsNonRoot": truth,
    "readOnlyRootFilesystem": truth,
    "allowPrivilegeEscalation": truth,
    "procMount": optional_text,
    "seccompProfile": struct({"type": optional_text, "localhostProfile": optional_text}),
}
