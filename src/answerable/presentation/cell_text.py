"""Format the values of document columns as text for a table."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_origin

from answerable.model.documents.columns import DocumentColumn, Format
from answerable.model.documents.registry import list_document_columns
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import HopItem
from answerable.model.person import OwnerState
from answerable.model.tool import BUILT_IN, SHELL
from answerable.presentation.chain_groups import (
    MissingHopNotes,
    is_break_glass_call,
    is_hop_missing,
    is_hop_self_reported,
    number_missing_hops,
    shorten_hop_id,
)
from answerable.presentation.relative_time import format_ago

_MAX_NAMES = 2
_ID_LENGTH = 16
_ID_PREFIXES = ("agent:", "person:")
_OWNER_RANKS = {state.value: rank for rank, state in enumerate(OwnerState)}


@dataclass(frozen=True, slots=True)
class CellContext:
    """Context of the cells of one document.

    Attributes:
        now: UTC nanoseconds.
        ellipsis: Mark in place of removed text.
        accounts: AWS accounts of all identities; a common one is not repeated.
        complete: Every source that could add to the document was collected.
        hop_marks: Mark of each hop status.
        notes: Numbered notes about missing hops.
    """

    now: int
    ellipsis: str = "…"
    accounts: frozenset[str] = frozenset()
    complete: bool = False
    hop_marks: Mapping[str, str] = field(default_factory=dict)
    notes: MissingHopNotes = field(default_factory=MissingHopNotes)


def build_cell_context(
    document: Document,
    now: int,
    ellipsis: str = "…",
    hop_marks: Mapping[str, str] = MappingProxyType({}),
) -> CellContext:
    """Build the context of a document's cells."""
    accounts = list_accounts(list_document_columns(document), document.items)
    complete = not document.coverage["not_collected"]
    return CellContext(
        now,
        ellipsis,
        accounts,
        complete,
        hop_marks,
        number_missing_hops(document.items),
    )


def list_accounts(
    columns: Iterable[DocumentColumn], items: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """List the AWS accounts of the identities in the columns of items."""
    return frozenset(
        identity.split(":", 5)[4]
        for column in columns
        if column.declared.format in ("identity", "identities")
        for item in items
        for identity in _to_list(column.get_value_of_item(item))
        if _is_account_arn(identity)
    )


def format_cell(
    column: DocumentColumn, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the value of a column; an empty value gets the column's text for it."""
    value, declared = column.get_value_of_item(item), column.declared
    if declared.format == "hop":
        return _format_hop(column.name, value, item, context)
    text = _FORMATTERS[declared.format](value, item, context)
    if not text and declared.fallback:
        text = str(item.get(declared.fallback) or "")
    return text or declared.empty


def get_cell_sort_key(column: DocumentColumn, item: Mapping[str, Any]) -> float | str:
    """Return the sort key of a value: only numbers or only texts for one column."""
    value = column.get_value_of_item(item)
    if column.declared.format == "owner":
        rank = _OWNER_RANKS.get(value["state"], 99)
        return f"{rank:02d}{value['person'] or ''}"
    if column.declared.format in ("run-mode", "presence"):
        return _FORMATTERS[column.declared.format](value, item, CellContext(0))
    if column.type in (int, float, bool):
        return -1.0 if value is None else float(value)
    if get_origin(column.type) is list:
        return float(len(value or ()))
    return format_value(value)


def _to_list(value: object) -> Sequence[str]:
    """Return a text as a list of one, None as an empty list."""
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, Sequence) else ()


def format_value(value: object) -> str:
    """Format any value as text; a mapping or list as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return json.dumps(value, ensure_ascii=True, default=str)


def strip_kind(value: str) -> str:
    """Remove the prefix `agent:` or `person:` of an id."""
    kind = next((each for each in _ID_PREFIXES if value.startswith(each)), "")
    return value.removeprefix(kind)


def format_some_names(names: Iterable[str]) -> str:
    """Format the first few names, and count the others."""
    names = list(names)
    rest = len(names) - _MAX_NAMES
    text = ", ".join(names[:_MAX_NAMES])
    return f"{text} +{rest}" if rest > 0 else text


def _is_account_arn(identity: str) -> bool:
    """Return whether an id is an ARN with an account field."""
    return identity.startswith("arn:") and identity.count(":") >= 5


def _format_identity(identity: str, context: CellContext) -> str:
    """Format an identity; an account that all identities share is left out."""
    if not _is_account_arn(identity):
        return identity
    parts = identity.split(":", 5)
    return parts[5] if len(context.accounts) == 1 else f"{parts[4]}:{parts[5]}"


def _format_identities(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format identities; a tool that only reads acts as none of its own."""
    text = format_some_names(_format_identity(each, context) for each in value or ())
    if not is_read_only_tool(item):
        return text
    return f"only if it reads a credential: {text}" if text else "none known"


def is_read_only_tool(item: Mapping[str, Any]) -> bool:
    """Return whether an item is a client's built-in tool that only reads."""
    return item.get("transport") in BUILT_IN and item["transport"] != SHELL


def _format_owner(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format owner state and person; never empty."""
    if value["state"] == "none" or not value["person"]:
        return value["state"] or "none"
    return f"{value['state']} {strip_kind(value['person'])}"


def _format_score(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format an ownership score; empty without an owner."""
    return (
        f"{value:.2f}" if _format_owner(item["owner"], item, context).count(" ") else ""
    )


def _format_run_mode(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format whether calls run without approval; `disabled` for a disabled tool."""
    mode = "unattended" if value else "attended"
    return mode if item.get("enabled", True) else "disabled"


def _format_agent_tools(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the names of an agent's servers, then of its shells."""
    servers = [each["server"] for each in value if each["transport"] not in BUILT_IN]
    shells = [each["server"] for each in value if each["transport"] == SHELL]
    return format_some_names(dict.fromkeys((*servers, *shells)))


def _format_tool(tool: str) -> str:
    """Format a tool by its server, a built-in one with its client."""
    return tool.removeprefix("tool:").removeprefix("mcp/").removesuffix("/*")


def _format_credential(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format class, kind and last characters of a credential, never its value."""
    if value is None:
        return ""
    hint = value["hint"] and f" {context.ellipsis}{value['hint']}"
    return f"{value['class']} {value['kind']}{hint}"


def _format_credential_lifetime(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the lifetime class, then the time left or the age."""
    if item["expires_at"]:
        end = format_ago(item["expires_at"], context.now)
        return f"{value}, {'ends' if end.startswith('in') else 'ended'} {end}"
    if item["created_at"]:
        return f"{value}, made {format_ago(item['created_at'], context.now)}"
    return str(value)


def _format_places(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format the first place of a list, and count the others: `path +2`."""
    rest = f" +{len(value) - 1}" if len(value) > 1 else ""
    return value[0]["place"] + rest if value else ""


def _format_person_presence(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format whether a person is present, has left, or is a team."""
    return ("team" if item["team"] else "person") if value else "left"


def _format_count(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format a number or the length of a list; an empty one is 0 if all is known."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{len(value):,}" if value or context.complete else ""


def _format_revocation_effect(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the things that a revocation ends or leaves: an id, or kind and count."""
    count = "" if item["count"] is None else f"{item['count']:,} "
    return str(item["id"] or f"{count}{value}")


def _format_grants(value: Any, item: Mapping[str, Any], context: CellContext) -> str:
    """Format the audience and the scopes of each grant."""
    scopes = (
        f" ({' '.join(each['scopes'])})" if each["scopes"] else "" for each in value
    )
    return ", ".join(
        grant["audience"] + text for grant, text in zip(value, scopes, strict=True)
    )


def _format_hop(
    name: str, hop: HopItem, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the mark and the value of a hop, or the number of its note if missing."""
    text = format_hop(name, hop, item, context.notes)
    return f"{context.hop_marks.get(hop['status'], '?')} {text}"


def format_hop(
    name: str, hop: HopItem, item: Mapping[str, Any], notes: MissingHopNotes
) -> str:
    """Format the value of a hop; an action that broke the glass has a mark.

    A missing hop has the number of its note, and what a self-reported record says.
    """
    if is_hop_missing(hop):
        text = str(notes.get_note_number(name, hop))
        if is_hop_self_reported(hop):
            text += f" {shorten_hop_id(name, hop['value'])} (self-reported)"
    else:
        text = shorten_hop_id(name, hop["value"])
    broken = name == "action" and is_break_glass_call(item)
    return f"BREAK-GLASS {text}" if broken else text


def _format_requested_target(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format the requested tool, resource or prompt."""
    target = item["target"]
    return str(value) if target == "tool" else f"{target} {value}".strip()


def _format_linked_thing(
    value: Any, item: Mapping[str, Any], context: CellContext
) -> str:
    """Format a linked thing; without one, whether there is none or it is not known."""
    return str(value or ("none" if item["status"] == "none" else "not known"))


_FORMATTERS: Mapping[Format, Callable[[Any, Mapping[str, Any], CellContext], str]] = {
    "text": lambda value, item, context: format_value(value),
    "id": lambda value, item, context: str(value or ""),
    "ids": lambda value, item, context: format_some_names(map(strip_kind, value or ())),
    "short-id": lambda value, item, context: strip_kind(value or ""),
    "identity": lambda value, item, context: _format_identity(value or "", context),
    "identities": _format_identities,
    "time": lambda value, item, context: format_ago(value, context.now),
    "day": lambda value, item, context: (value or "")[:10],
    "second": lambda value, item, context: (
        (value or "").replace("T", " ").removesuffix("Z")
    ),
    "minute": lambda value, item, context: (value or "")[:16],
    "count": _format_count,
    "number": lambda value, item, context: (
        _format_count(value, item, context) if value else ""
    ),
    "seconds": lambda value, item, context: f"{value:.1f}",
    "flag": lambda value, item, context: "yes" if value else "",
    "found": lambda value, item, context: (
        "not asked" if value is None else "found" if value else "absent"
    ),
    "pairs": lambda value, item, context: " ".join(
        f"{name}={text}" for name, text in value.items()
    ),
    "grants": _format_grants,
    "effect": _format_revocation_effect,
    "digest": lambda value, item, context: (value or "")[:_ID_LENGTH],
    "words": lambda value, item, context: str(value or "").replace("-", " "),
    "names": lambda value, item, context: ", ".join(map(strip_kind, value or ())),
    "score": _format_score,
    "owner": _format_owner,
    "run-mode": _format_run_mode,
    "tools": lambda value, item, context: format_some_names(map(_format_tool, value)),
    "agent-tools": _format_agent_tools,
    "credential": _format_credential,
    "lifetime": _format_credential_lifetime,
    "link": _format_linked_thing,
    "places": _format_places,
    "presence": _format_person_presence,
    "target": _format_requested_target,
}
