"""OpenAPI document `/api/v1/openapi.json`, generated from the operations."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from answerable.model.documents.core import CoverageRecord
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
    "403": "The form is not one of this session.",
    "404": "There is nothing here, or nothing that is for this visitor.",
    "405": "Nothing is served there by this method.",
    "409": "A signed statement or stored record is invalid.",
    "422": "Nothing is called so, several things are, or it cannot be asked that way.",
    "413": "The body is too large.",
    "414": "The address is too long.",
    "415": "A form was expected.",
    "429": "Too often.",
    "503": "Not now: too much is asked, or the disk refused.",
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
    },
}


def build_openapi(operations: Iterable[ApiOperation]) -> dict[str, object]:
    """Build the document."""
    operations = tuple(operations)
    types = [CoverageRecord, *dict.fromkeys(e.item for e in operations if e.item)]
    shapes, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    refs = dict(zip(types, shapes, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for each in operations:
        at = paths.setdefault(PREFIX + each.path, {})
        at[each.method.lower()] = _describe_operation(each, refs)
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
                    "description": "Of a session of the web page; its name ends with "
                    "the port, and begins with `__Host-` over TLS.",
                },
            },
        },
    }


def _describe_operation(
    each: ApiOperation, refs: Mapping[type, Any]
) -> dict[str, object]:
    said: dict[str, object] = {
        "operationId": each.operation_id,
        "summary": each.what,
        "responses": _describe_responses(each, refs),
        "x-may": sorted(each.may),
    }
    if each.command:
        said["x-command"] = f"answerable {each.command}"
    if each.method == "GET":
        said["parameters"] = [_describe_parameter(one) for one in each.takes]
    elif each.takes:
        said["requestBody"] = {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {"schema": _form_schema(each)}
            },
        }
    return said


def _describe_parameter(one: ApiParameter) -> dict[str, object]:
    return {
        "name": one.name,
        "in": "query",
        "required": one.required,
        "description": one.what,
        "schema": one.schema,
    }


def _form_schema(each: ApiOperation) -> dict[str, object]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [one.name for one in each.takes if one.required],
        "properties": {
            one.name: {**one.schema, "description": one.what} for one in each.takes
        },
    }


def _describe_responses(
    each: ApiOperation, refs: Mapping[type, Any]
) -> dict[str, object]:
    item = refs[each.item] if each.item is not None else {"type": "object"}
    document = {
        "type": "object",
        "required": ["schema", "items", "coverage"],
        "properties": {
            "schema": {"const": f"answerable/{each.kind}/v1"},
            "items": {"type": "array", "items": item},
            "coverage": refs[CoverageRecord],
            "total": {
                "type": "integer",
                "description": "Items of the whole answer, where these are a part.",
            },
            "after": {"type": "string", "description": "Cursor of the next part."},
        },
    }
    answered: dict[str, object] = {
        "description": each.what,
        "content": {"application/json": {"schema": document}},
    }
    if each.method == "GET" and each.held:
        answered["headers"] = {
            "ETag": {"schema": {"type": "string"}},
            "Link": {"schema": {"type": "string"}, "description": 'rel="next"'},
        }
    said: dict[str, object] = {"200": answered}
    if each.method == "GET" and each.held:
        said["304"] = {"description": "Not modified."}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status, what in _REFUSALS.items():
        said[status] = {"description": what, "content": {_PROBLEM: problem}}
    return said


def openapi_route(operations: tuple[ApiOperation, ...]) -> WebRoute:
    """Return the route of the document."""

    @cache
    def written() -> tuple[bytes, str]:
        body = msgspec.json.encode(build_openapi(operations))
        return body, hashlib.sha256(body).hexdigest()[:32]

    def answer(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
        del desk, visit
        body, tag = written()
        return NotModified(tag) if tag in asked.held else JsonAnswer(body, tag)

    return WebRoute(OPENAPI_PATH, answer)
