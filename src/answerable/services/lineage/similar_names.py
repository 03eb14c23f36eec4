"""Find ids that contain a text, and suggest similar names for an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches

from answerable.inventory.name_resolution import EntityKind, select_similar_names
from answerable.lineage.chain_index import list_short_names
from answerable.model.errors import UnknownNameError
from answerable.model.inventory import Inventory

_MIN_PART_LENGTH = 3  # characters of a name part


def find_ids_containing(fragment: str, ids: Iterable[str]) -> set[str]:
    """Return the ids that contain part of a name, ignoring case."""
    folded = fragment.lower()
    if len(folded) < _MIN_PART_LENGTH:
        return set()
    return {key for key in ids if folded in key.partition(":")[2].lower()}


def list_ids_of_kind(inventory: Inventory, kind: EntityKind) -> Iterable[str]:
    """List the inventory's ids of one kind of entity."""
    match kind:
        case "agent":
            return inventory.agents
        case "credential":
            return inventory.credentials
        case "tool":
            return {tool.id for tool in inventory.facts.tools}
        case _:
            return {identity.id for identity in inventory.facts.identities}


def build_unknown_name_error(text: str, kind: str, ids: set[str]) -> UnknownNameError:
    """Build the error for an unknown name, with the most similar known name."""
    names = sorted({name for each in ids for name in (each, *list_short_names(each))})
    close = get_close_matches(text, select_similar_names(text, names), n=1, cutoff=0.5)
    hint = "no audit log and no scan contains it; ingest or scan first"
    if kind == "identity":
        hint = "no scanned or acting identity has that name; give an ARN for any other"
    if close:
        hint = f"did you mean {close[0]}?"
    return UnknownNameError(f"unknown {kind} (got {text[:200]!r})", hint)
