"""The OpenAPI schema of the HTTP API, and its content for the documentation page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from vecaf.config import RunConfig

BASE = "/api/v1"
DESCRIPTION = (
    "Import datasets, select images, launch and follow runs, predict images, and download models. "
    "If the studio has accounts, log in first: POST `username` and `password` to /login, and send "
    'the cookie with each request. Errors of these endpoints are JSON objects: {"error": message}.'
)
TYPES = {int: "integer", float: "number", str: "string"}


@dataclass(frozen=True)
class Field:
    """A parameter, a setting, or a field of an answer."""

    name: str
    type: str
    description: str
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """An endpoint. `body` and `answer` describe what it reads and returns."""

    method: str
    path: str
    summary: str
    description: str
    parameters: Sequence[Field]
    body: str
    settings: Sequence[Field]
    status: str
    answer: str


@dataclass(frozen=True)
class ObjectType:
    """A JSON object that answers contain."""

    name: str
    description: str
    fields: Sequence[Field]


def openapi(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Build the OpenAPI schema of the routes."""
    schema = get_openapi(
        title="VeCAF Studio", version="1", description=DESCRIPTION, routes=list(routes)
    )
    for methods in schema["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)  # the studio answers 404 to an invalid id
    schemas = schema["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema


def settings_schema(
    names: Sequence[str] = (), more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Build the JSON schema of the settings of a run from the fields of `RunConfig`.

    Parameters
    ----------
    names
        The fields to include; all by default.
    more
        Schemas of further settings by name, or of settings that mean something else here.
    """
    properties: dict[str, Any] = {}
    for item in fields(RunConfig):
        if names and item.name not in names:
            continue
        meta = item.metadata
        entry = {
            "type": TYPES[type(item.default)],
            "description": meta["help"],
            "default": item.default,
            "enum": list(meta["choices"]) or None,
            "minimum": meta["minimum"],
            "maximum": meta["maximum"],
        }
        properties[item.name] = {name: value for name, value in entry.items() if value is not None}
    del properties["dataset"]["default"]
    properties |= more or {}
    return {"type": "object", "properties": properties, "required": ["dataset"]}


def operations_in(schema: dict[str, Any]) -> list[Operation]:
    """List the operations of an OpenAPI schema for the documentation page."""
    return [
        _operation(method.upper(), path, details)
        for path, methods in schema["paths"].items()
        for method, details in methods.items()
    ]


def object_types_in(schema: dict[str, Any]) -> list[ObjectType]:
    """List the object types of an OpenAPI schema for the documentation page."""
    return [
        ObjectType(name, details.get("description", ""), _fields(details))
        for name, details in sorted(schema["components"]["schemas"].items())
    ]


def _operation(method: str, path: str, details: dict[str, Any]) -> Operation:
    parameters = [
        Field(one["name"], _type(one["schema"]), one.get("description", ""), one["required"])
        for one in details.get("parameters", [])
    ]
    content = details.get("requestBody", {}).get("content", {})
    json_body = content.get("application/json", {}).get("schema", {})
    status = next(code for code in details["responses"] if code.startswith("2"))
    answers = details["responses"][status]["content"]
    media, answer = next(iter(answers.items()))
    return Operation(
        method=method,
        path=path,
        summary=details["summary"],
        description=details.get("description", ""),
        parameters=parameters,
        body=", ".join(content),
        settings=_fields(json_body),
        status=status,
        answer=_type(answer["schema"]) if media == "application/json" else media,
    )


def _fields(schema: dict[str, Any]) -> list[Field]:
    required = schema.get("required", [])
    return [
        Field(name, _type(value), value.get("description", ""), name in required)
        for name, value in schema.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    """Describe a JSON schema in a few words: "integer", "RunSummary[]", "number or null"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"{_type(schema['items'])}[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))
