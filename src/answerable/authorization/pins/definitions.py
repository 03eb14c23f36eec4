"""Canonical definition of a tool, prompt, template or instructions, and its digest.

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

from answerable.model.pin import Definition, Kind

MOST_FIELD = 16 * 1024  # characters of one field that are kept
MAPPING = "x-authzen-mapping"

_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TOOL: (
        *("name", "title", "description", "inputSchema", "outputSchema"),
        *("annotations", MAPPING, "x-mcp-header"),
    ),
    Kind.PROMPT: ("name", "title", "description", "arguments"),
    Kind.TEMPLATE: (
        *("uriTemplate", "name", "title", "description", "mimeType", "annotations"),
    ),
    Kind.INSTRUCTIONS: ("instructions",),
}


def define(kind: Kind, name: str, raw: bytes) -> Definition:
    """Build the definition of an item.

    Args:
        name: Its name in the list.
        raw: Its JSON: an object, or the text of instructions.
    """
    try:
        said = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)
        if kind is Kind.INSTRUCTIONS:
            said = {"instructions": said}
        fields = {
            field: _canonical(said[field]) for field in _FIELDS[kind] if field in said
        }
        whole = _canonical({"kind": kind.value} | {f: said[f] for f in fields})
    except (ValueError, TypeError, RecursionError):
        digest = hashlib.sha256(raw).hexdigest()
        return Definition(kind, name, digest, is_ambiguous=True)
    kept = tuple(sorted((field, _kept(text)) for field, text in fields.items()))
    return Definition(kind, name, hashlib.sha256(whole.encode()).hexdigest(), kept)


def brief(definition: Definition) -> Definition:
    """Replace the fields of a definition by their digests."""
    fields = tuple((field, _digest(text)) for field, text in definition.fields)
    return Definition(
        definition.kind,
        definition.name,
        definition.sha256,
        fields,
        definition.is_ambiguous,
    )


def size(definition: Definition) -> int:
    """Count the characters that a stored definition takes."""
    texts = sum(len(field) + len(text) for field, text in definition.fields)
    return len(definition.name) + texts


def schema_of(definition: Definition) -> str:
    """Return the JSON Schema of a tool's arguments; empty without one."""
    return dict(definition.fields).get("inputSchema", "")


def mapping_of(definition: Definition) -> str:
    """Return the AuthZEN mapping that a tool declares, as JSON; empty without one."""
    fields = dict(definition.fields)
    if MAPPING in fields:
        return fields[MAPPING]
    try:
        schema = json.loads(fields.get("inputSchema", "null"))
    except ValueError:
        return ""  # too long to be kept
    found = schema.get(MAPPING) if isinstance(schema, dict) else None
    return "" if found is None else _canonical(found)


def _canonical(value: object) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def _kept(text: str) -> str:
    return text if len(text) <= MOST_FIELD else _digest(text)


def _digest(text: str) -> str:
    if text.startswith("sha256:"):
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}, {len(text)} letters"


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_number(_: str) -> object:
    raise ValueError
