"""OpenAPI 3.1 document of the decision point."""

from typing import Any

import msgspec

from answerable import __version__
from answerable.pdp.wire import pdp_metadata
from answerable.pdp.wire.batch_request import KEYS, MOST, Semantic
from answerable.pdp.wire.evaluation_request import MAX_NAME, MAX_TOKEN
from answerable.pdp.wire.problems import MEDIA

PATH = "/access/v1/openapi.json"
_JSON = "application/json"

Schema = dict[str, Any]


def openapi(url: str) -> bytes:
    """Build the OpenAPI document.

    Args:
        url: Identifier and base URL of the decision point.
    """
    endpoints = (
        (
            pdp_metadata.EVALUATION,
            "Decide on one evaluation.",
            "Evaluation",
            "Decision",
        ),
        (pdp_metadata.EVALUATIONS, "Decide on several.", "Evaluations", "Decisions"),
        (pdp_metadata.SUBJECTS, "Find who may.", "SubjectSearch", "Found"),
        (
            pdp_metadata.RESOURCES,
            "Find what it may be done to.",
            "ResourceSearch",
            "Found",
        ),
        (pdp_metadata.ACTIONS, "Find what may be done.", "ActionSearch", "Found"),
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
                pdp_metadata.PATH: {"get": _about()},
                **{path: {"post": _posted(*said)} for path, *said in endpoints},
            },
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                "schemas": _schemas(),
                "responses": {"Problem": _problem()},
                "parameters": {"RequestId": _request_id()},
            },
        }
    )


def _about() -> Schema:
    return {
        "summary": "Metadata of the decision point.",
        "operationId": "metadata",
        "security": [],
        "responses": {
            "200": {
                "description": "Its metadata.",
                "content": {_JSON: {"schema": _ref("Metadata")}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _posted(summary: str, asked: str, told: str) -> Schema:
    problem = {"$ref": "#/components/responses/Problem"}
    statuses = ("400", "401", "403", "405", "413", "421", "429", "500", "503")
    return {
        "summary": summary,
        "operationId": asked[0].lower() + asked[1:],
        "parameters": [{"$ref": "#/components/parameters/RequestId"}],
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": _ref(asked)}},
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {"X-Request-ID": {"schema": {"type": "string"}}},
                "content": {_JSON: {"schema": _ref(told)}},
            },
            **dict.fromkeys(statuses, problem),
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    said: Schema = {"type": "object"}
    if properties:
        said["properties"] = properties
    if required:
        said["required"] = list(required)
    return said


def _name() -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": MAX_NAME}


def _entities(*, required: bool) -> dict[str, Schema]:
    """Return the schemas of subject, action and resource."""
    token = {"type": "string", "maxLength": MAX_TOKEN}
    server = {"type": "string", "maxLength": MAX_NAME}

    def entity(keys: tuple[str, ...], **properties: Schema) -> Schema:
        names = {key: _name() for key in keys}
        return _object(
            keys if required else (), **names, properties=_object((), **properties)
        )

    return {
        "Subject": entity(("type", "id"), token=token),
        "Action": entity(("name",), arguments=_object()),
        "Resource": entity(("type", "id"), server=server),
    }


def _schemas() -> dict[str, Schema]:
    whole = _entities(required=True)
    # A missing key in a batch item is an error of that item, or comes from the
    # defaults.
    parts = {f"{name}Part": said for name, said in _entities(required=False).items()}
    context = _object()
    page = _object(
        token={"type": "string"},
        limit={"type": "integer", "minimum": 0},
        properties=_object(),
    )
    keys = {key: _ref(key.capitalize()) for key in KEYS[:3]} | {"context": context}
    part_keys = {key: _ref(f"{key.capitalize()}Part") for key in KEYS[:3]}
    part = _object((), **part_keys, context=context)
    semantic = {"type": "string", "enum": list(Semantic)}
    several = _object(
        (),
        **part["properties"],
        evaluations={"type": "array", "items": part, "minItems": 1, "maxItems": MOST},
        options=_object(evaluations_semantic=semantic),
    )
    one_or_none = {"type": "array", "maxItems": 0}
    searched = _object(("type",), type=_name(), properties=_object())
    return {
        **whole,
        **parts,
        "Evaluation": _object(KEYS[:3], **keys),
        "Evaluations": {
            "anyOf": [
                several | {"required": ["evaluations"]},
                _object(KEYS[:3], **keys, evaluations=one_or_none, options=_object()),
            ]
        },
        "SubjectSearch": _object(
            KEYS[:3], **keys | {"subject": searched, "page": page}
        ),
        "ResourceSearch": _object(
            KEYS[:3], **keys | {"resource": searched, "page": page}
        ),
        "ActionSearch": _object(
            ("subject", "resource"),
            **{key: said for key, said in keys.items() if key != "action"},
            page=page,
        ),
        **_answers(),
    }


def _answers() -> dict[str, Schema]:
    told = _object(
        decision_id={"type": "string"},
        decision={"enum": ["deny", "ask", "error"]},
        obligations={"type": "array", "items": _object(("id",), id=_name())},
        error=_object(("status", "message")),
    )
    count = {"type": "integer", "minimum": 0}
    page = _object(
        ("next_token",), next_token={"type": "string"}, count=count, total=count
    )
    decisions = _object(
        ("evaluations",),
        evaluations={"type": "array", "items": _ref("Decision"), "minItems": 1},
    )
    urls = {
        "policy_decision_point": {"type": "string"},
        **{
            f"{name}_endpoint": {"type": "string"}
            for name in (
                *("access_evaluation", "access_evaluations"),
                *("search_subject", "search_resource", "search_action"),
            )
        },
    }
    return {
        "Decision": _object(("decision",), decision={"type": "boolean"}, context=told),
        "Decisions": {"anyOf": [decisions, _ref("Decision")]},
        "Found": _object(
            ("page", "results"),
            page=page,
            context=_object(complete={"type": "boolean"}),
            results={"type": "array", "items": _object()},
        ),
        "Metadata": _object(tuple(urls), **urls),
    }


def _problem() -> Schema:
    schema = _object(
        ("type", "title", "status", "detail"),
        type={"type": "string"},
        title={"type": "string"},
        status={"type": "integer"},
        detail={"type": "string"},
    )
    return {
        "description": "Nothing was decided (RFC 9457).",
        "content": {MEDIA: {"schema": schema}},
    }


def _request_id() -> Schema:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
    }
