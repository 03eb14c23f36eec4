"""List agents, identities, credentials, persons or tools of a snapshot."""

from collections.abc import Callable, Collection, Mapping, Sequence

from answerable.inventory import person_directory as people_of
from answerable.inventory.sync_join import assess_owners_at_time
from answerable.model.documents.inventory import ToolItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.presentation.answer_coverage import (
    build_list_coverage,
    refuse_misspelled_value,
    require_known_owner_state,
)
from answerable.presentation.inventory_items import build_owner_item as build_owner_item
from answerable.presentation.inventory_items import (
    build_person_item,
    build_tool_item,
)
from answerable.presentation.inventory_items import format_time as format_time
from answerable.presentation.listed_items import (
    ListedItems,
    list_agent_items,
    list_credential_items,
    list_identity_items,
)

_SCAN_COMMAND = "answerable scan"


def list_agents(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List agents with their tools, credentials and identities."""
    inventory = assess_owners_at_time(inventory, now)
    items = list_agent_items(inventory)
    return _build_filtered_document("agents", inventory, now, items, owner_state, kind)


def list_identities(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List identities with the agents and credentials that reach them."""
    inventory = assess_owners_at_time(inventory, now)
    items = list_identity_items(inventory)
    return _build_filtered_document(
        "identities", inventory, now, items, owner_state, kind
    )


def list_credentials(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List credentials with every place they are in; never a value."""
    inventory = assess_owners_at_time(inventory, now)
    items = list_credential_items(inventory)
    return _build_filtered_document(
        "credentials", inventory, now, items, owner_state, kind
    )


def list_people(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List persons and teams with what they own.

    `kind` is `person` or `team`; `owner_state` keeps what is owned in that state.
    Suggested ownership is shown only when it is asked for.
    """
    inventory = assess_owners_at_time(inventory, now)
    require_known_owner_state(owner_state)
    listed = people_of.list_person_groups(inventory)
    items = [
        build_person_item(
            inventory,
            people_of.merge_listed_persons(inventory, key, ids),
            owner_state,
            ids,
        )
        for key, ids in listed.items()
        if kind in ("", "team" if inventory.persons[key].team else "person")
    ]
    if owner_state:
        items = [item for item in items if item["owns"]]
    searched = _describe_empty_list(kind, ("person", "team"), len(listed))
    return _build_list_document("people", inventory, now, items, searched)


def list_tools(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List the tools of every agent; `kind` is a transport, the owner the agent's."""
    inventory = assess_owners_at_time(inventory, now)
    require_known_owner_state(owner_state)
    items: list[ToolItem] = []
    for key, entity in inventory.agents.items():
        if owner_state and build_owner_item(inventory, key)["state"] != owner_state:
            continue
        items += [
            build_tool_item(inventory, key, use)
            for use in entity.tools
            if kind in ("", use.tool.transport)
        ]
    kinds = [u.tool.transport for each in inventory.agents.values() for u in each.tools]
    searched = _describe_empty_list(kind, kinds, len(kinds))
    return _build_list_document("tools", inventory, now, items, searched)


# The list of each kind, by the name of its command.
BY_KIND: Mapping[str, Callable[..., Document]] = {
    "agents": list_agents,
    "identities": list_identities,
    "credentials": list_credentials,
    "people": list_people,
    "tools": list_tools,
}


def _build_filtered_document(
    name: str,
    inventory: Inventory,
    now: int,
    items: ListedItems,
    owner_state: str,
    kind: str,
) -> Document:
    """Build the document of the items with an ownership state and of a kind.

    Args:
        owner_state: Empty for all.
        kind: Empty for all.
    """
    require_known_owner_state(owner_state)
    if not owner_state and not kind:
        return _build_list_document(name, inventory, now, items)
    kinds: set[str] = set()

    def is_selected(item: Mapping[str, object]) -> bool:
        kinds.add(str(item["kind"]))
        shown = item["owner"]
        state = shown["state"] if isinstance(shown, dict) else ""
        return owner_state in ("", state) and kind in ("", item["kind"])

    kept = items.select(is_selected)
    searched = _describe_empty_list(kind, kinds, len(items))
    return _build_list_document(name, inventory, now, kept, searched)


def _describe_empty_list(kind: str, kinds: Collection[str], count: int) -> str:
    """Describe the search that found nothing, with the kinds that exist.

    Args:
        kind: Queried kind, empty for all.
        count: Number of things of every kind.
    """
    known = sorted({each for each in kinds if each})
    if kind and known and kind not in known:
        refuse_misspelled_value("kind", kind, known)
        return f"no item is of kind {kind[:80]!r}; the kinds are: {', '.join(known)}"
    return f"0 of {count} match" if count else ""


def _build_list_document(
    kind: str,
    inventory: Inventory,
    now: int,
    items: Sequence[Mapping[str, object]],
    searched: str = "",
) -> Document:
    """Build the document of a list, with its coverage and a hint."""
    hint, none_of = (
        "" if inventory.coverage else _SCAN_COMMAND,
        "" if items else searched,
    )
    covered = build_list_coverage(kind, inventory, now, has_items=bool(items))
    return Document(kind, items, covered, next=hint, searched=none_of)
