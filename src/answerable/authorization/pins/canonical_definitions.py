"""Build the canonical definition of a tool, prompt or template, and its digest.

| item | fields |
|---|---|
| tool | name, title, description, inputSchema, outputSchema, annotations, and the extensions `x-authzen-mapping` and `x-mcp-header`, which otherwise stand in the schema |
| prompt | name, title, description, arguments |
| template | uriTemplate, name, title, description, mimeType, annotations |
| instructions | the text |

The digest is SHA-256 over canonical JSON: sorted keys, no white space, ASCII only. An
item with duplicate keys has no canonical form; its digest is over its raw bytes.
"""

import hashlib
import json
from collections.abc import Mapping

from answerable.model.definition_pin import DefinitionKind, McpDefinition
from answerable.model.json_members import build_unique_members, reject_constant

MAX_FIELD = 16 * 1024  # characters of one field that are kept
MAPPING_FIELD = "x-authzen-mapping"

_FIELDS: Mapping[DefinitionKind, tuple[str, ...]] = {
    DefinitionKind.TOOL: (
        "name",
        "title",
        "description",
        "inputSchema",
        "outputSchema",
        "annotations",
        MAPPING_FIELD,
        "x-mcp-header",
    ),
    DefinitionKind.PROMPT: ("name", "title", "description", "arguments"),
    DefinitionKind.TEMPLATE: (
        "uriTemplate",
        "name",
        "title",
        "description",
        "mimeType",
        "annotations",
    ),
    DefinitionKind.INSTRUCTIONS: ("instructions",),
}


def build_canonical_definition(
    kind: DefinitionKind, name: str, raw: bytes
) -> McpDefinition:
    """Build the canonical definition of a tool, prompt, template or instructions.

    Args:
        name: Its name in the list.
        raw: Its JSON: an object, or the text of instructions.
    """
    try:
        said = json.loads(
            raw,
            object_pairs_hook=build_unique_members,
            parse_constant=reject_constant,
        )
        if kind is DefinitionKind.INSTRUCTIONS:
            said = {"instructions": said}
        fields = {
            field: _canonical_json(said[field])
            for field in _FIELDS[kind]
            if field in said
        }
        whole = _canonical_json({"kind": kind.value} | {f: said[f] for f in fields})
    except (ValueError, TypeError, RecursionError):
        digest = hashlib.sha256(raw).hexdigest()
        return McpDefinition(kind, name, digest, is_ambiguous=True)
    kept = tuple(sorted((field, _digest_field(text)) for field, text in fields.items()))
    return McpDefinition(kind, name, hashlib.sha256(whole.encode()).hexdigest(), kept)


def digest_definition_fields(definition: McpDefinition) -> McpDefinition:
    """Replace a tool definition's texts by SHA-256, so that a pin stays small."""
    fields = tuple((field, _text_digest(text)) for field, text in definition.fields)
    return McpDefinition(
        definition.kind,
        definition.name,
        definition.sha256,
        fields,
        definition.is_ambiguous,
    )


def definition_size(definition: McpDefinition) -> int:
    """Count the characters that a stored definition takes."""
    texts = sum(len(field) + len(text) for field, text in definition.fields)
    return len(definition.name) + texts


def definition_argument_schema(definition: McpDefinition) -> str:
    """Return the JSON Schema of a tool's arguments; empty without one."""
    return dict(definition.fields).get("inputSchema", "")


def definition_authzen_mapping(definition: McpDefinition) -> str:
    """Return the AuthZEN mapping that a tool declares, as JSON; empty without one."""
    fields = dict(definition.fields)
    if MAPPING_FIELD in fields:
        return fields[MAPPING_FIELD]
    try:
        schema = json.loads(fields.get("inputSchema", "null"))
    except ValueError:
        return ""  # too long to be kept
    found = schema.get(MAPPING_FIELD) if isinstance(schema, dict) else None
    return "" if found is None else _canonical_json(found)


def _canonical_json(value: object) -> str:
    """Encode as JSON with sorted keys and no spaces, for digests."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def _digest_field(text: str) -> str:
    """Replace the JSON text of a field by its digest."""
    return text if len(text) <= MAX_FIELD else _text_digest(text)


def _text_digest(text: str) -> str:
    """Return the SHA-256 and length of a text; a digest stays as it is."""
    if text.startswith("sha256:"):
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}, {len(text)} letters"
