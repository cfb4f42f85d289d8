"""JSONPath as the job executor has it (Go's PaesslerAG/jsonpath); imports no other room."""

from execution_plane.jsonpath.nodes import JsonPathError
from execution_plane.jsonpath.parser import JsonPath, compile  # noqa: A004 - as in re
from execution_plane.jsonpath.tokens import InvalidJsonPath

__all__ = ["InvalidJsonPath", "JsonPath", "JsonPathError", "compile"]
