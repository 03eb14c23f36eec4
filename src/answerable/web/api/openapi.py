"""Generate and serve the OpenAPI 3.1 document `/api/v1/openapi.json`."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from answerable.model.documents.columns import list_item_fields
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.web.api.operations import PREFIX, ApiOperation, ApiParameter
from answerable.web.routing import (
    JsonAnswer,
    NotModified,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

OPENAPI_PATH = f"{PREFIX}/openapi.json"
_PROBLEM = "application/problem+json"
_REFUSALS = {
    "400": "A parameter is unknown or invalid.",
    "401": "Not signed in, or the token is invalid.",
    "403": "The form does not belong to this session.",
    "404": "Not found, or not visible to this visitor.",
    "405": "The method is not supported at this path.",
    "409": "A signed statement or stored record is invalid.",
    "422": "The name is unknown or ambiguous, or the query is not possible.",
    "413": "The body is too large.",
    "414": "The address is too long.",
    "415": "A form was expected.",
    "429": "Too many requests.",
    "503": "Temporarily unavailable: too many requests, or a disk error.",
}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": "string"},
        "link": {"type": "string"},
    },
}


def build_openapi(operations: Iterable[ApiOperation]) -> dict[str, object]:
    """Build the OpenAPI document from the operations and their item types."""
    operations = tuple(operations)
    types = [CoverageRecord, *dict.fromkeys(e.item for e in operations if e.item)]
    shapes, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    refs = dict(zip(types, shapes, strict=True))
    for item_type in types:
        _describe_fields(item_type, components)
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        path_item = paths.setdefault(PREFIX + operation.path, {})
        path_item[operation.method.lower()] = _describe_operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "answerable",
            "version": version("answerable"),
            "summary": "Agents, identities, permissions, activity and owners.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of a pinned issuer, for `web.audience`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "answerable",
                    "description": "Session cookie of the web page; its name ends with the port, "
                    "and starts with `__Host-` over TLS.",
                },
            },
        },
    }


def _describe_fields(item_type: type, components: Mapping[str, Any]) -> None:
    """Add the declared meaning and author of each field to its schema."""
    for field in list_item_fields(item_type):
        schema = components[item_type.__name__]["properties"][field.name]
        if field.declared.means:
            schema["description"] = field.declared.means
        if field.declared.written_by:
            schema["x-written-by"] = field.declared.written_by.value
        if field.nested:
            _describe_fields(field.nested, components)


def _describe_operation(
    operation: ApiOperation, refs: Mapping[type, Any]
) -> dict[str, object]:
    """Return the OpenAPI operation object: parameters or request body, responses."""
    description: dict[str, object] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "responses": _describe_responses(operation, refs),
        "x-may": sorted(operation.permissions),
    }
    if operation.command:
        description["x-command"] = f"answerable {operation.command}"
    if operation.method == "GET":
        description["parameters"] = [
            _describe_parameter(parameter) for parameter in operation.parameters
        ]
    elif operation.parameters:
        description["requestBody"] = {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": _build_form_schema(operation)
                }
            },
        }
    return description


def _describe_parameter(parameter: ApiParameter) -> dict[str, object]:
    """Return the OpenAPI parameter object of a query parameter."""
    described: dict[str, object] = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.is_list:  # separated by commas
        described |= {"style": "form", "explode": False}
    return described


def _build_form_schema(operation: ApiOperation) -> dict[str, object]:
    """Return the JSON Schema of a form body."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [
            parameter.name for parameter in operation.parameters if parameter.required
        ],
        "properties": {
            parameter.name: {**parameter.schema, "description": parameter.description}
            for parameter in operation.parameters
        },
    }


def _describe_responses(
    operation: ApiOperation, refs: Mapping[type, Any]
) -> dict[str, object]:
    """Return the OpenAPI responses: success, 304, and a problem for each error."""
    item = refs[operation.item] if operation.item is not None else {"type": "object"}
    document = {
        "type": "object",
        "required": ["schema", "items", "coverage"],
        "properties": {
            "schema": {"const": f"answerable/{operation.kind}/v1"},
            "items": {"type": "array", "items": item},
            "coverage": refs[CoverageRecord],
            "total": {
                "type": "integer",
                "description": "Total number of items, if this is one page.",
            },
            "after": {"type": "string", "description": "Cursor of the next page."},
        },
    }
    success: dict[str, object] = {
        "description": operation.summary,
        "content": {"application/json": {"schema": document}},
    }
    if operation.method == "GET" and operation.has_etag:
        success["headers"] = {
            "ETag": {"schema": {"type": "string"}},
            "Link": {"schema": {"type": "string"}, "description": 'rel="next"'},
        }
    responses: dict[str, object] = {"200": success}
    if operation.method == "GET" and operation.has_etag:
        responses["304"] = {"description": "Not modified."}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status, description in _REFUSALS.items():
        responses[status] = {"description": description, "content": {_PROBLEM: problem}}
    return responses


def build_openapi_route(operations: tuple[ApiOperation, ...]) -> WebRoute:
    """Return the route that serves the OpenAPI document with an ETag."""

    @cache
    def encode_document() -> tuple[bytes, str]:
        body = msgspec.json.encode(build_openapi(operations))
        return body, hashlib.sha256(body).hexdigest()[:32]

    def handle_document(
        _cache: StoreCache, _visitor: Visitor, request: RouteRequest
    ) -> RouteAnswer:
        body, etag = encode_document()
        return NotModified(etag) if etag in request.etags else JsonAnswer(body, etag)

    return WebRoute(OPENAPI_PATH, handle_document)
