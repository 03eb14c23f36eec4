"""Build the OpenAPI 3.1 document of the decision point's HTTP API."""

from typing import Any

import msgspec

from answerable import __version__
from answerable.pdp.wire import pdp_metadata
from answerable.pdp.wire.batch_request import (
    DEFAULT_KEYS,
    MAX_EVALUATIONS,
    BatchSemantic,
)
from answerable.pdp.wire.evaluation_request import MAX_NAME, MAX_TOKEN
from answerable.pdp.wire.problem_documents import PROBLEM_TYPE

OPENAPI_PATH = "/access/v1/openapi.json"
_JSON = "application/json"

OpenApiSchema = dict[str, Any]


def build_openapi(url: str) -> bytes:
    """Build the OpenAPI document.

    Args:
        url: Identifier and base URL of the decision point.
    """
    endpoints = (
        (
            pdp_metadata.EVALUATION_PATH,
            "Evaluate one request.",
            "Evaluation",
            "Decision",
        ),
        (
            pdp_metadata.EVALUATIONS_PATH,
            "Evaluate several requests.",
            "Evaluations",
            "Decisions",
        ),
        (
            pdp_metadata.SUBJECT_SEARCH_PATH,
            "Find the subjects with access.",
            "SubjectSearch",
            "Found",
        ),
        (
            pdp_metadata.RESOURCE_SEARCH_PATH,
            "Find the resources that can be accessed.",
            "ResourceSearch",
            "Found",
        ),
        (
            pdp_metadata.ACTION_SEARCH_PATH,
            "Find the allowed actions.",
            "ActionSearch",
            "Found",
        ),
    )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "answerable decision point", "version": __version__},
            "externalDocs": {
                "url": "https://openid.net/specs/authorization-api-1_0.html"
            },
            "servers": [{"url": url}],
            "security": [{"bearer": []}],
            "paths": {
                pdp_metadata.METADATA_PATH: {"get": _build_metadata_operation()},
                **{
                    path: {"post": _build_post_operation(*said)}
                    for path, *said in endpoints
                },
            },
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                "schemas": _build_all_schemas(),
                "responses": {"Problem": _build_problem_response()},
                "parameters": {"RequestId": _build_request_id_parameter()},
            },
        }
    )


def _build_metadata_operation() -> OpenApiSchema:
    """Build the OpenAPI operation of the metadata endpoint."""
    return {
        "summary": "Metadata of the decision point.",
        "operationId": "metadata",
        "security": [],
        "responses": {
            "200": {
                "description": "The metadata.",
                "content": {_JSON: {"schema": _build_schema_ref("Metadata")}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _build_post_operation(
    summary: str, request_schema: str, response_schema: str
) -> OpenApiSchema:
    """Build the OpenAPI operation of a POST endpoint."""
    problem = {"$ref": "#/components/responses/Problem"}
    statuses = ("400", "401", "403", "405", "413", "421", "429", "500", "503")
    return {
        "summary": summary,
        "operationId": request_schema[0].lower() + request_schema[1:],
        "parameters": [{"$ref": "#/components/parameters/RequestId"}],
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": _build_schema_ref(request_schema)}},
        },
        "responses": {
            "200": {
                "description": "The result.",
                "headers": {"X-Request-ID": {"schema": {"type": "string"}}},
                "content": {_JSON: {"schema": _build_schema_ref(response_schema)}},
            },
            **dict.fromkeys(statuses, problem),
        },
    }


def _build_schema_ref(name: str) -> OpenApiSchema:
    """Build a `$ref` to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _build_object_schema(
    required: tuple[str, ...] = (), /, **properties: OpenApiSchema
) -> OpenApiSchema:
    """Build the JSON Schema of an object."""
    said: OpenApiSchema = {"type": "object"}
    if properties:
        said["properties"] = properties
    if required:
        said["required"] = list(required)
    return said


def _build_name_schema() -> OpenApiSchema:
    """Build the JSON Schema of a name: a string that is not empty."""
    return {"type": "string", "minLength": 1, "maxLength": MAX_NAME}


def _build_entity_schemas(*, required: bool) -> dict[str, OpenApiSchema]:
    """Return the schemas of subject, action and resource."""
    token = {"type": "string", "maxLength": MAX_TOKEN}
    server = {"type": "string", "maxLength": MAX_NAME}

    def entity(keys: tuple[str, ...], **properties: OpenApiSchema) -> OpenApiSchema:
        names = {key: _build_name_schema() for key in keys}
        return _build_object_schema(
            keys if required else (),
            **names,
            properties=_build_object_schema((), **properties),
        )

    return {
        "Subject": entity(("type", "id"), token=token),
        "Action": entity(("name",), arguments=_build_object_schema()),
        "Resource": entity(("type", "id"), server=server),
    }


def _build_all_schemas() -> dict[str, OpenApiSchema]:
    """Build every OpenAPI component schema, by name."""
    whole = _build_entity_schemas(required=True)
    # A missing key in a batch item is an error of that item, or comes from the
    # defaults.
    parts = {
        f"{name}Part": said
        for name, said in _build_entity_schemas(required=False).items()
    }
    context = _build_object_schema()
    page = _build_object_schema(
        token={"type": "string"},
        limit={"type": "integer", "minimum": 0},
        properties=_build_object_schema(),
    )
    keys = {key: _build_schema_ref(key.capitalize()) for key in DEFAULT_KEYS[:3]} | {
        "context": context
    }
    part_keys = {
        key: _build_schema_ref(f"{key.capitalize()}Part") for key in DEFAULT_KEYS[:3]
    }
    part = _build_object_schema((), **part_keys, context=context)
    semantic = {"type": "string", "enum": list(BatchSemantic)}
    several = _build_object_schema(
        (),
        **part["properties"],
        evaluations={
            "type": "array",
            "items": part,
            "minItems": 1,
            "maxItems": MAX_EVALUATIONS,
        },
        options=_build_object_schema(evaluations_semantic=semantic),
    )
    one_or_none = {"type": "array", "maxItems": 0}
    searched = _build_object_schema(
        ("type",), type=_build_name_schema(), properties=_build_object_schema()
    )
    return {
        **whole,
        **parts,
        "Evaluation": _build_object_schema(DEFAULT_KEYS[:3], **keys),
        "Evaluations": {
            "anyOf": [
                several | {"required": ["evaluations"]},
                _build_object_schema(
                    DEFAULT_KEYS[:3],
                    **keys,
                    evaluations=one_or_none,
                    options=_build_object_schema(),
                ),
            ]
        },
        "SubjectSearch": _build_object_schema(
            DEFAULT_KEYS[:3], **keys | {"subject": searched, "page": page}
        ),
        "ResourceSearch": _build_object_schema(
            DEFAULT_KEYS[:3], **keys | {"resource": searched, "page": page}
        ),
        "ActionSearch": _build_object_schema(
            ("subject", "resource"),
            **{key: said for key, said in keys.items() if key != "action"},
            page=page,
        ),
        **_build_answer_schemas(),
    }


def _build_answer_schemas() -> dict[str, OpenApiSchema]:
    """Build the OpenAPI schemas of the decision point's answers."""
    told = _build_object_schema(
        decision_id={"type": "string"},
        decision={"enum": ["deny", "ask", "error"]},
        obligations={
            "type": "array",
            "items": _build_object_schema(("id",), id=_build_name_schema()),
        },
        error=_build_object_schema(("status", "message")),
    )
    count = {"type": "integer", "minimum": 0}
    page = _build_object_schema(
        ("next_token",), next_token={"type": "string"}, count=count, total=count
    )
    decisions = _build_object_schema(
        ("evaluations",),
        evaluations={
            "type": "array",
            "items": _build_schema_ref("Decision"),
            "minItems": 1,
        },
    )
    urls = {
        "policy_decision_point": {"type": "string"},
        **{
            f"{name}_endpoint": {"type": "string"}
            for name in (
                "access_evaluation",
                "access_evaluations",
                "search_subject",
                "search_resource",
                "search_action",
            )
        },
    }
    return {
        "Decision": _build_object_schema(
            ("decision",), decision={"type": "boolean"}, context=told
        ),
        "Decisions": {"anyOf": [decisions, _build_schema_ref("Decision")]},
        "Found": _build_object_schema(
            ("page", "results"),
            page=page,
            context=_build_object_schema(complete={"type": "boolean"}),
            results={"type": "array", "items": _build_object_schema()},
        ),
        "Metadata": _build_object_schema(tuple(urls), **urls),
    }


def _build_problem_response() -> OpenApiSchema:
    """Build the response of a problem document (RFC 9457)."""
    schema = _build_object_schema(
        ("type", "title", "status", "detail"),
        type={"type": "string"},
        title={"type": "string"},
        status={"type": "integer"},
        detail={"type": "string"},
    )
    return {
        "description": "No decision was made (RFC 9457).",
        "content": {PROBLEM_TYPE: {"schema": schema}},
    }


def _build_request_id_parameter() -> OpenApiSchema:
    """Build the header parameter `X-Request-ID`."""
    return {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
    }
